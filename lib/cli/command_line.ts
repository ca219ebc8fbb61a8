/** The command line: arguments to a command with typed flags, or to a text to show. */

import { runParser } from "@optique/core/facade";
import { formatMessage, type Message } from "@optique/core/message";
import type { Parser } from "@optique/core/parser";
import type { Usage } from "@optique/core/usage";
import { InputError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import {
  type BalancerFlags,
  balancerFlags,
  type ClientFlags,
  clientFlags,
  type DemoFlags,
  demoFlags,
  type RehearsalFlags,
  rehearsalFlags,
  ROLES,
  type ServerFlags,
  serverFlags,
} from "./flags.ts";
import { BRIEFS, EXAMPLES, OVERVIEW, type Parsed } from "./help.ts";
import { checkLoad, type CompareFlags, compareFlags } from "./load_flags.ts";
import { checkMisbehaviour } from "./misbehaviour_flags.ts";
import { checkClientTls, checkServerTls } from "./tls_flags.ts";
import { checkClientUdp, checkServerUdp } from "./udp_flags.ts";

/** What the user wants done. */
export type Command =
  | { readonly run: "server"; readonly flags: ServerFlags }
  | { readonly run: "client"; readonly flags: ClientFlags }
  | { readonly run: "compare"; readonly flags: CompareFlags }
  | { readonly run: "balancer"; readonly flags: BalancerFlags }
  | { readonly run: "demo"; readonly flags: DemoFlags }
  | { readonly run: "rehearsal"; readonly flags: RehearsalFlags }
  | { readonly run: "show"; readonly text: string };

type Part = "demo" | "rehearsal" | typeof ROLES[number];

const FLAGS = {
  server: serverFlags,
  client: clientFlags,
  balancer: balancerFlags,
  demo: demoFlags,
  rehearsal: rehearsalFlags,
} as const;

/** Every flag that takes a value in every role that has it, but for the one that is looked for. */
const VALUED_FLAGS = new Set(namesOfAll("valued")).difference(
  new Set(["--role", "-r", ...namesOfAll("bare")]),
);

/** What curl, openssl and others call flags of ours. */
const OTHER_FLAG_NAMES: Readonly<Record<string, string>> = {
  "-k": "--insecure",
  "--cacert": "--ca",
  "--sni": "--server-name",
};

type Kind = "valued" | "bare";

function namesOfAll(kind: Kind): string[] {
  return Object.values(FLAGS).flatMap(({ usage }) => flagNames(usage, kind));
}

/** The names of flags: of all, or of those that take a value, or of those that take none. */
function flagNames(usage: Usage, wanted?: Kind): string[] {
  return usage.flatMap((term) => {
    if (term.type !== "option") return "terms" in term ? flagNames(term.terms as Usage, wanted) : [];
    const kind: Kind = term.metavar === undefined ? "bare" : "valued";
    return wanted === undefined || wanted === kind ? [...term.names] : [];
  });
}

/**
 * Reads the command line.
 *
 * `version` is what `--version` shows behind the name, one line or more.
 *
 * The role is looked up first, wherever it stands; then that role's own flags are read, so that a mistyped flag is
 * compared with those that could have been meant.
 *
 * @throws {InputError} for whatever is wrong, in one sentence.
 */
export function parseCommandLine(args: readonly string[], version: string): Command {
  const part = findPart(args);
  if (part === undefined) return withoutRole(args, version);
  switch (part) {
    case "server": {
      const command = parse("server", serverFlags, args, version);
      if (command.run !== "server") return command;
      checkServerUdp(command.flags);
      checkServerTls(command.flags);
      checkMisbehaviour(command.flags);
      return command;
    }
    case "client": {
      if (args.some((arg) => /^--compare(=|$)/.test(arg))) {
        return parse("compare", compareFlags, args, version);
      }
      const command = parse("client", clientFlags, args, version);
      if (command.run !== "client") return command;
      checkClientUdp(command.flags);
      checkClientTls(command.flags);
      checkLoad(command.flags);
      return command;
    }
    case "balancer":
      return parse("balancer", balancerFlags, args, version);
    case "demo":
      return parse("demo", demoFlags, args, version);
    case "rehearsal":
      return parse("rehearsal", rehearsalFlags, asksForHelp(args) ? ["--help"] : args, version);
  }
}

/** No plan is called so; `--demo --help` is read in the same way. */
function asksForHelp(args: readonly string[]): boolean {
  return ["-h", "--help"].includes(args[args.indexOf("--rehearse") + 1] ?? "");
}

function findPart(args: readonly string[]): Part | undefined {
  for (const [i, arg] of args.entries()) {
    // What follows a flag with a value is that value, whatever it looks like.
    if (VALUED_FLAGS.has(args[i - 1] ?? "")) continue;
    if (arg === "--demo") return "demo";
    if (/^--rehearse(=|$)/.test(arg)) return "rehearsal";
    const value = arg === "--role" || arg === "-r" ? args[i + 1] ?? "" : /^--role=(.*)$/s.exec(arg)?.[1];
    if (value === undefined) continue;
    const role = ROLES.find((it) => it === value);
    if (role !== undefined) return role;
    const near = nearest(value, ROLES);
    const hint = near === undefined ? `use ${ROLES.join(", ")}` : `did you mean ${near}?`;
    throw new InputError(
      value === "" ? `--role needs a value; ${hint}` : `unknown role ${JSON.stringify(value)}; ${hint}`,
    );
  }
  return undefined;
}

function withoutRole(args: readonly string[], version: string): Command {
  if (args.includes("--help") || args.includes("-h")) return { run: "show", text: OVERVIEW };
  if (args.includes("--version")) return { run: "show", text: `sockbal ${version}\n` };
  const [first] = args;
  const role = ROLES.find((it) => it === first);
  if (role !== undefined) throw new InputError(`${role} is a role; write --role ${role}`);
  const word = first?.replace(/^-+|=.*$/gs, "") ?? "";
  const near = nearest(word, ["help", "version", "role", "demo", "rehearse"]);
  if (near !== undefined) throw new InputError(`unknown flag ${first}; did you mean --${near}?`);
  throw new InputError(
    `choose a role: --role ${ROLES.join(", --role ")}; or try --demo, --rehearse PLAN, or --help`,
  );
}

/** What a parser of flags reports back through callbacks. */
class Shown {
  constructor(readonly text: string) {}
}

function parse<Run extends Parsed, Flags>(
  run: Run,
  parser: Parser<"sync", Flags, unknown>,
  args: readonly string[],
  version: string,
): { run: Run; flags: Flags } | { run: "show"; text: string } {
  let shown = "";
  // The library takes one line, and shows what onShow gives.
  const [value = ""] = version.split("\n");
  const result: unknown = runParser(parser, "sockbal", args, {
    help: { option: { names: ["-h", "--help"] }, onShow: () => new Shown(shown) },
    version: { option: true, value, onShow: () => new Shown(`sockbal ${version}\n`) },
    aboveError: "none",
    maxWidth: 100,
    termWidth: "auto",
    showUsage: false,
    brief: BRIEFS[run],
    footer: EXAMPLES[run],
    stdout: (text) => shown += `${text}\n`,
    stderr: () => {},
    onError: (_status, error) => {
      throw new InputError(oneSentence(error, run));
    },
  });
  return result instanceof Shown ? { run: "show", text: result.text } : { run, flags: result as Flags };
}

/** The library's message as one sentence in the style of all others. */
function oneSentence(error: Message, run: Parsed): string {
  const text = formatMessage(error, { quotes: false }).replace(/\s*\n\s*/g, " ").replace(/\.$/, "");
  const [, unknown, near] =
    /^Unexpected option or argument: (.*?)\.?(?: Did you mean (.*)\?)?$/s.exec(text) ?? [];
  if (unknown === undefined) {
    return text.replace(/^Missing option (.*)$/, "$1 is missing")
      .replace("cannot be used multiple times", "is given twice")
      .replace(/^Option (\S+) is a Boolean flag, but got a value: .*$/s, "$1 takes no value")
      .replace(/ requires (\S+)$/, " needs a value, $1");
  }
  if (!unknown.startsWith("-")) return `unexpected argument ${JSON.stringify(unknown)}`;
  const [name = ""] = unknown.split("=");
  const owner = ROLES.find((role) => flagNames(FLAGS[role].usage).includes(name));
  if (run === "compare" && owner !== undefined) return `--compare reads two reports; leave ${name} out`;
  if (owner !== undefined) return `${name} is a flag of the ${owner}`;
  const other = OTHER_FLAG_NAMES[name] ?? "";
  const meant = flagNames((run === "compare" ? compareFlags : FLAGS[run]).usage).includes(other)
    ? other
    : near?.split(/ or |, /)[0];
  return `unknown flag ${name}${meant === undefined ? "" : `; did you mean ${meant}?`}`;
}

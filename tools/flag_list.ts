/** The flags of each role as data, for what is generated from them: completions of shells, and the manual page. */

import type { Message } from "@optique/core/message";
import { formatMessage } from "@optique/core/message";
import { getDocPage, type Parser, suggest } from "@optique/core/parser";
import { balancerFlags, clientFlags, demoFlags, rehearsalFlags, serverFlags } from "../lib/cli/flags.ts";
import { BRIEFS } from "../lib/cli/help.ts";

export interface Flag {
  /** The short form first, where there is one. */
  readonly names: readonly string[];
  /** What its value is; undefined for a flag without one. */
  readonly metavar: string | undefined;
  readonly description: string;
  /** What the value can be, where it is one of a few words. */
  readonly words: readonly string[];
}

export interface Part {
  /** `server`, `demo` or `rehearsal`. */
  readonly name: string;
  /** What it does, in one sentence. */
  readonly brief: string;
  readonly flags: readonly Flag[];
}

type Flags = Parser<"sync", unknown, unknown>;

/** All parts, in the order of the help. */
export function parts(): readonly Part[] {
  const all: readonly (readonly [keyof typeof BRIEFS, Flags])[] = [
    ["server", serverFlags as Flags],
    ["client", clientFlags as Flags],
    ["balancer", balancerFlags as Flags],
    ["demo", demoFlags as Flags],
    ["rehearsal", rehearsalFlags as Flags],
  ];
  return all.map(([name, parser]) => ({ name, brief: plain(BRIEFS[name]), flags: flagsOf(parser) }));
}

function flagsOf(parser: Flags): Flag[] {
  const entries = getDocPage(parser)?.sections.flatMap((it) => it.entries) ?? [];
  return entries.flatMap(({ term, description }) => {
    if (term.type !== "option") return [];
    const { names, metavar } = term;
    const words = metavar === undefined ? [] : wordsOf(parser, names.at(-1) ?? "");
    return [{ names, metavar, description: description === undefined ? "" : plain(description), words }];
  });
}

function wordsOf(parser: Flags, name: string): string[] {
  return suggest(parser, [name, ""]).flatMap((it) =>
    it.kind === "literal" && !it.text.startsWith("-") ? [it.text] : []
  );
}

function plain(text: Message): string {
  return formatMessage(text, { quotes: false });
}

import assert from "node:assert/strict";
import { shown } from "./arguments.ts";

const ALWAYS = ["-h", "--help", "--version", "--log-level", "--log-format"];
const FLAGS: Record<string, string[]> = {
  "--role server": [
    "-r",
    "--role",
    "--listen",
    "--handler",
    "--engine",
    "--name",
    "--max-connections",
    "--idle-timeout",
    "--proxy-protocol",
    "--tls-cert",
    "--tls-key",
    "--delay",
    "--fail-rate",
    "--fail-how",
    "--limit-rate",
    "--close-after",
    "--flap",
    "--seed",
  ],
  "--role client": [
    "-r",
    "--role",
    "--connect",
    "--message",
    "--timeout",
    "--proxy-protocol",
    "--tls",
    "--server-name",
    "--ca",
    "--cert",
    "--key",
    "--alpn",
    "--insecure",
    "--requests",
    "--duration",
    "--hold",
    "--connections",
    "--new-connection",
    "--payload-size",
    "--pipeline",
    "--rate",
    "--ramp",
    "--expect",
    "--verify",
    "--engine",
    "--workers",
    "--max-errors",
    "--json",
    "--csv",
  ],
  "--role balancer": [
    "-r",
    "--role",
    "--config",
    "--listen",
    "--backend",
    "--algorithm",
    "--workers",
    "--engine",
    "--check",
    "--watch",
    "--take-over",
    "--status",
    "--json",
    "--admin",
    "--print-schema",
    "--print-permissions",
  ],
  "--demo": ["--demo", "--chaos"],
  "--rehearse": ["--rehearse"],
};

/** The flags at the beginnings of lines. */
function listed(help: string): string[] {
  return help.split("\n").flatMap((line) => {
    return /^ {2}((?:-\w|--[\w-]+)(?:, --[\w-]+)*)/.exec(line)?.[1]?.split(", ") ?? [];
  });
}

Deno.test("the help of a role lists exactly its flags", () => {
  for (const [part, flags] of Object.entries(FLAGS)) {
    assert.deepEqual(listed(shown(`${part} --help`)).sort(), [...flags, ...ALWAYS].sort(), part);
  }
});

Deno.test("the help of a role is shown wherever it is asked for, and whatever else is wrong", () => {
  for (const part of Object.keys(FLAGS)) {
    const help = shown(`${part} --help`);
    for (const line of [`${part} -h`, `--help ${part}`, `-h ${part}`, `${part} --bogus --help`]) {
      assert.equal(shown(line), help, line);
    }
  }
});

Deno.test("the help of a role begins with how it is started and fits a terminal", () => {
  for (const part of Object.keys(FLAGS)) {
    const help = shown(`${part} --help`);
    assert.ok(help.startsWith(`sockbal ${part} `), help);
    assert.ok(help.endsWith("\n"));
    for (const line of help.split("\n")) assert.ok([...line].length <= 105, line);
  }
});

Deno.test("every flag of a role has words that explain it", () => {
  for (const part of Object.keys(FLAGS)) {
    const lines = shown(`${part} --help`).split("\n").filter((line) => /^ {2}-/.test(line));
    for (const line of lines) assert.match(line, /^ {2}-\S+(, --\S+)?( [A-Z]+)? {2,}[A-Za-z]{3,}/, line);
  }
});

Deno.test("the help without a role shows every role, and where to find its flags", () => {
  const overview = shown("--help");
  assert.equal(shown("-h"), overview);
  for (const part of Object.keys(FLAGS)) assert.ok(overview.includes(`sockbal ${part}`), part);
  assert.ok(overview.includes("with --help that role's flags"));
  for (const line of overview.split("\n")) assert.ok([...line].length <= 100, line);
});

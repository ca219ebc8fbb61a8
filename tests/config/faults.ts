/** Configurations with one thing wrong, and what is said about them. */

import assert from "node:assert/strict";
import { ConfigError, parseConfig } from "../../lib/config/parse.ts";

const HEAD = `listeners:
  - listen: 127.0.0.1:5678
    pool: web
`;
const POOL = `pools:
  web:
    backends:
`;

/** The least that a configuration needs. */
export const MINIMAL = `${HEAD}${POOL}      - 127.0.0.1:8001\n`;

/** A configuration whose listener has this on line 4, from column 5. */
export function withListenerLine(line: string): string {
  return `${HEAD}    ${line}\n${POOL}      - 127.0.0.1:8001\n`;
}

/** A configuration whose pool has this on line 8, from column 5. */
export function withPoolLine(line: string): string {
  return `${MINIMAL}    ${line}\n`;
}

/** A configuration with these backends from line 7 on, from column 9. */
export function withBackends(...backends: string[]): string {
  return HEAD + POOL + backends.map((it) => `      - ${it}\n`).join("");
}

/** A configuration with this on line 8, from column 1. */
export function withRootLine(line: string): string {
  return `${MINIMAL}${line}\n`;
}

/** What is said about a configuration, a line each: `4:19 listeners[0].idle_timeout: …`. */
export function faultsOf(text: string): string[] {
  try {
    parseConfig(text, "f.yaml");
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message.split("\n").map((line) => {
      assert.ok(line.startsWith("f.yaml:"), line);
      return line.slice("f.yaml:".length);
    });
  }
}

/** Where a fault is, as `line:column path` (no path for the whole document), and part of what is said about it. */
export type ExpectedFault = readonly [place: string, part: string];

/** Exactly these faults, in this order. */
export function assertFaults(text: string, ...expected: ExpectedFault[]): void {
  const found = faultsOf(text);
  const shown = `${text}\n${found.join("\n")}`;
  assert.equal(found.length, expected.length, shown);
  for (const [i, [place, part]] of expected.entries()) {
    const start = place.includes(" ") ? `${place}: ` : `${place} `;
    assert.ok(found[i]?.startsWith(start), `${start}\n${shown}`);
    assert.ok(found[i]?.slice(start.length).includes(part), `${part}\n${shown}`);
  }
}

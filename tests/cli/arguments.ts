/** Command lines as a test writes them: words between spaces. */

import assert from "node:assert/strict";
import { type Command, parseCommandLine } from "../../lib/cli/command_line.ts";
import { InputError } from "../../lib/core/errors.ts";

export function command(line: string): Command {
  return parseCommandLine(line === "" ? [] : line.split(" "), "1.2.3");
}

/** The flags of a command line that runs something. */
export function flags(line: string): Record<string, unknown> {
  const found = command(line);
  assert.ok(found.run !== "show", line);
  return found.flags;
}

/** The text of a command line that shows something. */
export function shown(line: string): string {
  const found = command(line);
  assert.ok(found.run === "show", line);
  return found.text;
}

/** The sentence with which a command line is refused. */
export function refusal(line: string): string {
  try {
    command(line);
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
    assert.ok(!error.message.includes("\n"), error.message);
    return error.message;
  }
  assert.fail(`${JSON.stringify(line)} was accepted`);
}

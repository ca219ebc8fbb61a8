/** What a server that misbehaves is told while it runs, by lines on stdin. */

import { InputError, reasonOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { type Misbehaviour, parseOrder } from "../core/misbehaviour.ts";

/** What is told. Each may refuse by throwing an error whose message is a sentence. */
export interface Misbehaving {
  set(change: Partial<Misbehaviour>): void;
  down(): Promise<void>;
  up(): Promise<void>;
}

/** More has no line to say. */
const MAX_LINE_CHARS = 1024;

/**
 * Reads lines until the input ends, and does what they say. A line that is wrong changes nothing, and is answered with a sentence. Never
 * rejects.
 */
export async function followLines(
  input: ReadableStream<Uint8Array>,
  server: Misbehaving,
  log: Pick<Log, "info" | "warn">,
): Promise<void> {
  try {
    for await (const line of lines(input)) await follow(line, server, log);
  } catch {
    // Stdin cannot be read, and says nothing more than one that has ended.
  }
}

async function follow(line: string, server: Misbehaving, log: Pick<Log, "info" | "warn">): Promise<void> {
  try {
    if (line.length > MAX_LINE_CHARS) throw new InputError(`a line has at most ${MAX_LINE_CHARS} characters`);
    const order = parseOrder(line);
    if (order === undefined) return;
    if (order === "down") await server.down();
    else if (order === "up") await server.up();
    else server.set(order);
    log.info("changed", { line: line.trim() });
  } catch (error) {
    log.warn("line_refused", { reason: reasonOf(error) });
  }
}

/** Of a line that is too long, only so much is kept that it can be told. */
async function* lines(input: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of input) {
    const [first = "", ...others] = decoder.decode(chunk, { stream: true }).split("\n");
    rest = (rest + first).slice(0, MAX_LINE_CHARS + 1);
    for (const next of others) {
      yield rest;
      rest = next.slice(0, MAX_LINE_CHARS + 1);
    }
  }
  yield rest;
}

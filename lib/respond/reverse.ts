import { chunks, type Connection, writeAll } from "../core/connection.ts";

/** A longer line is not waited for: its peer would decide how much memory it takes. */
const MAX_LINE_CHARS = 64 * 1024;

/**
 * Sends back each line of UTF-8 text with its characters in reverse order.
 *
 * @throws {RangeError} for a line over 64 Ki characters.
 */
export async function reverse(connection: Connection): Promise<void> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let rest = "";
  for await (const chunk of chunks(connection)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if ([rest, ...lines].some((line) => line.length > MAX_LINE_CHARS)) {
      throw new RangeError("Cannot reverse a line of more than 64 Ki characters");
    }
    if (lines.length > 0) await writeAll(connection, encoder.encode(lines.map(reversed).join("\n") + "\n"));
  }
  await writeAll(connection, encoder.encode(reversed(rest + decoder.decode())));
}

/** A line by code point, so that no surrogate pair is torn; a carriage return stays at the end. */
export function reversed(line: string): string {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  return [...text].reverse().join("") + line.slice(text.length);
}

import { chunks, type Connection, writeAll } from "../core/connection.ts";

const PRINTABLE = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join("");
const LINE_CHARS = 72;

/** The pattern of RFC 864: lines of 72 characters, each beginning one character later; then it repeats. */
export const CHARGEN_PATTERN = new TextEncoder().encode(
  Array.from(
    { length: PRINTABLE.length },
    (_, i) => (PRINTABLE + PRINTABLE).slice(i, i + LINE_CHARS) + "\r\n",
  ).join(""),
);

/** Sends characters, and ignores what comes, until the peer ends its sending side or goes (RFC 864). */
export async function chargen(connection: Connection): Promise<void> {
  let hasEnded = false;
  const listening = discardAll(connection).finally(() => hasEnded = true);
  // A peer that is gone fails the write as well, and one failure is enough.
  listening.catch(() => {});
  // deno-lint-ignore no-await-in-loop -- one after the other is the point
  while (!hasEnded) await writeAll(connection, CHARGEN_PATTERN);
  await listening;
}

async function discardAll(connection: Connection): Promise<void> {
  for await (const _ of chunks(connection));
}

import assert from "node:assert/strict";
import type { Misbehaviour } from "../../lib/core/misbehaviour.ts";
import { followLines } from "../../lib/roles/misbehaviour_lines.ts";
import { memoryLog } from "../support/memory_log.ts";

/** What a server does that is told these pieces of stdin, and what the log says. */
async function told(pieces: readonly string[]): Promise<{ done: unknown[]; said: unknown[] }> {
  const done: unknown[] = [];
  const { log, events } = memoryLog();
  const encoder = new TextEncoder();
  await followLines(
    ReadableStream.from(pieces.map((piece) => encoder.encode(piece))),
    {
      set: (change: Partial<Misbehaviour>) => void done.push(change),
      down: () => Promise.resolve(void done.push("down")),
      up: () => Promise.reject(new Error("cannot listen: port 1 is in use")),
    },
    log,
  );
  return { done, said: events.map(({ event, fields }) => [event, ...Object.values(fields)]) };
}

Deno.test("lines are followed in order, wherever they are cut into pieces, the last also without a newline", async () => {
  const { done, said } = await told(["fail-ra", "te 0.2\nfail-how re", "set\r\n\n  down\nclose-after", " 2"]);
  assert.deepEqual(done, [{ failRate: 0.2 }, { failHow: "reset" }, "down", { closeAfter: 2 }]);
  assert.deepEqual(said, [
    ["changed", "fail-rate 0.2"],
    ["changed", "fail-how reset"],
    ["changed", "down"],
    ["changed", "close-after 2"],
  ]);
});

Deno.test("a line that is wrong, or cannot be followed, is answered with a sentence, and the next is read", async () => {
  const { done, said } = await told([`dwn\nup\n${"x".repeat(100_000)}`, `${"y".repeat(100_000)}\ndown\n`]);
  assert.deepEqual(done, ["down"]);
  assert.deepEqual(said, [
    ["line_refused", '"dwn" is not known; did you mean down?'],
    ["line_refused", "cannot listen: port 1 is in use"],
    ["line_refused", "a line has at most 1024 characters"],
    ["changed", "down"],
  ]);
});

Deno.test("bytes that are no text are a line that is wrong, and stdin that cannot be read is one that has ended", async () => {
  const { log, events } = memoryLog();
  const server = { set: () => {}, down: () => Promise.resolve(), up: () => Promise.resolve() };
  await followLines(ReadableStream.from([Uint8Array.of(0xff, 0xfe, 0x0a)]), server, log);
  assert.equal(events[0]?.event, "line_refused");
  const broken = new ReadableStream<Uint8Array>({ start: (it) => it.error(new Error("EIO")) });
  await followLines(broken, server, log);
});

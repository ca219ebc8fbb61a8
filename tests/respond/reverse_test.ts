// deno-lint-ignore-file no-await-in-loop -- the cases are short, and a failing one is easier to read alone
import assert from "node:assert/strict";
import fc from "fast-check";
import { reverse } from "../../lib/respond/reverse.ts";
import { bytes, text } from "../support/bytes.ts";
import { answerTo, splitAt } from "./memory_connection.ts";

const MAX_LINE_CHARS = 64 * 1024;

Deno.test("each line is answered in reverse order, and its end stays its end", async () => {
  const answers: [string, string][] = [
    ["abc\n", "cba\n"],
    ["abc\r\n", "cba\r\n"],
    ["one\ntwo\r\nthree\n", "eno\nowt\r\neerht\n"],
    ["\n\r\n\n", "\n\r\n\n"],
    ["a\rb\n", "b\ra\n"],
    ["no end", "dne on"],
    ["one\nno end", "eno\ndne on"],
    ["no end\r", "dne on\r"],
    ["a😀€ü", "ü€😀a"],
    ["", ""],
  ];
  for (const [sent, answer] of answers) {
    assert.equal(text(await answerTo(reverse, sent)), answer, JSON.stringify(sent));
  }
});

Deno.test("no character is torn, wherever the text is split", async () => {
  const sent = bytes("a😀€\r\nü👍🏽b\nend");
  for (let place = 0; place <= sent.length; place++) {
    assert.equal(text(await answerTo(reverse, ...splitAt(sent, [place]))), "€😀a\r\nb🏽👍ü\ndne");
  }
});

Deno.test("a line is answered as soon as it has ended", async () => {
  const log: string[] = [];
  const segments = ["ab", "c\nd", "e\n"];
  await reverse({
    read: (buffer) => {
      const segment = segments.shift();
      if (segment === undefined) return Promise.resolve(null);
      buffer.set(bytes(segment));
      log.push(`read ${JSON.stringify(segment)}`);
      return Promise.resolve(segment.length);
    },
    write: (data) => {
      log.push(`write ${JSON.stringify(text(data))}`);
      return Promise.resolve(data.length);
    },
    closeWrite: () => assert.fail("closed"),
  });
  assert.deepEqual(log, ['read "ab"', 'read "c\\nd"', 'write "cba\\n"', 'read "e\\n"', 'write "ed\\n"']);
});

Deno.test("a line of 64 Ki characters is answered, with its end or without", async () => {
  const line = "ab".repeat(MAX_LINE_CHARS / 2);
  const answer = "ba".repeat(MAX_LINE_CHARS / 2);
  assert.equal(text(await answerTo(reverse, line)), answer);
  assert.equal(text(await answerTo(reverse, `${line}\n`)), `${answer}\n`);
});

Deno.test("a longer line is not waited for", async () => {
  const long = new Uint8Array(MAX_LINE_CHARS + 1).fill(0x61);
  await assert.rejects(answerTo(reverse, long), RangeError);
  await assert.rejects(answerTo(reverse, "short\n", long), RangeError);
});

Deno.test("a longer line is refused also when its end has come already", async () => {
  const long = new Uint8Array(MAX_LINE_CHARS + 1).fill(0x61);
  await assert.rejects(answerTo(reverse, long, "\n"), RangeError);
  await assert.rejects(answerTo(reverse, long.subarray(1), "a\n"), RangeError);
});

Deno.test("however the text is split, the answer is the same, and reversing it again gives the text", async () => {
  const sent = fc.string({ unit: fc.constantFrom(..."abc\n\r€ü😀"), maxLength: 40 });
  await fc.assert(fc.asyncProperty(sent, fc.array(fc.nat()), async (line, places) => {
    const whole = text(await answerTo(reverse, line));
    assert.equal(text(await answerTo(reverse, ...splitAt(bytes(line), places))), whole);
    // A carriage return at the start would stand at the end afterwards, where it belongs to the line's end.
    if (!line.includes("\r")) assert.equal(text(await answerTo(reverse, whole)), line);
  }));
});

// deno-lint-ignore-file no-await-in-loop -- the cases are short, and a failing one is easier to read alone
import assert from "node:assert/strict";
import fc from "fast-check";
import { discard, echo, upper } from "../../lib/respond/streams.ts";
import { bytes, pattern, text } from "../support/bytes.ts";
import { answerTo, splitAt } from "./memory_connection.ts";

Deno.test("echo sends back every byte, whatever it is", async () => {
  const all = pattern(200_000);
  assert.deepEqual(await answerTo(echo, all), all);
  assert.deepEqual(
    await answerTo(echo, new Uint8Array([0, 255, 13, 10, 0xc3])),
    new Uint8Array([0, 255, 13, 10, 0xc3]),
  );
  assert.deepEqual(await answerTo(echo), new Uint8Array());
});

Deno.test("echo answers what it has before more comes", async () => {
  const log: string[] = [];
  const segments = ["a", "b"];
  await echo({
    read: (buffer) => {
      const segment = segments.shift();
      log.push(`read ${segment}`);
      if (segment === undefined) return Promise.resolve(null);
      buffer.set(bytes(segment));
      return Promise.resolve(1);
    },
    write: (data) => {
      log.push(`write ${text(data)}`);
      return Promise.resolve(data.length);
    },
    closeWrite: () => assert.fail("closed"),
  });
  assert.deepEqual(log, ["read a", "write a", "read b", "write b", "read undefined"]);
});

Deno.test("discard reads to the end and says nothing", async () => {
  assert.deepEqual(await answerTo(discard, pattern(100_000), "more"), new Uint8Array());
});

Deno.test("upper answers in upper case, also what is not ASCII", async () => {
  const answers: [string, string][] = [
    ["hello\r\n", "HELLO\r\n"],
    ["Straße, œuvre, ǆ", "STRASSE, ŒUVRE, Ǆ"],
    ["no 1 = 😀", "NO 1 = 😀"],
    ["", ""],
  ];
  for (const [sent, answer] of answers) assert.equal(text(await answerTo(upper, sent)), answer);
});

Deno.test("upper is not confused by a character that is torn apart", async () => {
  const sent = bytes("für 1 € und 😀");
  for (let place = 0; place <= sent.length; place++) {
    assert.equal(text(await answerTo(upper, ...splitAt(sent, [place]))), "FÜR 1 € UND 😀");
  }
});

Deno.test("upper marks what is not UTF-8 and goes on", async () => {
  const broken = new Uint8Array([0x61, 0xff, 0x62]);
  assert.equal(text(await answerTo(upper, broken, "c")), "A\uFFFDBC");
  assert.equal(text(await answerTo(upper, "a", new Uint8Array([0xe2, 0x82]))), "A\uFFFD");
});

Deno.test("however the text is split, upper answers the same", async () => {
  const line = fc.string({ unit: "grapheme", maxLength: 40 }).filter((it) => !it.startsWith("\uFEFF"));
  await fc.assert(fc.asyncProperty(line, fc.array(fc.nat()), async (sent, places) => {
    const answer = await answerTo(upper, ...splitAt(bytes(sent), places));
    assert.equal(text(answer), sent.toUpperCase());
  }));
});

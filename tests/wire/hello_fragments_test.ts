import assert from "node:assert/strict";
import { ClientHelloReader, type HelloAnswer, MAX_CLIENT_HELLO_BYTES } from "../../lib/wire/client_hello.ts";
import { Malformed } from "../../lib/wire/malformed.ts";
import { trapped } from "../../tools/fuzz/trapped.ts";
import { joined } from "../support/bytes.ts";
import { alpn, helloIn, helloMessage, padding, record, records, serverName } from "./hello_builder.ts";
import { HELLOS } from "./recorded.ts";

/** The messages of recorded hellos, out of their records. */
function messageOf(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = (bytes[at + 3] ?? 0) << 8 | (bytes[at + 4] ?? 0);
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return joined(parts);
}

/** Told all that has come after each byte. */
function byteByByte(bytes: Uint8Array): HelloAnswer {
  const reader = new ClientHelloReader();
  let answer: HelloAnswer = "incomplete";
  for (let end = 0; end <= bytes.length && answer === "incomplete"; end++) {
    answer = reader.take(bytes.subarray(0, end));
  }
  return answer;
}

for (const { from, bytes, ...facts } of HELLOS) {
  const { serverName, alpn } = facts;
  const expected = { serverName, alpn };

  Deno.test(`the hello of ${from} is incomplete at each byte before its last, and the same after any split`, () => {
    assert.deepEqual(byteByByte(bytes), expected);
    for (let at = 0; at < bytes.length; at++) {
      const reader = new ClientHelloReader();
      assert.equal(reader.take(bytes.subarray(0, at)), "incomplete", `${at}`);
      assert.equal(helloIn(bytes.subarray(0, at)), "incomplete", `${at}`);
      assert.deepEqual(reader.take(bytes), expected, `${at}`);
    }
  });

  Deno.test(`the hello of ${from} is the same when its message is split into two records anywhere`, () => {
    const message = messageOf(bytes);
    for (let at = 1; at < message.length; at++) {
      const split = joined([record(message.subarray(0, at)), record(message.subarray(at))]);
      assert.deepEqual(helloIn(split), expected, `${at}`);
      assert.equal(helloIn(split.subarray(0, 5 + at + 5)), "incomplete", `${at}`);
    }
    for (const payloadBytes of [1, 2, 3, 5, 100]) {
      assert.deepEqual(byteByByte(records(message, payloadBytes)), expected, `records of ${payloadBytes}`);
    }
  });
}

Deno.test("openssl's hello with short fragments was recorded in several records", () => {
  const fragmented = HELLOS.find(({ from }) => from.includes("max_send_frag"));
  assert.ok(fragmented !== undefined && messageOf(fragmented.bytes).length + 5 < fragmented.bytes.length);
});

Deno.test("what follows the hello does not matter, in its record or behind it", () => {
  const message = helloMessage({ extensions: [serverName("a.example")] });
  const expected = helloIn(record(message));
  assert.deepEqual(helloIn(joined([record(message), Uint8Array.of(23, 3, 3, 0, 0)])), expected);
  assert.deepEqual(helloIn(record(joined([message, Uint8Array.of(9, 9)]))), expected);
});

Deno.test("an answer stays, whatever comes after it", () => {
  const reader = new ClientHelloReader();
  assert.equal(reader.take(Uint8Array.of(71)), "not_tls");
  assert.equal(reader.take(Uint8Array.of(71, 69, 84)), "not_tls");
});

Deno.test("a hello that comes byte by byte takes time in proportion to its bytes, also in records of one byte", () => {
  const extensions = [alpn("h2"), serverName("a.example")];
  const short = helloMessage({ extensions });
  const long = helloMessage({ extensions: [padding(16_384 - short.length), ...extensions] });
  const largest = helloMessage({ extensions: [padding(3_400 - short.length), ...extensions] });
  for (const bytes of [records(long, 16_384), records(long, 32), records(largest, 1)]) {
    const { view, reads } = trapped(bytes);
    const reader = new ClientHelloReader();
    let answer: HelloAnswer = "incomplete";
    for (let end = 1; end <= bytes.length; end++) answer = reader.take(view.subarray(0, end));
    assert.deepEqual(answer, { serverName: "a.example", alpn: ["h2"] });
    assert.ok(reads() < 20 * bytes.length, `${reads()} reads for ${bytes.length} bytes`);
  }
});

Deno.test("records of one byte are refused when they reach the bound", () => {
  const message = helloMessage({ extensions: [padding(MAX_CLIENT_HELLO_BYTES / 5)] });
  const answer = byteByByte(records(message, 1));
  assert.ok(answer instanceof Malformed && answer.reason.includes("longer than"));
});

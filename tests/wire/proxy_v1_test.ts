import assert from "node:assert/strict";
import { Malformed } from "../../lib/wire/malformed.ts";
import type { ProxyHeader } from "../../lib/wire/proxy_header.ts";
import { readProxyHeader } from "../../lib/wire/read_proxy_header.ts";
import { bytes } from "../support/bytes.ts";
import { HEADERS } from "./recorded.ts";

function answerTo(text: string): ProxyHeader | string {
  const answer = readProxyHeader(Uint8Array.from(text, (it) => it.charCodeAt(0)));
  return answer instanceof Malformed ? "malformed" : answer;
}

function header(source: [string, number], destination: [string, number], length: number): ProxyHeader {
  return {
    version: 1,
    command: "proxy",
    source: { transport: "tcp", host: source[0], port: source[1] },
    destination: { transport: "tcp", host: destination[0], port: destination[1] },
    tlvs: [],
    length,
  };
}

const NO_ENDS = { version: 1, command: "proxy", source: undefined, destination: undefined, tlvs: [] };

Deno.test("a line of TCP4 names client and destination", () => {
  const line = "PROXY TCP4 192.168.0.1 10.1.2.3 56324 443\r\n";
  assert.deepEqual(answerTo(line), header(["192.168.0.1", 56324], ["10.1.2.3", 443], line.length));
  const longest = "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n";
  assert.deepEqual(
    answerTo(longest),
    header(["255.255.255.255", 65535], ["255.255.255.255", 65535], 56),
  );
});

Deno.test("a line of TCP6 is given in the short form, and an IPv4-mapped address as IPv4", () => {
  const line = "PROXY TCP6 2001:DB8:0:0:0:0:0:1 ::1 0 65535\r\n";
  assert.deepEqual(answerTo(line), header(["2001:db8::1", 0], ["::1", 65535], line.length));
  const mapped = "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c000:202 1 2\r\n";
  assert.deepEqual(answerTo(mapped), header(["192.0.2.1", 1], ["192.0.2.2", 2], mapped.length));
  const ffff = Array(8).fill("ffff").join(":");
  const longest = `PROXY TCP6 ${ffff} ${ffff} 65535 65535\r\n`;
  assert.deepEqual(answerTo(longest), header([ffff, 65535], [ffff, 65535], 104));
});

Deno.test("a line of UNKNOWN names nothing, whatever it says", () => {
  assert.deepEqual(answerTo("PROXY UNKNOWN\r\n"), { ...NO_ENDS, length: 15 });
  const ffff = Array(8).fill("ffff").join(":");
  const longest = `PROXY UNKNOWN ${ffff} ${ffff} 65535 65535\r\n`;
  assert.deepEqual(answerTo(longest), { ...NO_ENDS, length: 107 });
  assert.deepEqual(answerTo("PROXY UNKNOWN \0\n\r\xff\r\n"), { ...NO_ENDS, length: 20 });
});

Deno.test("what follows the line is payload, also a second header", () => {
  const line = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n";
  assert.deepEqual(answerTo(`${line}GET /`), header(["192.0.2.1", 1], ["192.0.2.2", 2], line.length));
  assert.deepEqual(answerTo(line + line), header(["192.0.2.1", 1], ["192.0.2.2", 2], line.length));
});

Deno.test("a line that comes byte by byte is incomplete until its last byte", () => {
  for (
    const line of [
      "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
      "PROXY TCP6 ::1 ::2 10 20\r\n",
      "PROXY UNKNOWN\r\n",
    ]
  ) {
    for (let at = 0; at < line.length; at++) assert.equal(answerTo(line.slice(0, at)), "incomplete", `${at}`);
    assert.equal(typeof answerTo(line), "object");
  }
});

Deno.test("an endless line is malformed before its 108th byte", () => {
  assert.equal(answerTo(`PROXY UNKNOWN ${"x".repeat(91)}`), "incomplete", "105 bytes");
  assert.equal(answerTo(`PROXY UNKNOWN ${"x".repeat(91)}\r`), "incomplete", "a CR as the 106th byte");
  assert.equal(answerTo(`PROXY UNKNOWN ${"x".repeat(92)}`), "malformed", "106 bytes and no CR");
  assert.equal(answerTo(`PROXY UNKNOWN ${"x".repeat(92)}\r\n`), "malformed", "108 bytes");
  assert.equal(answerTo(`PROXY TCP4 ${"1".repeat(96)}`), "malformed");
});

Deno.test("what is no header is malformed at the first byte that shows it", () => {
  for (
    const text of [
      "G",
      "p",
      "PRI",
      "PROXY\t",
      "PROXY TCP5",
      "PROXY  ",
      "PROXY UNKNOWNX",
      "PROXY UD",
      "PROXY t",
      "\n",
    ]
  ) {
    assert.equal(
      answerTo(text.slice(0, -1)) === "malformed",
      false,
      `before the last of ${JSON.stringify(text)}`,
    );
    assert.equal(answerTo(text), "malformed", JSON.stringify(text));
  }
});

Deno.test("a character that no line of TCP has is malformed at once", () => {
  for (const character of ["\n", "\0", "g", "%", "\t", "-", "\x1b", "\xe9", "\r1"]) {
    assert.equal(answerTo(`PROXY TCP6 ::1 ${character}`), "malformed", JSON.stringify(character));
  }
});

Deno.test("a line that is not exactly of the form is malformed", () => {
  const rests = [
    "TCP4 192.0.2.1 192.0.2.2 1 2 ",
    "TCP4 192.0.2.1 192.0.2.2 1",
    "TCP4 192.0.2.1 192.0.2.2 1 2 3",
    "TCP4  192.0.2.1 192.0.2.2 1 2",
    "TCP4 192.0.2.1  192.0.2.2 1 2",
    "TCP4 192.0.2.1 192.0.2.2 01 2",
    "TCP4 192.0.2.1 192.0.2.2 1 00",
    "TCP4 192.0.2.1 192.0.2.2 1 65536",
    "TCP4 192.0.2.1 192.0.2.2 1 100000",
    "TCP4 192.0.2.1 192.0.2.2 a 2",
    "TCP4 192.0.2.01 192.0.2.2 1 2",
    "TCP4 192.0.2 192.0.2.2 1 2",
    "TCP4 192.0.2.256 192.0.2.2 1 2",
    "TCP4 ::1 ::1 1 2",
    "TCP4 ::ffff:192.0.2.1 192.0.2.2 1 2",
    "TCP6 192.0.2.1 192.0.2.2 1 2",
    "TCP6 ::1 192.0.2.2 1 2",
    "TCP6 1:2:3:4:5:6:7 ::1 1 2",
    "TCP6 1::2::3 ::1 1 2",
    "TCP6 12345::1 ::1 1 2",
    "TCP6 :::1 ::1 1 2",
    "TCP4 ",
  ];
  for (const rest of rests) assert.equal(answerTo(`PROXY ${rest}\r\n`), "malformed", rest);
});

Deno.test("a reason is one sentence and quotes nothing of the line", () => {
  for (
    const text of [
      "PROXY TCP4 evil\x1b[31m",
      "GET /evil",
      "PROXY TCP4 1 2 3 4\r\n",
      `PROXY UNKNOWN ${"evil".repeat(30)}`,
    ]
  ) {
    const answer = readProxyHeader(bytes(text));
    assert.ok(answer instanceof Malformed);
    assert.match(answer.reason, /^[a-z][ -~]+[^.]$/);
    assert.doesNotMatch(answer.reason, /evil/);
  }
});

for (const { from, bytes } of HEADERS.filter(({ bytes }) => bytes[0] === 0x50)) {
  Deno.test(`the line of ${from} is read, and its payload left`, () => {
    const answer = readProxyHeader(bytes);
    assert.ok(typeof answer === "object" && !(answer instanceof Malformed));
    const host = from.includes("IPv6") ? "::1" : "127.0.0.1";
    const ends = [answer.source, answer.destination].map((it) =>
      it?.transport === "tcp" ? it.host : it?.transport
    );
    assert.deepEqual(ends, from.includes("unix") ? [undefined, undefined] : [host, host]);
    const payload = String.fromCharCode(...bytes.subarray(answer.length, answer.length + 3));
    assert.ok(["GET", "\x16\x03\x01", ""].includes(payload), JSON.stringify(payload));
  });
}

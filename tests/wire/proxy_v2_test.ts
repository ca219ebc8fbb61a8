import assert from "node:assert/strict";
import { crc32c } from "../../lib/wire/crc32c.ts";
import { Malformed } from "../../lib/wire/malformed.ts";
import { MAX_PROXY_HEADER_BYTES, PROXY_V2_SIGNATURE, type ProxyHeader } from "../../lib/wire/proxy_header.ts";
import { readProxyHeader } from "../../lib/wire/read_proxy_header.ts";
import { bytes, joined, text } from "../support/bytes.ts";
import { tlv, v2 } from "./header_builder.ts";
import { number } from "./hello_builder.ts";
import { HEADERS } from "./recorded.ts";

const IPV4 = Uint8Array.of(192, 0, 2, 1, 10, 1, 2, 3, 0xdc, 0x04, 0x01, 0xbb);
const V4_ENDS = {
  source: { transport: "tcp", host: "192.0.2.1", port: 56324 },
  destination: { transport: "tcp", host: "10.1.2.3", port: 443 },
};

function read(data: Uint8Array): ProxyHeader {
  const answer = readProxyHeader(data);
  assert.ok(typeof answer === "object" && !(answer instanceof Malformed), JSON.stringify(answer));
  return answer;
}

function reasonOf(data: Uint8Array): string {
  const answer = readProxyHeader(data);
  assert.ok(answer instanceof Malformed, JSON.stringify(answer));
  assert.match(answer.reason, /^[a-z][ -~]+[^.]$/);
  return answer.reason;
}

/** With the checksum that it should have in the four bytes that end `after` bytes before its own end. */
function summed(header: Uint8Array, after = 0): Uint8Array {
  header.set(number(crc32c(header), 4), header.length - after - 4);
  return header;
}

Deno.test("TCP and UDP over IPv4 name client and destination", () => {
  for (const family of [0x11, 0x12]) {
    assert.deepEqual(read(v2(0x21, family, IPV4)), {
      version: 2,
      command: "proxy",
      ...V4_ENDS,
      tlvs: [],
      length: 28,
    });
  }
});

Deno.test("TCP and UDP over IPv6 are given in the short form, and an IPv4-mapped address as IPv4", () => {
  const source = Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x1f);
  const mapped = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 9);
  for (const family of [0x21, 0x22]) {
    const header = read(v2(0x21, family, joined([source, mapped, number(1, 2), number(65535, 2)])));
    assert.deepEqual([header.source, header.destination, header.length], [
      { transport: "tcp", host: "2001:db8::1f", port: 1 },
      { transport: "tcp", host: "192.0.2.9", port: 65535 },
      52,
    ]);
  }
});

Deno.test("Unix sockets are given with their paths, also a path without room for a zero", () => {
  const path = (text: string): Uint8Array => joined([bytes(text), new Uint8Array(108 - text.length)]);
  const full = `/${"p".repeat(107)}`;
  for (const family of [0x31, 0x32]) {
    const header = read(v2(0x21, family, joined([path("/run/a.sock"), path(full)])));
    assert.deepEqual(header.source, { transport: "unix", path: "/run/a.sock" });
    assert.deepEqual(header.destination, { transport: "unix", path: full });
  }
  const odd = read(v2(0x21, 0x31, joined([path("\0abstract"), new Uint8Array(108).fill(0xff)])));
  assert.deepEqual(odd.source, { transport: "unix", path: "" });
  assert.equal(odd.destination?.transport, "unix", "no UTF-8");
});

Deno.test("LOCAL drops its address block, whatever family it claims", () => {
  for (const family of [0x00, 0x11, 0x21, 0x31, 0x99]) {
    const header = read(v2(0x20, family, IPV4));
    assert.deepEqual(header, {
      version: 2,
      command: "local",
      source: undefined,
      destination: undefined,
      tlvs: [],
      length: 28,
    });
  }
  assert.equal(read(v2(0x20, 0, new Uint8Array(0))).length, 16);
});

Deno.test("an unspecified family or transport names nothing, and its facts are kept where they can be told", () => {
  const facts = tlv(0x05, bytes("id"));
  assert.deepEqual(read(v2(0x21, 0x00, facts)).tlvs, [{ type: 0x05, value: bytes("id") }]);
  assert.deepEqual(read(v2(0x21, 0x00, Uint8Array.of(1, 2))).tlvs, []);
  for (const family of [0x01, 0x02, 0x10, 0x20, 0x30]) {
    const header = read(v2(0x21, family, IPV4));
    assert.deepEqual([header.source, header.destination, header.tlvs, header.length], [
      undefined,
      undefined,
      [],
      28,
    ]);
  }
});

Deno.test("an unknown version, command, family or transport is malformed at its byte", () => {
  const start = Uint8Array.from(PROXY_V2_SIGNATURE);
  for (const byte of [0x01, 0x11, 0x31, 0xf1, 0x00]) {
    assert.match(reasonOf(joined([start, number(byte, 1)])), /version/);
  }
  for (const byte of [0x22, 0x2f]) assert.match(reasonOf(joined([start, number(byte, 1)])), /command/);
  for (const family of [0x41, 0xf1, 0x13, 0x1f, 0x03]) {
    assert.match(reasonOf(joined([start, Uint8Array.of(0x21, family)])), /address family/);
  }
});

Deno.test("a signature that is another at any byte is malformed there", () => {
  for (let at = 0; at < PROXY_V2_SIGNATURE.length; at++) {
    const start = Uint8Array.from(PROXY_V2_SIGNATURE.slice(0, at + 1));
    assert.equal(readProxyHeader(start), "incomplete");
    start[at] = 0xaa;
    reasonOf(start);
  }
});

Deno.test("a header that is shorter than its addresses is malformed at its 16th byte", () => {
  const families: [number, number][] = [[0x11, 12], [0x12, 12], [0x21, 36], [0x22, 36], [0x31, 216], [
    0x32,
    216,
  ]];
  for (const [family, length] of families) {
    for (const declared of [0, 1, length - 1]) {
      assert.match(reasonOf(v2(0x21, family, new Uint8Array(0), declared)), /shorter than the addresses/);
    }
    assert.equal(readProxyHeader(v2(0x21, family, new Uint8Array(0), length)), "incomplete");
    assert.equal(read(v2(0x21, family, new Uint8Array(length))).length, 16 + length);
  }
});

Deno.test("a header longer than 4096 bytes is malformed at its 16th byte, and one of 4096 is read", () => {
  for (const command of [0x20, 0x21]) {
    const longest = v2(
      command,
      0x11,
      joined([IPV4, tlv(0x04, new Uint8Array(MAX_PROXY_HEADER_BYTES - 28 - 3))]),
    );
    assert.equal(longest.length, MAX_PROXY_HEADER_BYTES);
    assert.equal(read(longest).length, MAX_PROXY_HEADER_BYTES);
    assert.match(
      reasonOf(v2(command, 0x11, new Uint8Array(0), MAX_PROXY_HEADER_BYTES - 15)),
      /longer than 4096/,
    );
    reasonOf(v2(command, 0x11, new Uint8Array(0), 0xffff));
  }
});

Deno.test("facts are kept in their order, known or not, empty or no text", () => {
  const tlvs = [
    { type: 0x01, value: bytes("h2") },
    { type: 0x04, value: new Uint8Array(5) },
    { type: 0xea, value: Uint8Array.of(1, 0xff, 0xfe) },
    { type: 0xea, value: new Uint8Array(0) },
  ];
  const header = read(v2(0x21, 0x11, joined([IPV4, ...tlvs.map(({ type, value }) => tlv(type, value))])));
  assert.deepEqual(header, { version: 2, command: "proxy", ...V4_ENDS, tlvs, length: 28 + 5 + 8 + 6 + 3 });
});

Deno.test("facts are copies, so the buffer that they came in may be used again", () => {
  const data = v2(0x21, 0x11, joined([IPV4, tlv(0x02, bytes("a.example"))]));
  const header = read(data);
  data.fill(0);
  assert.equal(text(header.tlvs[0]?.value ?? new Uint8Array(0)), "a.example");
});

Deno.test("a fact that reaches beyond the header is malformed, also with payload behind it", () => {
  const payload = new Uint8Array(300);
  for (
    const rest of [tlv(1, bytes("h2"), 3), tlv(1, bytes("h2"), 0xffff), Uint8Array.of(1), Uint8Array.of(1, 0)]
  ) {
    assert.match(reasonOf(joined([v2(0x21, 0x11, joined([IPV4, rest])), payload])), /reaches beyond its end/);
  }
});

Deno.test("a checksum is verified wherever it stands", () => {
  const zeros = tlv(0x03, new Uint8Array(4));
  const last = summed(v2(0x21, 0x11, joined([IPV4, tlv(0x01, bytes("h2")), zeros])));
  const first = summed(v2(0x21, 0x11, joined([IPV4, zeros, tlv(0x01, bytes("h2"))])), 5);
  const ofLocal = summed(v2(0x20, 0x00, zeros));
  for (const header of [last, first, ofLocal]) {
    assert.equal(read(joined([header, bytes("payload")])).length, header.length);
    for (let bit = 0; bit < 8; bit++) {
      const wrong = header.slice();
      wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 1 << bit;
      reasonOf(wrong);
    }
  }
  const otherClient = last.slice();
  otherClient[16] = 193;
  assert.match(reasonOf(otherClient), /checksum/);
});

Deno.test("a checksum of another length, or a second one, is malformed", () => {
  for (const length of [0, 3, 5]) {
    assert.match(reasonOf(v2(0x21, 0x11, joined([IPV4, tlv(0x03, new Uint8Array(length))]))), /checksum/);
  }
  const twice = v2(0x21, 0x11, joined([IPV4, tlv(0x03, new Uint8Array(4)), tlv(0x03, new Uint8Array(4))]));
  for (const after of [0, 7]) assert.match(reasonOf(summed(twice.slice(), after)), /checksum/);
});

Deno.test("a unique id has at most 128 bytes", () => {
  assert.equal(read(v2(0x21, 0x11, joined([IPV4, tlv(0x05, new Uint8Array(128))]))).tlvs.length, 1);
  assert.match(reasonOf(v2(0x21, 0x11, joined([IPV4, tlv(0x05, new Uint8Array(129))]))), /unique id/);
});

Deno.test("what follows the header is payload, also a second header", () => {
  const header = v2(0x21, 0x11, IPV4);
  assert.equal(read(joined([header, header])).length, 28);
  assert.equal(read(joined([header, bytes("PROXY UNKNOWN\r\n")])).length, 28);
});

for (const { from, bytes: data } of HEADERS.filter(({ bytes }) => bytes[0] === 0x0d)) {
  Deno.test(`the header of ${from} is incomplete at each byte before its last, and the same with payload`, () => {
    const header = read(data);
    for (let at = 0; at < header.length; at++) {
      assert.equal(readProxyHeader(data.subarray(0, at)), "incomplete", `${at}`);
    }
    assert.deepEqual(read(data.subarray(0, header.length)), header);
    const host = from.includes("IPv6") ? "::1" : "127.0.0.1";
    const isLocal = from.includes("check") || from.includes("unix");
    assert.equal(header.command, isLocal ? "local" : "proxy");
    assert.equal(
      header.source?.transport === "tcp" ? header.source.host : undefined,
      isLocal ? undefined : host,
    );
    assert.equal(text(data.subarray(header.length)), from.includes("check") ? "" : "GET");
    const types = header.tlvs.map(({ type }) => type);
    if (from.includes("ssl")) assert.deepEqual(types, [0x03, 0x01, 0x02, 0x05, 0x20]);
    if (from.includes("unique-id")) assert.deepEqual(types, [0x03, 0x05]);
  });
}

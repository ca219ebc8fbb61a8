import assert from "node:assert/strict";
import fc from "fast-check";
import type { Endpoint } from "../../lib/core/endpoint.ts";
import { canonicalHost } from "../../lib/core/overlap.ts";
import { Malformed } from "../../lib/wire/malformed.ts";
import { MAX_PROXY_HEADER_BYTES, type ProxyHeader, type Tlv, TLV_TYPE } from "../../lib/wire/proxy_header.ts";
import { alpnTlv, authorityTlv, tlsTlv, uniqueIdTlv } from "../../lib/wire/proxy_tlvs.ts";
import { readProxyHeader } from "../../lib/wire/read_proxy_header.ts";
import { writeOwnHeader, writeProxyV1, writeProxyV2 } from "../../lib/wire/write_proxy_header.ts";
import { bytes, joined, text } from "../support/bytes.ts";
import { HEADERS } from "./recorded.ts";

const tcp = (host: string, port: number): Endpoint => ({ transport: "tcp", host, port });
const UNIX: Endpoint = { transport: "unix" };
const [CLIENT, LISTENER] = [tcp("192.0.2.1", 56324), tcp("10.1.2.3", 443)];

function read(data: Uint8Array): ProxyHeader {
  const answer = readProxyHeader(data);
  assert.ok(typeof answer === "object" && !(answer instanceof Malformed), JSON.stringify(answer));
  assert.equal(answer.length, data.length);
  return answer;
}

Deno.test("version 1 is written as the specification has it", () => {
  const lines: [Endpoint, Endpoint, string][] = [
    [CLIENT, LISTENER, "PROXY TCP4 192.0.2.1 10.1.2.3 56324 443\r\n"],
    [tcp("2001:db8::1", 1), tcp("::1", 2), "PROXY TCP6 2001:db8::1 ::1 1 2\r\n"],
    [tcp("::ffff:192.0.2.1", 1), tcp("10.1.2.3", 2), "PROXY TCP4 192.0.2.1 10.1.2.3 1 2\r\n"],
    [tcp("fe80::1%eth0", 1), tcp("fe80::2%3", 2), "PROXY TCP6 fe80::1 fe80::2 1 2\r\n"],
    [UNIX, UNIX, "PROXY UNKNOWN\r\n"],
    [UNIX, LISTENER, "PROXY UNKNOWN\r\n"],
    [CLIENT, UNIX, "PROXY UNKNOWN\r\n"],
    [tcp("a.example", 1), LISTENER, "PROXY UNKNOWN\r\n"],
    [tcp("", 1), LISTENER, "PROXY UNKNOWN\r\n"],
  ];
  for (const [source, destination, line] of lines) {
    assert.equal(text(writeProxyV1(source, destination)), line);
  }
});

Deno.test("where one end is IPv4 and the other IPv6, the first is written as IPv4-mapped, and read as IPv4 again", () => {
  const v6 = tcp("2001:db8::1", 443);
  const expected = "PROXY TCP6 ::ffff:c000:201 2001:db8::1 56324 443\r\n";
  assert.equal(text(writeProxyV1(CLIENT, v6)), expected);
  for (
    const data of [
      writeProxyV1(CLIENT, v6),
      writeProxyV2({ command: "proxy", source: CLIENT, destination: v6 }),
    ]
  ) {
    assert.deepEqual([read(data).source, read(data).destination], [CLIENT, v6]);
  }
  for (
    const data of [
      writeProxyV1(v6, CLIENT),
      writeProxyV2({ command: "proxy", source: v6, destination: CLIENT }),
    ]
  ) {
    assert.deepEqual([read(data).source, read(data).destination], [v6, CLIENT]);
  }
});

Deno.test("version 2 is written byte for byte as HAProxy writes it", () => {
  const recorded = HEADERS.filter(({ from }) => /^haproxy v2 IPv[46]$/.test(from));
  assert.equal(recorded.length, 2);
  for (const { bytes } of recorded) {
    const theirs = readProxyHeader(bytes);
    assert.ok(typeof theirs === "object" && !(theirs instanceof Malformed));
    const [source, destination]: Endpoint[] = [theirs.source ?? UNIX, theirs.destination ?? UNIX];
    assert.ok(source !== undefined && destination !== undefined);
    assert.deepEqual(writeProxyV2({ command: "proxy", source, destination }), bytes.slice(0, theirs.length));
  }
});

Deno.test("LOCAL has no addresses, and the same checksum as HAProxy's", () => {
  const header = writeProxyV2({ command: "local" });
  assert.equal(header.toHex(), "0d0a0d0a000d0a515549540a20000000");
  const check = HEADERS.find(({ from }) => from === "haproxy v2 check");
  assert.deepEqual(writeProxyV2({ command: "local", checksum: true }), check?.bytes);
});

Deno.test("a session with an end that has no IP address is LOCAL in version 2, and keeps its facts", () => {
  const ends = [[UNIX, UNIX], [UNIX, LISTENER], [CLIENT, UNIX], [tcp("a.example", 1), LISTENER]] as const;
  for (const [source, destination] of ends) {
    const header = read(writeProxyV2({ command: "proxy", source, destination, tlvs: [uniqueIdTlv("7")] }));
    assert.deepEqual([header.command, header.source, header.destination], ["local", undefined, undefined]);
    assert.deepEqual(header.tlvs, [{ type: 0x05, value: bytes("7") }]);
  }
  const unix = HEADERS.find(({ from }) => from === "haproxy v2 unix");
  const header = writeProxyV2({ command: "proxy", source: UNIX, destination: { transport: "unix" } });
  assert.deepEqual(header, unix?.bytes.slice(0, header.length), "as HAProxy writes it");
});

Deno.test("the facts of a session are written as the specification has them", () => {
  const tlvs = [alpnTlv("h2"), authorityTlv("a.example"), uniqueIdTlv("1-7"), tlsTlv("TLSv1.3")];
  const facts = read(writeProxyV2({ command: "proxy", source: CLIENT, destination: LISTENER, tlvs })).tlvs;
  assert.deepEqual(facts.map(({ type, value }) => [type, value.toHex()]), [
    [0x01, "6832"],
    [0x02, "612e6578616d706c65"],
    [0x05, "312d37"],
    [0x20, "01" + "00000001" + "21" + "0007" + "544c5376312e33"],
  ]);
  assert.equal(tlsTlv("TLSv1.2", true).value.toHex(), "07" + "00000000" + "21" + "0007" + "544c5376312e32");
});

Deno.test("a unique id of more than 128 bytes and facts that no header can hold are not written", () => {
  assert.equal(uniqueIdTlv("x".repeat(128)).value.length, 128);
  assert.throws(() => uniqueIdTlv("ü".repeat(65)), /130 bytes/);
  const half = { type: 0xe0, value: new Uint8Array(0x8000) };
  for (const tlvs of [[{ type: 0xe0, value: new Uint8Array(0x10000) }], [half, half]]) {
    assert.throws(() => writeProxyV2({ command: "local", tlvs }), RangeError);
  }
});

const ip = fc.oneof(fc.ipV4(), fc.ipV6());
const tcpEnd = fc.record({ host: ip, port: fc.nat(65535) }).map(({ host, port }) => tcp(host, port));
const tlv: fc.Arbitrary<Tlv> = fc.record({
  type: fc.nat(255).filter((type) => type !== 0x03),
  value: fc.uint8Array({ maxLength: 100 }),
}, { noNullPrototype: true });

Deno.test("what is written is read again, with payload behind it, for any two addresses", () => {
  fc.assert(fc.property(tcpEnd, tcpEnd, fc.uint8Array(), (source, destination, payload) => {
    for (
      const header of [
        writeProxyV1(source, destination),
        writeProxyV2({ command: "proxy", source, destination }),
      ]
    ) {
      const answer = readProxyHeader(joined([header, payload]));
      assert.ok(typeof answer === "object" && !(answer instanceof Malformed));
      assert.equal(answer.length, header.length);
      const ends = [source, destination].map((end) =>
        end.transport === "tcp" ? { ...end, host: canonicalHost(end.host) } : end
      );
      assert.deepEqual([answer.source, answer.destination], ends);
    }
  }));
});

Deno.test("any facts are read again, with a checksum or without, and the declared length is what was written", () => {
  fc.assert(fc.property(
    fc.array(tlv, { maxLength: 20 }),
    fc.boolean(),
    fc.boolean(),
    (tlvs, checksum, isLocal) => {
      const ends = isLocal
        ? { command: "local" } as const
        : { command: "proxy", source: CLIENT, destination: LISTENER } as const;
      const header = writeProxyV2({ ...ends, tlvs, checksum });
      assert.equal(16 + new DataView(header.buffer).getUint16(14), header.length);
      assert.ok(header.length < MAX_PROXY_HEADER_BYTES);
      const facts = read(header).tlvs;
      assert.deepEqual(checksum ? facts.slice(0, -1) : facts, tlvs);
      assert.equal(facts.length, tlvs.length + (checksum ? 1 : 0));
    },
  ));
});

Deno.test("a proxy that speaks for itself names no client", () => {
  assert.equal(text(writeOwnHeader(1, false)), "PROXY UNKNOWN\r\n");
  for (const checksum of [false, true]) {
    const data = writeOwnHeader(2, checksum);
    const { command, source, destination, tlvs } = read(data);
    assert.deepEqual([command, source, destination], ["local", undefined, undefined]);
    assert.deepEqual(tlvs.map(({ type }) => type), checksum ? [TLV_TYPE.crc32c] : []);
  }
});

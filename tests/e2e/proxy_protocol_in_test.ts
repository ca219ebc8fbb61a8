// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Clients that are introduced by a header of the PROXY protocol, and those that should be and are not. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { writeAll } from "../../lib/core/connection.ts";
import type { SessionRecord } from "../../lib/dataplane/record.ts";
import { crc32c } from "../../lib/wire/crc32c.ts";
import { writeProxyV2 } from "../../lib/wire/write_proxy_header.ts";
import { enterToReset, startMirror, startNamedBackend } from "../support/backend.ts";
import { localPort, startTestBalancer, type TestBalancer, until } from "../support/balancer.ts";
import {
  ask,
  askInPieces,
  askUntilGone,
  bytes,
  joined,
  pattern,
  readAll,
  same,
  text,
} from "../support/bytes.ts";
import { onEachEngine } from "../support/engines.ts";
import { tlv, v2 } from "../wire/header_builder.ts";
import { hello, serverName } from "../wire/hello_builder.ts";

const IPV4_ENDS = Uint8Array.of(192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 0x04, 0x01, 0xbb);
const IPV6_ENDS = joined([
  Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
  Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2),
  Uint8Array.of(0xdc, 0x04, 0x01, 0xbb),
]);
const MAPPED_ENDS = joined([
  Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1),
  IPV6_ENDS.subarray(16),
]);
const PATHS = joined([bytes("/run/a.sock"), new Uint8Array(216 - 11)]);

const V1 = bytes("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n");
const V2 = v2(0x21, 0x11, IPV4_ENDS);
/** The longest that there is. */
const V1_LONGEST = bytes(
  "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535".padEnd(105, " ") + "\r\n",
);

function summed(header: Uint8Array): Uint8Array {
  new DataView(header.buffer).setUint32(header.length - 4, crc32c(header));
  return header;
}

/** Starts a balancer that expects headers from this machine. */
function startExpecting(
  engine: EngineName,
  address: string,
  listener: Record<string, unknown> = {},
): Promise<TestBalancer> {
  return startTestBalancer({
    engine,
    backends: [address],
    listener: { proxy_protocol: { from: ["127.0.0.0/8", "::1"] }, handshake_timeout: "1m", ...listener },
  });
}

async function recordVia(balancer: TestBalancer, via: string): Promise<SessionRecord> {
  const event = await balancer.log.waitFor("session", (fields) => fields.via === via);
  return event.fields as unknown as SessionRecord;
}

/** A header, and the client that it names; undefined is the peer itself. */
const headers: readonly { what: string; header: Uint8Array; client: string | undefined }[] = [
  { what: "v1 TCP4", header: V1, client: "192.0.2.1:56324" },
  {
    what: "v1 TCP6",
    header: bytes("PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n"),
    client: "[2001:db8::1]:56324",
  },
  { what: "v1 UNKNOWN", header: bytes("PROXY UNKNOWN\r\n"), client: undefined },
  { what: "v1 UNKNOWN of 107 bytes", header: V1_LONGEST, client: undefined },
  { what: "v2 TCP over IPv4", header: V2, client: "192.0.2.1:56324" },
  { what: "v2 UDP over IPv4", header: v2(0x21, 0x12, IPV4_ENDS), client: "192.0.2.1:56324" },
  { what: "v2 TCP over IPv6", header: v2(0x21, 0x21, IPV6_ENDS), client: "[2001:db8::1]:56324" },
  { what: "v2 UDP over IPv6", header: v2(0x21, 0x22, IPV6_ENDS), client: "[2001:db8::1]:56324" },
  { what: "v2 IPv4-mapped IPv6", header: v2(0x21, 0x21, MAPPED_ENDS), client: "192.0.2.1:56324" },
  { what: "v2 of a Unix socket", header: v2(0x21, 0x31, PATHS), client: "unix" },
  { what: "v2 of an unspecified family", header: v2(0x21, 0x00), client: undefined },
  { what: "v2 LOCAL", header: v2(0x20, 0x00), client: undefined },
  { what: "v2 LOCAL with addresses", header: v2(0x20, 0x11, IPV4_ENDS), client: undefined },
  {
    what: "v2 with TLVs",
    header: v2(
      0x21,
      0x11,
      joined([IPV4_ENDS, tlv(1, bytes("h2")), tlv(4, new Uint8Array(3)), tlv(0xee, pattern(900))]),
    ),
    client: "192.0.2.1:56324",
  },
  {
    what: "v2 with a checksum",
    header: summed(v2(0x21, 0x11, joined([IPV4_ENDS, tlv(3, new Uint8Array(4))]))),
    client: "192.0.2.1:56324",
  },
  {
    what: "v2 of 4 KiB, the longest that is taken",
    header: v2(0x21, 0x11, joined([IPV4_ENDS, tlv(0xee, new Uint8Array(4096 - 16 - 12 - 3))])),
    client: "192.0.2.1:56324",
  },
];

onEachEngine(
  "the client is the one that a header of any family names, and neither the backend nor bytes_in sees the header",
  async (engine) => {
    await using mirror = startMirror();
    await using balancer = await startExpecting(engine, mirror.address);
    for (const { what, header, client } of headers) {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
      // All in one segment.
      await writeAll(conn, joined([header, bytes("hello")]));
      await conn.closeWrite();
      assert.equal(text(await readAll(conn)), "hello", what);
      const via = `127.0.0.1:${localPort(conn)}`;
      const record = await recordVia(balancer, via);
      assert.equal(record.client, client ?? via, what);
      assert.deepEqual(
        [record.end, record.bytes_in, record.bytes_out, record.why],
        ["done", 5, 5, undefined],
        what,
      );
    }
  },
);

onEachEngine("a header may come byte by byte, alone, or with much behind it", async (engine) => {
  await using mirror = startMirror();
  await using balancer = await startExpecting(engine, mirror.address);
  const much = pattern(300_000);
  for (const { what, header } of headers.filter((it) => it.header.length < 300)) {
    assert.equal(text(await askInPieces(balancer.port, joined([header, bytes("hello")]), 1)), "hello", what);
  }
  for (const { what, header } of headers) {
    assert.ok(same(await ask(balancer.port, joined([header, much])), much), what);
    // The payload comes when the backend is connected already.
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    await writeAll(conn, header);
    await until(() => balancer.active(0) === 1, "the backend is connected");
    await writeAll(conn, bytes("hello"));
    await conn.closeWrite();
    assert.equal(text(await readAll(conn)), "hello", what);
  }
});

onEachEngine("a second header is payload", async (engine) => {
  await using mirror = startMirror();
  await using balancer = await startExpecting(engine, mirror.address);
  for (const first of [V1, V2]) {
    for (const second of [V1, V2]) {
      assert.ok(same(await ask(balancer.port, joined([first, second])), second));
      assert.ok(same(await askInPieces(balancer.port, joined([first, second]), 1), second));
    }
  }
  const records = await balancer.waitForRecords(8);
  assert.ok(records.every(({ client, end }) => client === "192.0.2.1:56324" && end === "done"));
});

onEachEngine("whoever is not among the proxies is refused at once, whatever it sends", async (engine) => {
  await using mirror = startMirror();
  await using balancer = await startExpecting(engine, mirror.address, {
    proxy_protocol: { from: ["192.0.2.0/24", "::1"] },
  });
  for (const said of [V1, V2, bytes("hello"), new Uint8Array()]) {
    assert.equal((await askUntilGone(balancer.port, said)).length, 0);
  }
  for (const { end, why, client, via, attempts, pool } of await balancer.waitForRecords(4)) {
    assert.deepEqual([end, why, via, attempts, pool], [
      "proxy_refused",
      "it may not send a PROXY header here",
      undefined,
      0,
      undefined,
    ]);
    assert.match(client, /^127\.0\.0\.1:\d+$/);
  }
  assert.equal(mirror.accepted, 0);
});

const malformed: readonly [why: RegExp, said: Uint8Array][] = [
  [/^the connection does not begin with a PROXY protocol header$/, bytes("GET / HTTP/1.1\r\n\r\n")],
  [/^the connection does not begin with a PROXY protocol header$/, hello(serverName("a.example"))],
  [/does not begin with PROXY TCP4/, bytes("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n")],
  [/not one of IPv4$/, bytes("PROXY TCP4 ::1 ::1 1 2\r\n")],
  [/port above 65535$/, bytes("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n")],
  [/each after one space$/, bytes("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n")],
  [/does not end within 107 bytes$/, bytes(`PROXY UNKNOWN ${"x".repeat(500)}`)],
  [/does not end within 107 bytes$/, bytes(`PROXY TCP4 ${"1".repeat(500)}`)],
  [/version .* is not 2$/, v2(0x11, 0x11, IPV4_ENDS)],
  [/neither LOCAL nor PROXY$/, v2(0x22, 0x11, IPV4_ENDS)],
  [/address family .* is unknown$/, v2(0x21, 0x41, IPV4_ENDS)],
  [/shorter than the addresses/, v2(0x21, 0x11, IPV4_ENDS, 11)],
  [/shorter than the addresses/, v2(0x21, 0x21, IPV4_ENDS)],
  [/longer than 4096 bytes$/, v2(0x21, 0x11, IPV4_ENDS, 65_535)],
  [/reaches beyond its end$/, v2(0x21, 0x11, joined([IPV4_ENDS, tlv(1, bytes("h2"), 3)]))],
  [/checksum .* is wrong$/, v2(0x21, 0x11, joined([IPV4_ENDS, tlv(3, new Uint8Array(4))]))],
];

onEachEngine("what is no header is refused at once, and the record says why", async (engine) => {
  await using mirror = startMirror();
  await using balancer = await startExpecting(engine, mirror.address);
  for (const [i, [why, said]] of malformed.entries()) {
    assert.equal((await askUntilGone(balancer.port, said)).length, 0, `${why}`);
    const record = (await balancer.waitForRecords(i + 1))[i];
    assert.deepEqual([record?.end, record?.bytes_in, record?.attempts], ["proxy_invalid", 0, 0], `${why}`);
    assert.match(record?.why ?? "", why);
    assert.match(record?.client ?? "", /^127\.0\.0\.1:\d+$/);
  }
  assert.equal(mirror.accepted, 0);
});

onEachEngine("a client that ends or resets in the middle of its header is gone at once", async (engine) => {
  await using mirror = startMirror();
  await using balancer = await startExpecting(engine, mirror.address);
  for (const part of [new Uint8Array(), V1.subarray(0, 20), V1.subarray(0, -1), V2.subarray(0, 16)]) {
    assert.equal((await ask(balancer.port, part)).length, 0);
  }
  for (const { end, why } of await balancer.waitForRecords(4)) {
    assert.deepEqual([end, why], ["proxy_invalid", "the client ended before its PROXY header was whole"]);
  }
  const client = await enterToReset(balancer.port, "PROXY TCP4 192.0.2.1 ");
  await balancer.accepted(client.port);
  await client.reset();
  assert.equal((await balancer.recordOf(client.port)).end, "client_reset");
  assert.equal(mirror.accepted, 0);
});

onEachEngine(
  "a client that is silent, stops within its header or only trickles is gone at handshake_timeout",
  async (engine) => {
    await using mirror = startMirror();
    await using balancer = await startExpecting(engine, mirror.address, { handshake_timeout: "400ms" });
    const trickle = async (): Promise<void> => {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
      for (const byte of V1_LONGEST) {
        const isGone = await writeAll(conn, Uint8Array.of(byte)).then(() => false, () => true);
        if (isGone) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.fail("the whole header was taken");
    };
    await Promise.all([
      askUntilGone(balancer.port, new Uint8Array()),
      askUntilGone(balancer.port, V1.subarray(0, 30)),
      askUntilGone(balancer.port, V2.subarray(0, 27)),
      trickle(),
    ]);
    for (const { end, why, duration_ms, attempts } of await balancer.waitForRecords(4)) {
      assert.deepEqual([end, why, attempts], [
        "handshake_timeout",
        "the client was not done with its PROXY header",
        0,
      ]);
      assert.ok(duration_ms >= 400 && duration_ms < 2_000, `gone after ${duration_ms} ms`);
    }
    assert.equal(mirror.accepted, 0);
  },
);

onEachEngine(
  "a client that ends right after its header is served, and a backend that speaks first is heard",
  async (engine) => {
    await using backend = startNamedBackend("first");
    await using balancer = await startExpecting(engine, backend.member.address);
    for (const header of [V1, V2]) assert.equal(text(await ask(balancer.port, header)), "first\n");
    // Before the header there is nothing to be heard, and no backend is dialled.
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    const heard = readAll(conn);
    await writeAll(conn, V1.subarray(0, 10));
    assert.equal(backend.served, 2);
    await writeAll(conn, V1.subarray(10));
    await conn.closeWrite();
    assert.equal(text(await heard), "first\n");
    const records = await balancer.waitForRecords(3);
    assert.ok(
      records.every(({ end, bytes_in, bytes_out }) => end === "done" && bytes_in === 0 && bytes_out === 6),
    );
  },
);

onEachEngine("maglev goes by the client of the header, over all workers", async (engine) => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using c = startNamedBackend("c");
  await using balancer = await startTestBalancer({
    engine,
    backends: [a.member, b.member, c.member],
    listener: { proxy_protocol: { from: ["127.0.0.1"] } },
    pool: { algorithm: "maglev" },
    workers: 3,
  });
  const visitAs = async (client: string, port: number): Promise<string> =>
    text(await ask(balancer.port, bytes(`PROXY TCP4 ${client} 198.51.100.7 ${port} 443\r\n`)));
  const clients = Array.from({ length: 30 }, (_, i) => `192.0.2.${i + 1}`);
  const everywhere = await Promise.all(clients.map(async (client) => {
    return new Set(await Promise.all([1, 2, 3, 4, 5].map((port) => visitAs(client, port))));
  }));
  assert.ok(everywhere.every((names) => names.size === 1));
  assert.equal(new Set(everywhere.flatMap((names) => [...names])).size, 3, "all backends have some");
});

onEachEngine(
  "two hundred clients at once, in pieces of all sizes, keep their own names and bytes",
  async (engine) => {
    await using mirror = startMirror();
    await using balancer = await startExpecting(engine, mirror.address);
    const talk = async (i: number): Promise<void> => {
      const source = { transport: "tcp", host: `10.0.0.${i}`, port: 1000 + i } as const;
      const destination = { transport: "tcp", host: "198.51.100.7", port: 443 } as const;
      const header = i % 2 === 0
        ? bytes(`PROXY TCP4 10.0.0.${i} 198.51.100.7 ${1000 + i} 443\r\n`)
        : writeProxyV2({ command: "proxy", source, destination, checksum: true });
      const sent = pattern(2_000 + i, i + 1);
      const all = joined([header, sent]);
      const answer = i % 5 === 0
        ? await ask(balancer.port, all)
        : await askInPieces(balancer.port, all, 1 + i);
      assert.ok(same(answer, sent), `${i}`);
    };
    await Promise.all(Array.from({ length: 200 }, (_, i) => talk(i)));
    const records = await balancer.waitForRecords(200);
    assert.deepEqual(
      new Set(records.map(({ client, bytes_in, end }) => `${client} ${bytes_in} ${end}`)),
      new Set(Array.from({ length: 200 }, (_, i) => `10.0.0.${i}:${1000 + i} ${2_000 + i} done`)),
    );
  },
);

onEachEngine("the peers of a Unix socket are proxies where the list says unix", async (engine) => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/web.sock`;
  await using mirror = startMirror();
  await using balancer = await startExpecting(engine, mirror.address, {
    listen: `unix:${path}`,
    proxy_protocol: { from: ["unix"] },
  });
  const said = [[V1, "192.0.2.1:56324"], [V2, "192.0.2.1:56324"], [v2(0x20, 0), "unix"]] as const;
  for (const [i, [header, client]] of said.entries()) {
    using conn = await Deno.connect({ transport: "unix", path });
    await writeAll(conn, joined([header, bytes("hello")]));
    await conn.closeWrite();
    assert.equal(text(await readAll(conn)), "hello");
    const record = (await balancer.waitForRecords(i + 1))[i];
    assert.deepEqual([record?.client, record?.via, record?.end], [client, "unix", "done"]);
  }
  await Deno.remove(folder, { recursive: true });
});

onEachEngine("proxies may come over IPv6, also to a listener of all addresses", async (engine) => {
  await using mirror = startMirror();
  await using balancer = await startExpecting(engine, mirror.address, { listen: ":0" });
  for (const hostname of ["127.0.0.1", "::1"]) {
    using conn = await Deno.connect({ hostname, port: balancer.port });
    await writeAll(conn, joined([V2, bytes("hello")]));
    await conn.closeWrite();
    assert.equal(text(await readAll(conn)), "hello", hostname);
  }
  const records = await balancer.waitForRecords(2);
  assert.ok(records.every(({ client }) => client === "192.0.2.1:56324"));
  assert.deepEqual(records.map(({ via = "" }) => via.replace(/\d+$/, "")).sort(), ["127.0.0.1:", "[::1]:"]);
});

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Backends that are told of their clients by a header of the PROXY protocol. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { Malformed } from "../../lib/wire/malformed.ts";
import { type ProxyHeader, TLV_TYPE } from "../../lib/wire/proxy_header.ts";
import { readProxyHeader } from "../../lib/wire/read_proxy_header.ts";
import { startBackend, startMirror, startNamedBackend } from "../support/backend.ts";
import {
  localPort,
  startTestBalancer,
  type TestBalancer,
  type TestBalancerOptions,
} from "../support/balancer.ts";
import { ask, bytes, joined, pattern, readAll, readExactly, same, text } from "../support/bytes.ts";
import { onEachEngine } from "../support/engines.ts";
import { tlv, v2 } from "../wire/header_builder.ts";
import { alpn, hello, serverName } from "../wire/hello_builder.ts";
import { refusedPort } from "../support/ports.ts";

const IPV4_ENDS = Uint8Array.of(192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 0x04, 0x01, 0xbb);
const IPV6_ENDS = joined([
  Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
  Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2),
  Uint8Array.of(0xdc, 0x04, 0x01, 0xbb),
]);

const V2 = { send_proxy_protocol: "v2" };
const FROM_ALL = { proxy_protocol: { from: ["127.0.0.0/8", "::1"] } };

function start(
  engine: EngineName,
  backends: readonly string[],
  options: Omit<TestBalancerOptions, "backends"> = {},
): Promise<TestBalancer> {
  return startTestBalancer({ engine, backends, ...options });
}

/** What a backend has got: a header, and what is behind it. */
function parted(got: Uint8Array): { header: ProxyHeader; rest: Uint8Array } {
  const header = readProxyHeader(got);
  assert.ok(typeof header === "object" && !(header instanceof Malformed), JSON.stringify(header));
  return { header, rest: got.subarray(header.length) };
}

/** The text of a fact that a header has once at most. */
function fact({ tlvs }: ProxyHeader, type: number): string | undefined {
  const found = tlvs.filter((it) => it.type === type);
  assert.ok(found.length <= 1, `fact ${type} is there ${found.length} times`);
  return found[0] === undefined ? undefined : text(found[0].value);
}

onEachEngine("version 1 names client and listener, over IPv4 and IPv6", async (engine) => {
  await using mirror = startMirror();
  await using balancer = await start(engine, [mirror.address], {
    listener: { listen: ":0" },
    pool: { send_proxy_protocol: "v1" },
  });
  for (const [hostname, family] of [["127.0.0.1", "TCP4"], ["::1", "TCP6"]] as const) {
    using conn = await Deno.connect({ hostname, port: balancer.port });
    await writeAll(conn, bytes("hello"));
    await conn.closeWrite();
    const line = `PROXY ${family} ${hostname} ${hostname} ${localPort(conn)} ${balancer.port}\r\n`;
    assert.equal(text(await readAll(conn)), `${line}hello`);
  }
  for (const { bytes_in, bytes_out } of await balancer.waitForRecords(2)) {
    assert.equal(bytes_in, 5, "the header is not counted");
    assert.ok(bytes_out > 5);
  }
});

onEachEngine(
  "version 2 names client and listener, with the id of the record, and a checksum on wish",
  async (engine) => {
    await using mirror = startMirror();
    for (const checksum of [false, true]) {
      await using balancer = await start(engine, [mirror.address], {
        listener: { listen: ":0" },
        pool: { send_proxy_protocol: { version: "v2", checksum } },
      });
      for (const [i, hostname] of ["127.0.0.1", "::1"].entries()) {
        using conn = await Deno.connect({ hostname, port: balancer.port });
        const sent = pattern(100_000);
        const sending = writeAll(conn, sent).then(() => conn.closeWrite());
        const { header, rest } = parted(await readAll(conn));
        await sending;
        assert.ok(same(rest, sent));
        assert.deepEqual([header.version, header.command], [2, "proxy"]);
        assert.deepEqual(header.source, { transport: "tcp", host: hostname, port: localPort(conn) });
        assert.deepEqual(header.destination, { transport: "tcp", host: hostname, port: balancer.port });
        const record = (await balancer.waitForRecords(i + 1))[i];
        assert.equal(fact(header, TLV_TYPE.uniqueId), record?.id);
        assert.equal(header.tlvs.some(({ type }) => type === TLV_TYPE.crc32c), checksum);
        assert.equal(record?.bytes_in, sent.length);
      }
    }
  },
);

onEachEngine(
  "the header comes first and at once, whether the client or the backend speaks first, or neither",
  async (engine) => {
    const heard = Promise.withResolvers<Uint8Array>();
    // Waits for the header alone, as a server of a protocol in which it speaks first.
    const waiting = startBackend(async (conn) => {
      const fixed = await readExactly(conn, 16);
      const rest = await readExactly(conn, (fixed[14] ?? 0) << 8 | (fixed[15] ?? 0));
      parted(joined([fixed, rest]));
      await writeAll(conn, bytes("220 ready\r\n"));
      heard.resolve(await readAll(conn));
    });
    await using balancer = await start(engine, [waiting.address], { pool: V2 });
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    assert.equal(text(await readExactly(conn, 11)), "220 ready\r\n");
    await writeAll(conn, bytes("EHLO"));
    await conn.closeWrite();
    assert.equal(text(await heard.promise), "EHLO");
    assert.equal((await readAll(conn)).length, 0);
    await waiting.stop();

    // Does not wait for anything.
    await using eager = startNamedBackend("eager");
    await using other = await start(engine, [eager.member.address], { pool: V2 });
    assert.equal(text(await ask(other.port, bytes("hello"))), "eager\n");
  },
);

onEachEngine("a backend after one that refused gets one header, with the same id", async (engine) => {
  await using mirror = startMirror();
  const refusing = [`127.0.0.1:${refusedPort()}`, `127.0.0.1:${refusedPort()}`];
  await using balancer = await start(engine, [...refusing, mirror.address], {
    pool: { ...V2, algorithm: "first" },
  });
  const { header, rest } = parted(await ask(balancer.port, bytes("hello")));
  assert.equal(text(rest), "hello");
  const [record] = await balancer.waitForRecords(1);
  assert.deepEqual([record?.attempts, record?.end], [3, "done"]);
  assert.equal(fact(header, TLV_TYPE.uniqueId), record?.id);
});

onEachEngine("a backend on a Unix socket or over IPv6 is told of the client as any other", async (engine) => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/backend.sock`;
  const listener = Deno.listen({ transport: "unix", path });
  const serving = (async () => {
    const conn = await listener.accept();
    await writeAll(conn, await readAll(conn));
    conn.close();
  })();
  await using six = startMirror({ hostname: "[::1]" });
  for (const address of [`unix:${path}`, six.address]) {
    await using balancer = await start(engine, [address], { pool: V2 });
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    await writeAll(conn, bytes("hello"));
    await conn.closeWrite();
    const { header, rest } = parted(await readAll(conn));
    assert.equal(text(rest), "hello");
    assert.deepEqual(header.source, { transport: "tcp", host: "127.0.0.1", port: localPort(conn) });
    assert.deepEqual(header.destination, { transport: "tcp", host: "127.0.0.1", port: balancer.port });
  }
  await serving;
  listener.close();
  await Deno.remove(folder, { recursive: true });
});

onEachEngine(
  "clients of a Unix socket, who have no address, are UNKNOWN or LOCAL, with their id",
  async (engine) => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/web.sock`;
    await using mirror = startMirror();
    const talk = async (version: string): Promise<{ got: Uint8Array; id: string | undefined }> => {
      await using balancer = await start(engine, [mirror.address], {
        listener: { listen: `unix:${path}` },
        pool: { send_proxy_protocol: version },
      });
      using conn = await Deno.connect({ transport: "unix", path });
      await writeAll(conn, bytes("hello"));
      await conn.closeWrite();
      const got = await readAll(conn);
      const [record] = await balancer.waitForRecords(1);
      return { got, id: record?.id };
    };
    assert.equal(text((await talk("v1")).got), "PROXY UNKNOWN\r\nhello");
    const { got, id } = await talk("v2");
    const { header, rest } = parted(got);
    assert.equal(text(rest), "hello");
    assert.deepEqual([header.command, header.source, fact(header, TLV_TYPE.uniqueId)], [
      "local",
      undefined,
      id,
    ]);
    await Deno.remove(folder, { recursive: true });
  },
);

onEachEngine(
  "what a proxy in front has said is passed on, with an id and a checksum of our own",
  async (engine) => {
    await using mirror = startMirror();
    await using balancer = await start(engine, [mirror.address], {
      listener: FROM_ALL,
      pool: { send_proxy_protocol: { version: "v2", checksum: true } },
    });
    const facts = joined([
      tlv(TLV_TYPE.uniqueId, bytes("of the proxy in front")),
      tlv(TLV_TYPE.authority, bytes("www.example.com")),
      tlv(0xe4, bytes("custom")),
    ]);
    for (const [i, ends] of [IPV4_ENDS, IPV6_ENDS].entries()) {
      const incoming = v2(0x21, ends === IPV4_ENDS ? 0x11 : 0x21, joined([ends, facts]));
      const { header, rest } = parted(await ask(balancer.port, joined([incoming, bytes("hello")])));
      assert.equal(text(rest), "hello");
      const [from, to] = ends === IPV4_ENDS ? ["192.0.2.1", "198.51.100.7"] : ["2001:db8::1", "2001:db8::2"];
      assert.deepEqual(header.source, { transport: "tcp", host: from, port: 56_324 });
      assert.deepEqual(header.destination, { transport: "tcp", host: to, port: 443 });
      const record = (await balancer.waitForRecords(i + 1))[i];
      assert.equal(fact(header, TLV_TYPE.uniqueId), record?.id);
      assert.equal(fact(header, TLV_TYPE.authority), "www.example.com");
      assert.equal(fact(header, 0xe4), "custom");
    }
  },
);

onEachEngine("an IPv4 client of an IPv6 address is named as IPv4-mapped", async (engine) => {
  await using mirror = startMirror();
  const mapped = joined([
    Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1),
    IPV6_ENDS.subarray(16),
  ]);
  for (const version of ["v1", "v2"]) {
    await using balancer = await start(engine, [mirror.address], {
      listener: FROM_ALL,
      pool: { send_proxy_protocol: version },
    });
    const got = await ask(balancer.port, v2(0x21, 0x21, mapped));
    const { header } = parted(got);
    assert.deepEqual(header.source, { transport: "tcp", host: "192.0.2.1", port: 56_324 });
    assert.deepEqual(header.destination, { transport: "tcp", host: "2001:db8::2", port: 443 });
    if (version === "v1") assert.equal(text(got), "PROXY TCP6 ::ffff:c000:201 2001:db8::2 56324 443\r\n");
  }
});

onEachEngine("a client without addresses in its header is named as itself", async (engine) => {
  await using mirror = startMirror();
  await using balancer = await start(engine, [mirror.address], { listener: FROM_ALL, pool: V2 });
  for (const incoming of [bytes("PROXY UNKNOWN\r\n"), v2(0x20, 0x11, IPV4_ENDS)]) {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    await writeAll(conn, incoming);
    await conn.closeWrite();
    const { header } = parted(await readAll(conn));
    assert.deepEqual(header.source, { transport: "tcp", host: "127.0.0.1", port: localPort(conn) });
  }
});

onEachEngine(
  "a backend behind a route is told the server name, and the protocol if it is one",
  async (engine) => {
    await using mirror = startMirror();
    await using balancer = await start(engine, [mirror.address], {
      listener: { routes: [{ sni: "*.example.com", pool: "web" }] },
      pool: V2,
    });
    const named = async (...extensions: Uint8Array[]): Promise<ProxyHeader> => {
      const sent = hello(...extensions);
      const { header, rest } = parted(await ask(balancer.port, sent));
      assert.ok(same(rest, sent));
      return header;
    };
    const one = await named(serverName("WWW.Example.com"), alpn("h2"));
    assert.deepEqual([fact(one, TLV_TYPE.authority), fact(one, TLV_TYPE.alpn)], ["www.example.com", "h2"]);
    const several = await named(serverName("api.example.com"), alpn("h2", "http/1.1"));
    assert.equal(fact(several, TLV_TYPE.authority), "api.example.com");
    assert.equal(fact(several, TLV_TYPE.alpn), undefined, "which one is taken is not known");
    const none = await named();
    assert.equal(fact(none, TLV_TYPE.authority), undefined);
  },
);

onEachEngine("two balancers in a row both know the client, and so does the backend", async (engine) => {
  await using mirror = startMirror();
  await using chained = await start(engine, [mirror.address], {
    listener: FROM_ALL,
    pool: { send_proxy_protocol: "v1" },
  });
  await using front = await start(engine, [`127.0.0.1:${chained.port}`], { pool: V2 });
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: front.port });
  await writeAll(conn, bytes("hello"));
  await conn.closeWrite();
  const line = `PROXY TCP4 127.0.0.1 127.0.0.1 ${localPort(conn)} ${front.port}\r\n`;
  assert.equal(text(await readAll(conn)), `${line}hello`, "through two balancers");
  const [[first], [second]] = await Promise.all([front.waitForRecords(1), chained.waitForRecords(1)]);
  assert.equal(first?.client, second?.client);
  assert.equal(second?.via, first?.local);
});

/** What comes before a session is routed: PROXY header, ClientHello and TLS, event by event, without sockets. */

import assert from "node:assert/strict";
import type { Endpoint } from "../../lib/core/endpoint.ts";
import { parseIPRange } from "../../lib/core/ip_range.ts";
import { type GreetingOptions, greetingPlan } from "../../lib/dataplane/greeting_plan.ts";
import { recordOf } from "../../lib/dataplane/session_facts.ts";
import type { TlsServer } from "../../lib/engine/tls_contract.ts";
import type { PoolOptions } from "../../lib/pool/pool.ts";
import { MAX_CLIENT_HELLO_BYTES } from "../../lib/wire/client_hello.ts";
import { readProxyHeader } from "../../lib/wire/read_proxy_header.ts";
import { TLV_TYPE } from "../../lib/wire/proxy_header.ts";
import { writeProxyV2 } from "../../lib/wire/write_proxy_header.ts";
import { sharePool } from "../pool/shared_pool.ts";
import { bytes, joined } from "../support/bytes.ts";
import { asRow } from "../support/rows.ts";
import { alpn, hello, helloMessage, padding, records, serverName } from "../wire/hello_builder.ts";
import { FakeWorld, settled } from "./fake_engine.ts";

const TIMEOUT_MS = 3_000;

const CLIENT: Endpoint = { transport: "tcp", host: "192.0.2.7", port: 4_711 };
const V1 = "PROXY TCP4 203.0.113.9 203.0.113.1 5000 443\r\n";
const FOR_WWW = hello(serverName("www.example.com"), alpn("h2", "http/1.1"));

const PROXIES = { ranges: [parseIPRange("192.0.2.0/24")], unix: false };
const SERVER: TlsServer = { renew: () => {} };

interface Options extends Partial<GreetingOptions> {
  /** Undefined where no route leads to it. */
  readonly hasPool?: boolean;
  readonly opens?: boolean;
  readonly pool?: Partial<PoolOptions>;
  readonly peer?: Endpoint;
}

/** A session whose listener asks for this, in front of a pool `web` and those of routes. */
function greet({ hasPool = true, opens = false, pool = {}, peer = CLIENT, ...options }: Options): FakeWorld {
  const row = asRow<"pool">(9);
  const web = sharePool({ a: {}, b: {}, c: {} }, pool).one;
  const other = sharePool({ x: {} }, { name: "other" }).one;
  const plan = greetingPlan(
    {
      timeoutMs: TIMEOUT_MS,
      proxies: undefined,
      tls: undefined,
      routes: [],
      looksAtHello: false,
      ...options,
    },
    asRow<"listener">(0),
    opens ? SERVER : undefined,
    (at) => at === row ? other : web,
  );
  const world = new FakeWorld(hasPool ? web : undefined, {}, 0, plan, peer);
  world.session.begin();
  return world;
}

const TO_OTHER = asRow<"pool">(9);
const TO_WEB = asRow<"pool">(0);

/** Sends, and lets the session be told. */
async function send({ client }: FakeWorld, data: Uint8Array | string): Promise<void> {
  client.send(typeof data === "string" ? bytes(data) : data);
  await settled();
}

/** Where the session went. */
function poolOf({ session }: FakeWorld): string | undefined {
  assert.notEqual(session.phase, "ended", session.why);
  return session.pool?.name;
}

/** How it was refused. */
function refusalOf({ session, client, engine, told }: FakeWorld): [string, string | undefined] {
  assert.equal(session.phase, "ended");
  assert.ok(client.isClosed && engine.isQuiet);
  assert.deepEqual([told.left, told.over, told.faults], [1, 1, []]);
  return [session.endReason, recordOf(session).why];
}

Deno.test("a listener that asks for nothing routes at once", () => {
  const world = greet({});
  assert.equal(poolOf(world), "web");
  assert.equal(recordOf(world.session).client, "192.0.2.7:4711");
});

Deno.test("a PROXY header, whole or byte by byte, says who the client is; what follows is payload", async () => {
  const headers = [
    bytes(V1),
    writeProxyV2({
      command: "proxy",
      source: { transport: "tcp", host: "203.0.113.9", port: 5_000 },
      destination: { transport: "tcp", host: "203.0.113.1", port: 443 },
    }),
  ];
  await Promise.all(headers.map(async (header) => {
    const world = greet({ proxies: PROXIES });
    const all = joined([header, bytes(V1)]);
    // deno-lint-ignore no-await-in-loop -- in this order
    for (const byte of all) await send(world, Uint8Array.of(byte));
    assert.equal(poolOf(world), "web");
    // A second header is what the first is followed by.
    assert.deepEqual(world.client.sent, bytes(V1));
    const { client, via } = recordOf(world.session);
    assert.deepEqual([client, via], ["203.0.113.9:5000", "192.0.2.7:4711"]);
  }));
});

Deno.test("a proxy that speaks for itself, or names no client, is the client", async () => {
  await Promise.all([writeProxyV2({ command: "local" }), bytes("PROXY UNKNOWN\r\n")].map(async (header) => {
    const world = greet({ proxies: PROXIES });
    await send(world, header);
    assert.equal(poolOf(world), "web");
    const { client, via } = recordOf(world.session);
    assert.deepEqual([client, via], ["192.0.2.7:4711", "192.0.2.7:4711"]);
  }));
});

Deno.test("who is not to send a PROXY header is refused before anything is read, also on a Unix socket", () => {
  const why = "it may not send a PROXY header here";
  const others: Endpoint[] = [{ transport: "tcp", host: "198.51.100.1", port: 1 }, { transport: "unix" }];
  for (const peer of others) {
    const world = greet({ proxies: PROXIES, peer });
    assert.deepEqual(refusalOf(world), ["proxy_refused", why]);
    assert.equal(world.client.asked, undefined);
  }
  assert.equal(
    greet({ proxies: { ranges: [], unix: true }, peer: { transport: "unix" } }).session.phase,
    "greeting",
  );
});

Deno.test("what is no PROXY header, or is not whole when the client ends, is refused", async () => {
  const wrong = greet({ proxies: PROXIES });
  await send(wrong, "GET / HTTP/1.1\r\n");
  assert.deepEqual(refusalOf(wrong), [
    "proxy_invalid",
    "the connection does not begin with a PROXY protocol header",
  ]);
  const short = greet({ proxies: PROXIES });
  await send(short, V1.slice(0, -1));
  assert.equal(short.session.phase, "greeting");
  short.client.endSending();
  assert.deepEqual(refusalOf(short), [
    "proxy_invalid",
    "the client ended before its PROXY header was whole",
  ]);
});

Deno.test("the first route that matches decides; without one, the pool of the listener, or none", async () => {
  const routes = [
    { sni: "api.example.com", alpn: ["h2"], pool: TO_OTHER },
    { sni: "*.example.com", alpn: [], pool: TO_WEB },
    { sni: "last.test", alpn: [], pool: TO_OTHER },
  ];
  const goes = async (data: Uint8Array | string, hasPool = false): Promise<string | undefined> => {
    const world = greet({ routes, looksAtHello: true, hasPool });
    await send(world, data);
    // All that was read is for the backend.
    assert.deepEqual(world.client.sent, typeof data === "string" ? bytes(data) : data);
    return world.session.phase === "ended" ? refusalOf(world).join(": ") : poolOf(world);
  };
  assert.equal(await goes(hello(serverName("API.example.com"), alpn("h2"))), "other");
  assert.equal(await goes(hello(serverName("api.example.com"), alpn("http/1.1"))), "web");
  assert.equal(await goes(FOR_WWW), "web");
  assert.equal(await goes(hello(serverName("last.test"))), "other");
  assert.equal(await goes(hello(serverName("a.b.example.com"))), "no_route: no route matches");
  assert.equal(await goes(hello()), "no_route: no route matches");
  assert.equal(await goes(hello(), true), "web");
  assert.equal(await goes("SSH-2.0-OpenSSH\r\n"), "no_route: it is not TLS");
  assert.equal(await goes("SSH-2.0-OpenSSH\r\n", true), "web");
});

Deno.test("a ClientHello that is none, too long or not whole is refused, and never goes where less is asked", async () => {
  const options = { routes: [{ sni: "*.example.com", pool: TO_OTHER }], looksAtHello: true, hasPool: true };
  const wrong = greet(options);
  await send(wrong, Uint8Array.of(22, 3, 1, 0, 4, 2, 0, 0, 0));
  assert.equal(refusalOf(wrong)[0], "hello_invalid");
  const long = greet(options);
  await send(long, records(helloMessage({ extensions: [padding(MAX_CLIENT_HELLO_BYTES)] }), 1_000));
  assert.equal(refusalOf(long)[0], "hello_invalid");
  for (const length of [1, 5, 40, FOR_WWW.length - 1]) {
    const short = greet(options);
    // deno-lint-ignore no-await-in-loop -- one after the other
    await send(short, FOR_WWW.subarray(0, length));
    assert.equal(short.session.phase, "greeting");
    short.client.endSending();
    assert.deepEqual(refusalOf(short), [
      "hello_invalid",
      "the client ended before its ClientHello was whole",
    ]);
  }
});

Deno.test("a client has handshake_timeout for all of it, and is told what was missing", async () => {
  const options = { proxies: PROXIES, looksAtHello: true, opens: true };
  const late = async (data: Uint8Array | string): Promise<[string, string | undefined]> => {
    const world = greet(options);
    world.pass(TIMEOUT_MS - 1);
    await send(world, data);
    assert.equal(world.session.phase, "greeting");
    world.pass(1);
    return refusalOf(world);
  };
  assert.deepEqual(await late(V1.slice(0, 20)), [
    "handshake_timeout",
    "the client was not done with its PROXY header",
  ]);
  assert.deepEqual(await late(joined([bytes(V1), FOR_WWW.subarray(0, 50)])), [
    "handshake_timeout",
    "the client was not done with its ClientHello",
  ]);
  assert.deepEqual(await late(joined([bytes(V1), FOR_WWW])), [
    "handshake_timeout",
    "the client was not done with TLS",
  ]);
  // The timeout ends with the greeting.
  const routed = greet({ looksAtHello: true });
  await send(routed, FOR_WWW);
  routed.pass(TIMEOUT_MS * 2);
  assert.equal(poolOf(routed), "web");
});

Deno.test("TLS is opened with the name of the hello, and what it finds stands in the record", async () => {
  const world = greet({ proxies: PROXIES, opens: true });
  await send(world, joined([bytes(V1), FOR_WWW]));
  const { client, session } = world;
  assert.equal(session.phase, "greeting");
  // The header is no part of TLS.
  assert.deepEqual([client.openedTls?.serverName, client.openedTls?.tls], ["www.example.com", SERVER]);
  assert.deepEqual(client.sent, FOR_WWW);
  client.openedTls?.on.opened({
    ...{ version: "TLSv1.3", serverName: "www.example.com", alpn: "h2", subject: "O=Clients, CN=one" },
  });
  assert.equal(poolOf(world), "web");
  const { server_name, alpn, tls, subject } = recordOf(session);
  assert.deepEqual({ server_name, alpn, tls, subject }, {
    ...{ server_name: "www.example.com", alpn: ["h2"], tls: "TLSv1.3", subject: "O=Clients, CN=one" },
  });
});

Deno.test("TLS that is not spoken, or fails, refuses the client with its reason; a client that resets is gone", async () => {
  const plain = greet({ opens: true });
  await send(plain, "GET / HTTP/1.1\r\n");
  assert.deepEqual(refusalOf(plain), ["tls_failed", "it does not speak TLS"]);
  const failed = greet({ opens: true });
  await send(failed, FOR_WWW);
  failed.client.openedTls?.on.tlsFailed("it has shown no certificate");
  assert.deepEqual(refusalOf(failed), ["tls_failed", "it has shown no certificate"]);
  const gone = greet({ opens: true });
  await send(gone, FOR_WWW);
  gone.client.reads?.clientGone();
  assert.deepEqual(refusalOf(gone), ["client_reset", undefined]);
  const faulty = greet({ opens: true });
  await send(faulty, FOR_WWW);
  faulty.client.openedTls?.on.fault(new Error("a fault"));
  assert.equal(faulty.session.endReason, "internal_error");
});

Deno.test("with hash_key sni sessions for one name go to one backend, also from many clients", async () => {
  const pick = async (name: string, host: string): Promise<string | undefined> => {
    const peer: Endpoint = { transport: "tcp", host, port: 1 };
    const world = greet({ looksAtHello: true, pool: { algorithm: "maglev", hashKey: "sni" }, peer });
    await send(world, hello(serverName(name)));
    world.engine.dialling.connect();
    return world.session.backend?.name;
  };
  const hosts = Array.from({ length: 8 }, (_, i) => `192.0.2.${i + 1}`);
  const picked = await Promise.all(hosts.map((host) => pick("one.example", host)));
  assert.equal(new Set(picked).size, 1);
  const names = Array.from({ length: 12 }, (_, i) => `name${i}.example`);
  assert.ok(new Set(await Promise.all(names.map((name) => pick(name, "192.0.2.1")))).size > 1);
});

Deno.test("a backend is told of the client what is known: its address, the name, the protocol and TLS", async () => {
  const world = greet({
    ...{ proxies: PROXIES, opens: true },
    pool: { introduction: { version: 2, checksum: false } },
  });
  await send(world, joined([bytes(V1), FOR_WWW]));
  world.client.openedTls?.on.opened({
    ...{ version: "TLSv1.2", serverName: "www.example.com", alpn: "h2", subject: "CN=one" },
  });
  const { prefaced } = world.engine.dialling.connect();
  const header = readProxyHeader(prefaced ?? assert.fail());
  assert.ok(typeof header === "object" && "tlvs" in header);
  assert.deepEqual(header.source, { transport: "tcp", host: "203.0.113.9", port: 5_000 });
  assert.deepEqual(header.destination, { transport: "tcp", host: "203.0.113.1", port: 443 });
  const values = new Map(header.tlvs.map(({ type, value }) => [type, value]));
  assert.deepEqual(values.get(TLV_TYPE.authority), bytes("www.example.com"));
  assert.deepEqual(values.get(TLV_TYPE.alpn), bytes("h2"));
  assert.deepEqual(values.get(TLV_TYPE.uniqueId), bytes("id-7"));
  // TLS with a certificate that was verified, and its version as a fact within.
  const tls = [7, 0, 0, 0, 0, TLV_TYPE.tlsVersion, 0, 7, ...bytes("TLSv1.2")];
  assert.deepEqual([...values.get(TLV_TYPE.tls) ?? []], tls);
});

Deno.test("a backend is told no protocol whose bytes are shown in another way", async () => {
  const told = async (protocol: string): Promise<Uint8Array | undefined> => {
    const world = greet({ looksAtHello: true, pool: { introduction: { version: 2, checksum: false } } });
    await send(world, hello(alpn(protocol)));
    const header = readProxyHeader(world.engine.dialling.connect().prefaced ?? assert.fail());
    assert.ok(typeof header === "object" && "tlvs" in header);
    return header.tlvs.find(({ type }) => type === TLV_TYPE.alpn)?.value;
  };
  assert.deepEqual(await told("h2"), bytes("h2"));
  const odd = await Promise.all(["\n\n", "\0", "a\\b", "\xda\xda"].map(told));
  assert.deepEqual(odd, [undefined, undefined, undefined, undefined]);
});

Deno.test("facts of a header go to every backend that is dialled, and are not kept once one has them", async () => {
  const world = greet({ proxies: PROXIES, pool: { introduction: { version: 2, checksum: false } } });
  const fact = { type: 0xe5, value: bytes("x".repeat(3_000)) };
  await send(world, writeProxyV2({ command: "proxy", source: CLIENT, destination: CLIENT, tlvs: [fact] }));
  world.engine.dialling.fail("ECONNREFUSED");
  const header = readProxyHeader(world.engine.dialling.connect().prefaced ?? assert.fail());
  assert.ok(typeof header === "object" && "tlvs" in header);
  assert.deepEqual(header.tlvs.find(({ type }) => type === fact.type)?.value, fact.value);
  assert.equal(world.session.phase, "relaying");
  assert.deepEqual(world.session.greeting?.tlvs, []);
});

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Sessions that go where their ClientHello says, with all of its bytes. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { formatRecord } from "../../lib/core/log.ts";
import { wildcardOf } from "../../lib/core/server_name.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { enterToReset, startMirror, startNamedBackend } from "../support/backend.ts";
import { startTestBalancer, type TestBalancer, type TestBalancerOptions } from "../support/balancer.ts";
import { ask, askInPieces, askUntilGone, bytes, joined, pattern, same, text } from "../support/bytes.ts";
import { onEachEngine } from "../support/engines.ts";
import { operationsOf } from "../support/operations.ts";
import { v2 } from "../wire/header_builder.ts";
import {
  alpn,
  handshake,
  hello,
  helloMessage,
  padding,
  record,
  records,
  serverName,
} from "../wire/hello_builder.ts";
import { HELLOS } from "../wire/recorded.ts";

const POOLS = ["exact", "h2", "wild", "acme", "late"] as const;

const ROUTES = [
  { sni: "www.example.com", pool: "exact" },
  { sni: "*.example.com", alpn: ["h3", "h2"], pool: "h2" },
  { sni: "*.Example.COM.", pool: "wild" },
  { alpn: ["acme-tls/1"], pool: "acme" },
  { sni: "api.example.com", pool: "late" },
];

/** A balancer whose backends say to which pool they belong, before they send everything back. */
interface Routing extends AsyncDisposable {
  readonly balancer: TestBalancer;
  readonly port: number;
  /** Connections that came to any backend. */
  readonly accepted: number;
}

async function startRouting(
  engine: EngineName,
  { listener, ...options }: Omit<TestBalancerOptions, "backends"> = {},
): Promise<Routing> {
  const mirrors = ["web", ...POOLS].map((name) => startMirror({ says: `${name}:` }));
  const [web, ...others] = mirrors.map((it) => it.address);
  const balancer = await startTestBalancer({
    engine,
    backends: [web ?? ""],
    otherPools: Object.fromEntries(POOLS.map((name, i) => [name, { backends: [others[i]] }])),
    listener: { routes: ROUTES, handshake_timeout: "1m", ...listener },
    ...options,
  });
  return {
    balancer,
    port: balancer.port,
    get accepted() {
      return mirrors.reduce((sum, it) => sum + it.accepted, 0);
    },
    [Symbol.asyncDispose]: async () => {
      await balancer.stop();
      await Promise.all(mirrors.map((it) => it.stop()));
    },
  };
}

/** The pool whose backend has got exactly these bytes. */
function poolThatGot(sent: Uint8Array, answer: Uint8Array): string {
  const name = text(answer.subarray(0, answer.indexOf(0x3a)));
  assert.ok(
    same(answer.subarray(name.length + 1), sent),
    `the bytes that ${name || "nothing"} got are others`,
  );
  return name;
}

const NO_POOL = { pool: undefined };

const routed: readonly [pool: string, what: string, hello: Uint8Array][] = [
  ["exact", "the exact name", hello(serverName("www.example.com"))],
  ["exact", "in other letters", hello(serverName("WWW.eXample.COM"))],
  ["exact", "with a dot at its end", hello(serverName("www.example.com."))],
  [
    "exact",
    "the first route that matches, whatever comes later",
    hello(serverName("www.example.com"), alpn("h2")),
  ],
  ["wild", "a name below", hello(serverName("api.example.com"))],
  [
    "wild",
    "a name below, with other protocols",
    hello(serverName("api.example.com"), alpn("http/1.1", "H2")),
  ],
  ["h2", "a name below, with a protocol", hello(serverName("API.example.com"), alpn("http/1.1", "h2"))],
  ["acme", "a protocol, whatever the name", hello(serverName("other.example"), alpn("acme-tls/1"))],
  ["acme", "a protocol without a name", hello(alpn("acme-tls/1"))],
  ["web", "the parent of names below", hello(serverName("example.com"))],
  ["web", "a name two levels below", hello(serverName("a.b.example.com"))],
  ["web", "another name", hello(serverName("www.example.org"))],
  ["web", "a name that ends alike", hello(serverName("www.badexample.com"))],
  ["web", "no name", hello()],
  ["web", "no extensions", record(helloMessage())],
];

const notTls: readonly [what: string, said: Uint8Array][] = [
  ["HTTP", bytes("GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n")],
  ["SSH", bytes("SSH-2.0-OpenSSH_9.2\r\n")],
  ["the SSLRequest of PostgreSQL", Uint8Array.of(0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f)],
  ["the hello of SSL 2.0", joined([Uint8Array.of(0x80, 0x2e, 1, 3, 1), new Uint8Array(41)])],
  ["an alert", record(Uint8Array.of(2, 40), 21)],
  ["22 and something else", Uint8Array.of(22, 2, 1)],
];

onEachEngine("a session goes to the pool of the first route that its hello matches", async (engine) => {
  await using routing = await startRouting(engine);
  for (const [i, [pool, what, sent]] of routed.entries()) {
    assert.equal(poolThatGot(sent, await ask(routing.port, sent)), pool, what);
    const left = (await routing.balancer.waitForRecords(i + 1))[i];
    assert.deepEqual([left?.pool, left?.end, left?.bytes_in], [pool, "done", sent.length], what);
  }
  const [first, , , , , , offering] = routing.balancer.records();
  assert.deepEqual([first?.server_name, first?.alpn], ["www.example.com", undefined]);
  assert.deepEqual([offering?.server_name, offering?.alpn], ["api.example.com", ["http/1.1", "h2"]]);
});

onEachEngine("what is not TLS goes to the listener's pool, with all of its bytes", async (engine) => {
  await using routing = await startRouting(engine);
  for (const [what, sent] of notTls) {
    assert.equal(poolThatGot(sent, await ask(routing.port, sent)), "web", what);
    assert.equal(poolThatGot(sent, await askInPieces(routing.port, sent, 1)), "web", what);
  }
});

onEachEngine("without a pool of the listener, what no route matches is refused at once", async (engine) => {
  await using routing = await startRouting(engine, { listener: NO_POOL });
  const cases = [
    ...routed.filter(([pool]) => pool === "web").map(([, , said]) => [said, "no route matches"] as const),
    ...notTls.map(([, said]) => [said, "it is not TLS"] as const),
  ];
  for (const [i, [said, why]] of cases.entries()) {
    assert.equal((await askUntilGone(routing.port, said)).length, 0);
    const left = (await routing.balancer.waitForRecords(i + 1))[i];
    assert.deepEqual([left?.end, left?.why, left?.pool, left?.attempts], ["no_route", why, undefined, 0]);
  }
  assert.equal(routing.accepted, 0);
  const matching = hello(serverName("www.example.com"));
  assert.equal(poolThatGot(matching, await ask(routing.port, matching)), "exact");
});

/** A message of this size that asks for a name at its very end. */
function sized(length: number, name: string): Uint8Array {
  const empty = helloMessage({ extensions: [serverName(name)] }).length;
  return helloMessage({ extensions: [padding(length - empty), serverName(name)] });
}

onEachEngine("a hello may come in any segments and any records", async (engine) => {
  await using routing = await startRouting(engine);
  const small = helloMessage({ extensions: [serverName("www.example.com"), alpn("h2")] });
  const behind = pattern(50_000);
  const shapes: readonly (readonly [hello: Uint8Array, pieces: readonly number[]])[] = [
    [record(small), [1, 2, 5, 6, 64]],
    [records(small, 1), [1, 6, 7]],
    [records(small, 64), [1, 69, 70]],
    // The record ends within the name.
    [joined([record(small.subarray(0, -25)), record(small.subarray(-25))]), [1, small.length - 20]],
    [records(sized(1_800, "www.example.com"), 16_384), [100, 1_448]],
    [records(sized(3_000, "www.example.com"), 1), [1_448]],
    [records(sized(16_384, "www.example.com"), 16_384), [1_448, 4_000]],
    [records(sized(17_000, "www.example.com"), 16_384), [1_448, 16_389]],
    [records(sized(17_000, "www.example.com"), 512), [517]],
  ];
  for (const [sent, pieces] of shapes) {
    for (const piece of pieces) {
      const what = `${sent.length} bytes in pieces of ${piece}`;
      assert.equal(poolThatGot(sent, await askInPieces(routing.port, sent, piece)), "exact", what);
    }
    const all = joined([sent, behind]);
    assert.equal(poolThatGot(all, await ask(routing.port, all)), "exact", `${sent.length} bytes and more`);
  }
});

onEachEngine(
  "the hellos of real programs go where their names say, whole or byte by byte",
  async (engine) => {
    await using routing = await startRouting(engine);
    await Promise.all(HELLOS.map(async ({ from, bytes: sent, serverName: name, alpn: offered }) => {
      const below = offered.includes("h2") ? "h2" : "wild";
      const isBelow = name !== undefined && wildcardOf(name) === "*.example.com";
      const expected = name === "www.example.com" ? "exact" : isBelow ? below : "web";
      assert.equal(poolThatGot(sent, await ask(routing.port, sent)), expected, from);
      const piece = sent.length < 700 ? 1 : 7;
      assert.equal(poolThatGot(sent, await askInPieces(routing.port, sent, piece)), expected, from);
    }));
  },
);

onEachEngine(
  "a hello that is not whole at the deadline, or trickles, goes nowhere, also where there is a pool for the rest",
  async (engine) => {
    const routing = await startRouting(engine, { listener: { handshake_timeout: "400ms" } });
    await using _ = routing;
    const sent = hello(serverName("www.example.com"));
    const trickle = async (): Promise<void> => {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port: routing.port });
      for (const byte of sent) {
        const isGone = await writeAll(conn, Uint8Array.of(byte)).then(() => false, () => true);
        if (isGone) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.fail("the whole hello was taken");
    };
    await Promise.all([
      askUntilGone(routing.port, new Uint8Array()),
      askUntilGone(routing.port, sent.subarray(0, 1)),
      askUntilGone(routing.port, sent.subarray(0, 5)),
      askUntilGone(routing.port, sent.subarray(0, -1)),
      // Says that it is longer than what comes.
      askUntilGone(routing.port, records(sized(17_000, "www.example.com"), 16_384).subarray(0, 16_389)),
      trickle(),
    ]);
    for (const { end, why, duration_ms, pool, attempts } of await routing.balancer.waitForRecords(6)) {
      assert.deepEqual([end, why, pool, attempts], [
        "handshake_timeout",
        "the client was not done with its ClientHello",
        undefined,
        0,
      ]);
      assert.ok(duration_ms >= 400 && duration_ms < 3_000, `gone after ${duration_ms} ms`);
    }
    assert.equal(routing.accepted, 0);
  },
);

const malformed: readonly [why: RegExp, said: Uint8Array][] = [
  [/^the first TLS message is no ClientHello$/, record(handshake(2, new Uint8Array(40)))],
  [/record .* is empty$/, record(new Uint8Array())],
  [/record .* longer than 16384 bytes$/, Uint8Array.of(22, 3, 1, 0x40, 1)],
  [/^the ClientHello is longer than 20480 bytes$/, records(sized(30_000, "www.example.com"), 16_384)],
  [/^the ClientHello is not well-formed$/, record(handshake(1, new Uint8Array(20)))],
  [/one extension twice$/, hello(serverName("www.example.com"), serverName("other.example"))],
  [/names two servers$/, hello(serverName("www.example.com", "other.example"))],
  [/no name of a host$/, hello(serverName("a\r\nend=done"))],
  [/no name of a host$/, hello(serverName("*.example.com"))],
  [/protocols \(ALPN\) .* not well-formed$/, hello(serverName("www.example.com"), alpn(""))],
  [
    /^another TLS record comes/,
    joined([record(helloMessage().subarray(0, 20)), record(Uint8Array.of(1), 20)]),
  ],
];

onEachEngine(
  "a hello that is none is refused at once, also where there is a pool for the rest",
  async (engine) => {
    await using routing = await startRouting(engine);
    for (const [i, [why, said]] of malformed.entries()) {
      assert.equal((await askUntilGone(routing.port, said)).length, 0, `${why}`);
      const left = (await routing.balancer.waitForRecords(i + 1))[i];
      assert.deepEqual(
        [left?.end, left?.pool, left?.server_name],
        ["hello_invalid", undefined, undefined],
        `${why}`,
      );
      assert.match(left?.why ?? "", why);
    }
    assert.equal(routing.accepted, 0);
  },
);

onEachEngine("a client that ends or resets in the middle of its hello is gone at once", async (engine) => {
  await using routing = await startRouting(engine);
  const sent = hello(serverName("www.example.com"));
  for (const part of [sent.subarray(0, 0), sent.subarray(0, 3), sent.subarray(0, -1)]) {
    assert.equal((await ask(routing.port, part)).length, 0);
  }
  for (const { end, why } of await routing.balancer.waitForRecords(3)) {
    assert.deepEqual([end, why], ["hello_invalid", "the client ended before its ClientHello was whole"]);
  }
  const client = await enterToReset(routing.port, "\x16\x03\x01");
  await routing.balancer.accepted(client.port);
  await client.reset();
  assert.equal((await routing.balancer.recordOf(client.port)).end, "client_reset");
  assert.equal(routing.accepted, 0);
});

onEachEngine(
  "a PROXY header and a hello may come together, in one segment or byte by byte",
  async (engine) => {
    await using routing = await startRouting(engine, {
      listener: { proxy_protocol: { from: ["127.0.0.1"] } },
    });
    const line = bytes("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n");
    const binary = v2(0x21, 0x11, Uint8Array.of(192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 0x04, 0x01, 0xbb));
    const large = records(sized(17_000, "www.example.com"), 16_384);
    const more = joined([large, pattern(50_000)]);
    for (const header of [line, binary]) {
      await Promise.all(routed.map(async ([pool, what, sent]) => {
        const all = joined([header, sent]);
        assert.equal(poolThatGot(sent, await ask(routing.port, all)), pool, what);
        assert.equal(poolThatGot(sent, await askInPieces(routing.port, all, 1)), pool, what);
      }));
      assert.equal(poolThatGot(more, await ask(routing.port, joined([header, more]))), "exact");
      const all = joined([header, large]);
      assert.equal(poolThatGot(large, await askInPieces(routing.port, all, 1_448)), "exact");
      assert.equal(poolThatGot(large, await askInPieces(routing.port, all, header.length)), "exact");
    }
    const sessions = 2 * (2 * routed.length + 3);
    const left = await routing.balancer.waitForRecords(sessions);
    assert.ok(
      left.every(({ client, end, via }) =>
        client === "192.0.2.1:56324" && end === "done" && via !== undefined
      ),
    );
    // What is no header is no hello either.
    assert.equal((await askUntilGone(routing.port, hello(serverName("www.example.com")))).length, 0);
    assert.equal((await routing.balancer.waitForRecords(sessions + 1)).at(-1)?.end, "proxy_invalid");
    assert.equal(routing.accepted, sessions);
  },
);

onEachEngine("one deadline holds for the header and the hello together", async (engine) => {
  await using routing = await startRouting(engine, {
    listener: { proxy_protocol: { from: ["127.0.0.1"] }, handshake_timeout: "600ms" },
  });
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: routing.port });
  const startedMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 400));
  await writeAll(conn, bytes("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"));
  await conn.read(new Uint8Array(1)).catch(() => {});
  assert.ok(performance.now() - startedMs < 1_000, "the time began anew");
  const [left] = await routing.balancer.waitForRecords(1);
  assert.deepEqual([left?.end, left?.client, left?.why], [
    "handshake_timeout",
    "192.0.2.1:56324",
    "the client was not done with its ClientHello",
  ]);
});

onEachEngine(
  "hash_key sni gives one name one backend, over all workers, with or without routes",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    const backends = [a.member, b.member, c.member];
    const pool = { algorithm: "maglev", hash_key: "sni" };
    const names = Array.from({ length: 30 }, (_, i) => `host${i}.example.com`);
    const everywhere: string[][] = [];
    for (const listener of [{}, { routes: [{ sni: "*.example.com", pool: "web" }] }]) {
      await using balancer = await startTestBalancer({ engine, backends, pool, listener, workers: 3 });
      const visitAs = async (...said: Uint8Array[]): Promise<string> =>
        text(await ask(balancer.port, joined(said)));
      const found = await Promise.all(names.map(async (name) => {
        const hellos = [name, name.toUpperCase(), `${name}.`, name].map((it) => hello(serverName(it)));
        return [...new Set(await Promise.all(hellos.map((it) => visitAs(it))))].join();
      }));
      assert.ok(found.every((backend) => backend.length === 2), `${found}`);
      assert.equal(new Set(found).size, 3, "all backends have some");
      everywhere.push(found);
      // Without a name it goes by the address.
      const unnamed = await Promise.all(
        [hello(), hello(alpn("h2")), bytes("GET /")].map((it) => visitAs(it)),
      );
      assert.equal(new Set(unnamed).size, 1);
    }
    assert.deepEqual(everywhere[0], everywhere[1]);
  },
);

onEachEngine("two hundred clients of all kinds at once are kept apart", async (engine) => {
  await using routing = await startRouting(engine);
  const talk = async (i: number): Promise<void> => {
    const behind = pattern(1_000 + 37 * i, i + 1);
    if (i % 10 === 9) {
      const [, said = assert.fail()] = malformed[i % malformed.length] ?? [];
      return assert.equal((await askUntilGone(routing.port, joined([said, behind]))).length, 0);
    }
    const [pool, what, first] = i % 10 === 8
      ? ["web", ...notTls[i % notTls.length] ?? assert.fail()] as const
      : routed[i % routed.length] ?? assert.fail();
    const sent = joined([first, behind]);
    const answer = i % 3 === 0
      ? await ask(routing.port, sent)
      : await askInPieces(routing.port, sent, 20 + i);
    assert.equal(poolThatGot(sent, answer), pool, what);
  };
  await Promise.all(Array.from({ length: 200 }, (_, i) => talk(i)));
  const left = await routing.balancer.waitForRecords(200);
  assert.equal(left.filter(({ end }) => end === "done").length, 180);
  assert.equal(left.filter(({ end }) => end === "hello_invalid").length, 20);
});

onEachEngine(
  "what hostile clients send as names and protocols cannot forge a line of the log",
  async (engine) => {
    await using routing = await startRouting(engine);
    const hostile = ["a\nfake", "\r\n\x1b[2J", "a b=c", 'x"y', "\x00", "\x7f\x9b31m", "<script>", "a\u2028b"];
    for (const it of hostile) {
      await askUntilGone(routing.port, hello(serverName(it)));
      await ask(routing.port, hello(serverName("www.example.com"), alpn(it)));
    }
    // Kept open, so that it is listed.
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: routing.port });
    await writeAll(conn, hello(serverName("www.example.com"), alpn(...hostile)));
    const records = await routing.balancer.waitForRecords(2 * hostile.length);
    const operations = operationsOf(routing.balancer.balancer);
    const listed = await operations.sessions(10);
    operations.stop();
    const shown = [
      ...records.flatMap((it) =>
        (["json", "text"] as const).map((format) => {
          return formatRecord({ level: "info", event: "session", ...it }, 0, format);
        })
      ),
      JSON.stringify(listed) + "\n",
    ];
    for (const line of shown) {
      // deno-lint-ignore no-control-regex -- control characters are what this is about
      assert.match(line, /^[^\x00-\x1f\x7f-\uffff]+\n$/);
    }
    assert.equal(records.filter(({ end }) => end === "hello_invalid").length, hostile.length);
    assert.ok(shown.some((line) => line.endsWith(` alpn="a b=c"\n`)), "no value can look like a field");
  },
);

onEachEngine("a client that offers a thousand protocols leaves a record of usual size", async (engine) => {
  await using routing = await startRouting(engine);
  const many = Array.from({ length: 1_000 }, (_, i) => `\x01\x02protocol${i}`);
  const sent = records(helloMessage({ extensions: [alpn(...many)] }), 16_384);
  assert.equal(poolThatGot(sent, await ask(routing.port, sent)), "web");
  const [left] = await routing.balancer.waitForRecords(1);
  assert.ok(JSON.stringify(left).length < 2_000, `${JSON.stringify(left).length} characters`);
  assert.equal(left?.alpn?.[0], "\\x01\\x02protocol0");
});

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What DNS alone has: times to live, priorities and weights, name servers that lie. */

import assert from "node:assert/strict";
import type { TcpAddress } from "../../lib/core/address.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { dnsSource } from "../../lib/discovery/dns_source.ts";
import { askNameServer } from "../../lib/discovery/name_server.ts";
import { againAfter } from "../../lib/discovery/refresh.ts";
import { membersOf, srvSource } from "../../lib/discovery/srv_source.ts";
import { firstNameServer } from "../../lib/discovery/system_name_server.ts";
import type { ServiceRecord } from "../../lib/wire/dns_message.ts";
import { DNSMASQ, NameServer } from "../support/name_server.ts";
import { skipWithout } from "../support/packages.ts";
import { until } from "../support/balancer.ts";
import { FastClock, Followed } from "./followed.ts";

const { ignore, why } = skipWithout(DNSMASQ);

function testWithServer(sentence: string, run: (server: NameServer) => Promise<void>): void {
  Deno.test({
    name: `${sentence}${why}`,
    ignore,
    fn: async () => {
      await using server = new NameServer();
      await run(server);
    },
  });
}

testWithServer("a name is asked for again when the life of its records is over", async (server) => {
  await server.serve([
    "host-record=api.internal,10.0.0.1,fd00::1,77",
    "host-record=api.internal,10.0.0.2,55",
  ]);
  const clock = new FastClock();
  const options = { name: "api.internal", port: 80, resolver: server.address, pause: clock.pause };
  await using followed = new Followed(dnsSource({ ...options, refreshMs: undefined }));
  await followed.sees("10.0.0.1:80", "10.0.0.2:80", "[fd00::1]:80");
  await until(() => clock.pauses.length > 0, "it waits");
  assert.equal(clock.pauses[0], 55_000);
  assert.deepEqual(followed.members.map(({ host }) => host), new Array(3).fill("api.internal"));
});

Deno.test("a refresh that is written is the longest time, and a second is the shortest", () => {
  assert.equal(againAfter(undefined, { refreshMs: undefined }), 10_000);
  assert.equal(againAfter(undefined, { refreshMs: 3_000 }), 3_000);
  assert.equal(againAfter(60, { refreshMs: 3_000 }), 3_000);
  assert.equal(againAfter(2, { refreshMs: 3_000 }), 2_000);
  assert.equal(againAfter(0, { refreshMs: undefined }), 1_000);
  assert.equal(againAfter(1_000_000, { refreshMs: undefined }), 3_600_000);
});

testWithServer(
  "a name that does not exist and one without addresses are empty, each with its reason",
  async (server) => {
    await server.serve(["txt-record=text.internal,hello"]);
    const clock = new FastClock();
    for (
      const [name, reason] of [["nope.internal", /there is no such name$/], [
        "text.internal",
        /it has no address$/,
      ]] as const
    ) {
      const options = { name, port: 80, resolver: server.address, refreshMs: undefined, pause: clock.pause };
      await using followed = new Followed(dnsSource(options));
      await followed.sees();
      assert.match(followed.found[0]?.refused[0] ?? "", reason);
    }
  },
);

testWithServer("a name server that refuses to answer is trouble, and no empty answer", async (server) => {
  await server.serve([]);
  const clock = new FastClock();
  const options = { name: "elsewhere.example", port: 80, resolver: server.address, refreshMs: undefined };
  await using followed = new Followed(dnsSource({ ...options, pause: clock.pause }));
  assert.equal(await followed.trouble(), `"elsewhere.example": the name server answers REFUSED`);
});

Deno.test("the resolver of the system is asked where no other is named", async () => {
  const options = { name: "localhost", port: 80, resolver: undefined, refreshMs: undefined };
  await using followed = new Followed(dnsSource({ ...options, pause: new FastClock().pause }));
  await until(() => followed.found.length > 0, "it answers");
  assert.ok(followed.addresses.includes("127.0.0.1:80"));
});

testWithServer("targets of a service have its priority as backup, and its weight", async (server) => {
  await server.serve([
    "srv-host=_db._tcp.internal,d1.internal,5432,10,5",
    "srv-host=_db._tcp.internal,d2.internal,5433,10,0",
    "srv-host=_db._tcp.internal,d3.internal,5434,20,7",
    "srv-host=_db._tcp.internal,d4.internal,5435,20,7",
    ...["d1.internal,10.0.0.1", "d2.internal,10.0.0.2,fd00::2", "d3.internal,10.0.0.3"].map((it) =>
      `host-record=${it}`
    ),
  ]);
  const options = { name: "_db._tcp.internal", resolver: server.address, refreshMs: undefined };
  await using followed = new Followed(srvSource({ ...options, pause: new FastClock().pause }));
  await followed.sees("10.0.0.1:5432", "10.0.0.2:5433", "[fd00::2]:5433", "10.0.0.3:5434");
  const shown = followed.members.map(({ name, weight, backup }) => `${name} ${weight} ${backup}`).sort();
  assert.deepEqual(shown, [
    "10.0.0.1:5432 5 false",
    "10.0.0.2:5433 1 false",
    "10.0.0.3:5434 7 true",
    "[fd00::2]:5433 1 false",
  ]);
  assert.match(followed.found[0]?.refused[0] ?? "", /the name "d4.internal": there is no such name/);
});

Deno.test("large weights keep their proportions", () => {
  const services = [65_535, 32_768, 1].map((weight, i) => ({
    priority: 1,
    weight,
    port: 80,
    target: `t${i}`,
  }));
  const addresses = new Map([["t0", ["10.0.0.1"]], ["t1", ["10.0.0.2"]], ["t2", ["10.0.0.3"]]]);
  assert.deepEqual(membersOf(services, addresses).map(({ weight }) => weight), [256, 128, 1]);
});

Deno.test("an address under two targets is one member, and no backup if one of them is none", () => {
  const services = [9, 1].map((priority, i) => ({ priority, weight: 1, port: 80, target: `t${i}` }));
  const addresses = new Map([["t0", ["10.0.0.1"]], ["t1", ["10.0.0.1"]]]);
  assert.deepEqual(membersOf(services, addresses).map(({ name, backup }) => [name, backup]), [[
    "10.0.0.1:80",
    false,
  ]]);
});

Deno.test("a service whose targets have more addresses than a pool may have is refused before all are looked up", async () => {
  const name = (text: string): number[] => [
    ...text.split(".").flatMap((it) => [it.length, ...new TextEncoder().encode(it)]),
    0,
  ];
  const record = (type: number, data: number[]): number[] => [
    ...[0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length],
    ...data,
  ];
  const services = Array.from(
    { length: 200 },
    (_, i) => record(33, [0, 1, 0, 1, 0, 80, ...name(`t${i}.internal`)]),
  );
  const addresses = Array.from({ length: 4_000 }, (_, i) => record(1, [10, 0, i >> 8, i & 255]));
  let asked = 0;
  await using server = startLiar(async (conn) => {
    asked++;
    const question = new Uint8Array(600);
    const length = await conn.read(question) ?? 0;
    const [records, type] = [{ 33: services, 1: addresses }, question[length - 3] ?? 0];
    const answers = records[type as keyof typeof records] ?? [];
    const counts = [0x81, 0x80, 0, 1, answers.length >> 8, answers.length & 255, 0, 0, 0, 0];
    const bytes = [
      ...question.subarray(2, 4),
      ...counts,
      ...question.subarray(14, length),
      ...answers.flat(),
    ];
    await writeAll(conn, Uint8Array.from([bytes.length >> 8, bytes.length & 255, ...bytes]));
  });
  const { pause } = new FastClock();
  const options = { name: "_db._tcp.internal", resolver: server.address, refreshMs: undefined, pause };
  await using followed = new Followed(srvSource(options));
  assert.match(await followed.trouble(), /^there are more than 10000 members/);
  assert.ok(asked < 100, `${asked} questions`);
});

Deno.test("many ports of many addresses are too many members as well, and each counts once", () => {
  const service = (port: number, priority = 1): ServiceRecord => ({ priority, weight: 1, port, target: "a" });
  const addresses = new Map([["a", Array.from({ length: 100 }, (_, i) => `10.0.0.${i}`)]]);
  const ports = Array.from({ length: 101 }, (_, i) => i + 1);
  assert.equal(
    membersOf(ports.slice(1).flatMap((it) => [service(it), service(it, 2)]), addresses).length,
    10_000,
  );
  assert.ok(membersOf([service(1, 2), service(1, 1)], addresses).every(({ backup }) => !backup));
  assert.throws(
    () => membersOf(ports.map((it) => service(it)), addresses),
    /^Error: there are more than 10000/,
  );
});

Deno.test("the first name server of resolv.conf is the system's", () => {
  assert.equal(
    firstNameServer("# nameserver 1.1.1.1\nsearch x\n nameserver\t10.0.0.53\nnameserver 10.0.0.54"),
    "10.0.0.53",
  );
  assert.equal(firstNameServer("nameserver fd00::53"), "fd00::53");
  assert.equal(firstNameServer("nameserver nonsense\n"), undefined);
});

/** A server that answers each connection so. */
function startLiar(
  lie: (conn: Deno.Conn) => Promise<void>,
): AsyncDisposable & { readonly address: TcpAddress } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const conn of listener) {
      await lie(conn).catch(() => {});
      try {
        conn.close();
      } catch {
        // It is closed already.
      }
    }
  })();
  return {
    address: { transport: "tcp", host: "127.0.0.1", port: listener.addr.port },
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await serving;
    },
  };
}

const LIES: [string, (conn: Deno.Conn) => Promise<void>, RegExp][] = [
  [
    "ends at once",
    () => Promise.resolve(),
    /(closed the connection before its answer was whole|Connection reset)/,
  ],
  [
    "says nothing",
    async (conn) => void await conn.read(new Uint8Array(99)).then(() => conn.read(new Uint8Array(9))),
    /has not answered within 200ms$/,
  ],
  [
    "sends less than it says",
    async (conn) => void await conn.write(Uint8Array.of(0, 99, 1, 2)),
    /(closed the connection before its answer was whole|Connection reset)/,
  ],
  [
    "sends nonsense",
    async (conn) => void await conn.write(new Uint8Array(70_000).fill(2)),
    /^cannot use the answer of the name server .*: it is no answer to the question$/,
  ],
];
for (const [what, lie, sentence] of LIES) {
  Deno.test(`a name server that ${what} is refused with a sentence`, async () => {
    await using server = startLiar(lie);
    const asked = askNameServer(server.address, "a.internal", "A", new AbortController().signal, 200);
    await assert.rejects(asked, { message: sentence });
  });
}

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Pools whose backends a source names. */

import assert from "node:assert/strict";
import { Balancer } from "../../lib/control/balancer.ts";
import type { Names } from "../../lib/control/names.ts";
import { formatAddress } from "../../lib/core/address.ts";
import type { Pause } from "../../lib/discovery/source.ts";
import { enter, startNamedBackend, visit } from "../support/backend.ts";
import {
  startTestBalancer,
  type TestBalancer,
  type TestBalancerOptions,
  testConfig,
  until,
} from "../support/balancer.ts";
import { readAll } from "../support/bytes.ts";
import { onEachEngine, readUntilCut } from "../support/engines.ts";
import { FakeSource, memberOf } from "../support/fake_source.ts";
import { memoryLog } from "../support/memory_log.ts";
import { operationsOf } from "../support/operations.ts";

/** All test backends are within. */
const WITHIN = ["127.0.0.0/8"];

const DISCOVER = { discover: { file: "/nowhere/members.yaml" } };

/** A balancer whose pool lists no backend. */
function start(
  source: FakeSource,
  pool: Record<string, unknown> = {},
  more: Partial<TestBalancerOptions> = {},
): Promise<TestBalancer> {
  const { discovery } = source;
  return startTestBalancer({ backends: [], pool: { ...DISCOVER, ...pool }, discovery, ...more });
}

function namesIn({ balancer }: TestBalancer): string[] {
  return balancer.plan.pools.flatMap(({ backends }) => backends.map(({ name }) => name));
}

async function has(balancer: TestBalancer, ...names: string[]): Promise<void> {
  const wanted = names.join();
  await until(
    () => namesIn(balancer).join() === wanted,
    `the members are ${wanted}; they are ${namesIn(balancer)}`,
  );
}

/** Who answers so many visits, each name once. */
async function answers(port: number, visits = 4): Promise<string[]> {
  const names = new Set<string>();
  for (let i = 0; i < visits; i++) names.add(await visit(port));
  return [...names].sort();
}

onEachEngine(
  "what a source names at the start is served from the start, in the order of the names",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    const source = new FakeSource();
    source.tell([b.member, a.member]);
    await using balancer = await start(source, {}, { engine });
    assert.deepEqual(namesIn(balancer), ["a", "b"]);
    assert.deepEqual(await answers(balancer.port), ["a", "b"]);
    assert.equal(balancer.balancer.generations.started, 1);
  },
);

onEachEngine(
  "within the subnets of a pool, backends that a source names come and go without new workers",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    const source = new FakeSource();
    source.tell([]);
    await using balancer = await start(source, { within: WITHIN }, { engine, backends: [c.member] });
    assert.deepEqual(await answers(balancer.port), ["c"]);
    source.tell([a.member, b.member]);
    await has(balancer, "c", "a", "b");
    assert.deepEqual(await answers(balancer.port, 6), ["a", "b", "c"]);
    const held = await enter(balancer.port);
    source.tell([b.member]);
    await has(balancer, "c", "b");
    assert.deepEqual(await answers(balancer.port), ["b", "c"]);
    held.conn.close();
    assert.equal(balancer.balancer.generations.started, 1);
  },
);

onEachEngine("a pool whose source names nobody is down until it does", async (engine) => {
  await using a = startNamedBackend("a");
  const source = new FakeSource();
  source.fail("there is no such name");
  await using balancer = await start(source, {}, { engine });
  const { fields } = await balancer.log.waitFor("discovery_failed");
  assert.deepEqual(fields, {
    pool: "web",
    source: "file /nowhere/members.yaml",
    reason: "there is no such name",
    meanwhile: "it has no members yet",
  });
  await balancer.log.waitFor("pool_down");
  assert.equal(await visit(balancer.port), "");
  source.tell([a.member]);
  await balancer.log.waitFor("pool_up");
  assert.equal(await visit(balancer.port), "a");
  assert.equal(
    balancer.balancer.generations.started,
    2,
    "without subnets, another backend needs new workers",
  );
});

Deno.test("a start that fails ends, though its source has named others meanwhile", async () => {
  const source = new FakeSource();
  source.tell(["127.0.0.1:1"]);
  const balancer = new Balancer({
    config: testConfig({ backends: [], pool: { within: WITHIN, ...DISCOVER }, workers: 1 }),
    log: memoryLog().log,
    discovery: { ...source.discovery, pause: () => Promise.resolve() },
    whenListening: async () => {
      source.tell(["127.0.0.1:2"]);
      // By then it waits for its turn, which is after the start.
      await new Promise((resolve) => setTimeout(resolve));
      throw new Error("the admin side cannot listen");
    },
  });
  await assert.rejects(balancer.start(), { message: "the admin side cannot listen" });
});

Deno.test("without subnets, new workers are at least five seconds apart, and what comes meanwhile comes together", async () => {
  const source = new FakeSource();
  source.tell(["127.0.0.1:1"]);
  await using balancer = await start(source);
  source.tell(["127.0.0.1:2"]);
  await has(balancer, "127.0.0.1:2");
  for (let port = 3; port < 50; port++) source.tell([`127.0.0.1:${port}`]);
  await has(balancer, "127.0.0.1:49");
  await until(() => source.pauses.filter((ms) => ms === 5_000).length === 2, "it has paused");
  assert.equal(balancer.balancer.generations.started, 3);
});

onEachEngine(
  "a source that cannot be asked, or has no members, keeps the last ones, and says so once",
  async (engine) => {
    await using a = startNamedBackend("a");
    const source = new FakeSource();
    source.tell([a.member]);
    await using balancer = await start(source, {}, { engine });
    const operations = operationsOf(balancer.balancer);
    source.fail("connection refused");
    source.fail("it does not answer");
    source.tell([]);
    assert.deepEqual(await answers(balancer.port, 2), ["a"]);
    const failed = balancer.log.events.filter(({ event }) => event === "discovery_failed");
    assert.deepEqual(failed.map(({ fields }) => [fields.reason, fields.meanwhile]), [
      ["connection refused", "its last member stays"],
    ]);
    const [pool] = operations.status().pools;
    assert.deepEqual([pool?.discovery?.members, pool?.discovery?.trouble], [1, "the answer has no members"]);
    source.tell([a.member]);
    await balancer.log.waitFor("discovery_works_again");
    assert.equal(operations.status().pools[0]?.discovery?.trouble, "");
    operations.stop();
  },
);

Deno.test("a source that fails at times is said to fail once, and to work again when it has for ten seconds", async () => {
  const source = new FakeSource();
  const { discovery } = source;
  let isSteady = (): void => {};
  const pause: Pause = (ms, stop) => {
    if (ms !== 10_000) return discovery.pause(ms, stop);
    const { promise, resolve } = Promise.withResolvers<void>();
    stop.addEventListener("abort", () => resolve());
    isSteady = resolve;
    return promise;
  };
  await using balancer = await start(source, { within: WITHIN }, { discovery: { ...discovery, pause } });
  const said = (): string[] =>
    balancer.log.events.map(({ event }) => event).filter((it) => it.startsWith("discovery_"));
  for (let port = 1; port < 20; port++) {
    source.fail("the watch has ended");
    source.tell([`127.0.0.1:${port}`]);
  }
  await has(balancer, "127.0.0.1:19");
  assert.deepEqual(said(), ["discovery_failed"]);
  isSteady();
  await balancer.log.waitFor("discovery_works_again");
  source.fail("the watch has ended");
  assert.deepEqual(said(), ["discovery_failed", "discovery_works_again", "discovery_failed"]);
});

Deno.test("where it is allowed, a source may empty its pool", async () => {
  const source = new FakeSource();
  source.tell(["127.0.0.1:1"]);
  await using balancer = await start(source, { discover: { file: "/m", allow_empty: true }, within: WITHIN });
  source.tell([]);
  await has(balancer);
  await balancer.log.waitFor("pool_down");
});

onEachEngine("a backend that stays keeps its health, its weight and the operator's wish", async (engine) => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  const source = new FakeSource();
  source.tell([a.member]);
  await using balancer = await start(source, { within: WITHIN }, { engine });
  const operations = operationsOf(balancer.balancer);
  operations.steer("web", "a", { do: "weight", weight: 7 });
  operations.steer("web", "a", { do: "drain", deadlineMs: undefined });
  source.tell([a.member, { ...b.member, weight: 3 }]);
  await has(balancer, "a", "b");
  const [kept, come] = operations.status().pools[0]?.backends ?? [];
  assert.deepEqual([kept?.state, kept?.weight, kept?.configured_weight, kept?.origin], [
    "draining",
    7,
    1,
    "discovered",
  ]);
  assert.deepEqual([come?.state, come?.weight, come?.configured_weight], ["up", 3, 3]);
  source.tell([{ ...a.member, weight: 2 }, b.member]);
  await until(
    () => operations.status().pools[0]?.backends[0]?.weight === 2,
    "a weight that has changed holds",
  );
  assert.equal(operations.status().pools[0]?.backends[0]?.state, "draining");
  operations.stop();
});

onEachEngine("a backend that stays is as down as it was, by new workers too", async (engine) => {
  for (const within of [WITHIN, []]) {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    const source = new FakeSource();
    source.tell([a.member, b.member]);
    const pool = { within, health_check: { interval: "100ms", timeout: "90ms", fall: 1 } };
    await using balancer = await start(source, pool, { engine });
    await a.goDown();
    await balancer.log.waitFor("backend_down");
    source.tell([a.member, b.member, c.member]);
    await has(balancer, "a", "b", "c");
    assert.deepEqual(await answers(balancer.port, 10), ["b", "c"]);
    assert.equal(balancer.balancer.generations.started, within.length > 0 ? 1 : 2);
    const changes = balancer.log.events.filter(({ event }) => /^backend_(up|down)$/.test(event));
    assert.deepEqual(changes.map(({ fields }) => fields.backend), ["a"], "nothing is said of it again");
  }
});

onEachEngine(
  "sessions of a backend that has left may finish, or are closed, as the pool says",
  async (engine) => {
    for (
      const [pool, end] of [[{}, "done"], [{ leave: "close" }, "backend_left"], [
        { leave_timeout: "50ms" },
        "backend_left",
      ]] as const
    ) {
      await using a = startNamedBackend("a");
      await using b = startNamedBackend("b");
      const source = new FakeSource();
      source.tell([a.member]);
      await using balancer = await start(source, { within: WITHIN, ...pool }, { engine });
      const { conn } = await enter(balancer.port);
      source.tell([b.member]);
      await has(balancer, "b");
      if (end === "done") await conn.closeWrite().then(() => readAll(conn));
      else await readUntilCut(conn, engine);
      const [record] = await balancer.waitForRecords(1);
      assert.deepEqual([record?.backend, record?.end], ["a", end]);
      conn.close();
    }
  },
);

Deno.test("a backend that comes back before its time is over keeps its sessions", async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  const source = new FakeSource();
  source.tell([a.member]);
  await using balancer = await start(source, { within: WITHIN, leave_timeout: "300ms" });
  const { conn } = await enter(balancer.port);
  source.tell([b.member]);
  await has(balancer, "b");
  source.tell([a.member]);
  await has(balancer, "a");
  await new Promise((resolve) => setTimeout(resolve, 350));
  assert.equal(balancer.records().length, 0);
  conn.close();
});

Deno.test("what is outside of the subnets, or there twice, is left out and said once", async () => {
  const source = new FakeSource();
  const members = [
    "10.9.9.9:80",
    "127.0.0.1:1",
    { address: "127.0.0.1:1", name: "twin" },
    "db.internal:1",
    "[::1]:1",
  ];
  source.tell([...members], ['key "/web/x": nonsense']);
  await using balancer = await start(source, { within: WITHIN });
  assert.deepEqual(namesIn(balancer), ["127.0.0.1:1"]);
  const operations = operationsOf(balancer.balancer);
  assert.deepEqual(operations.status().pools[0]?.discovery?.refused, [
    'key "/web/x": nonsense',
    "10.9.9.9:80: 10.9.9.9:80 is not within 127.0.0.0/8",
    "[::1]:1: [::1]:1 is not within 127.0.0.0/8",
    "db.internal:1: db.internal:1 is not within 127.0.0.0/8",
    "twin: 127.0.0.1:1 is another one's address",
  ]);
  source.tell([...members, "127.0.0.1:2"], ['key "/web/x": nonsense']);
  await has(balancer, "127.0.0.1:1", "127.0.0.1:2");
  const said = balancer.log.events.filter(({ event }) => event === "members_refused");
  assert.deepEqual(said.map(({ fields }) => fields), [
    { pool: "web", reason: 'key "/web/x": nonsense', more: 4 },
  ]);
  operations.stop();
});

Deno.test("what is left out at times is said once", async () => {
  const source = new FakeSource();
  source.tell(["127.0.0.1:1"]);
  await using balancer = await start(source, { within: WITHIN });
  for (let port = 2; port < 6; port++) {
    source.tell(["10.9.9.9:80", `127.0.0.1:${port}`]);
    await has(balancer, `127.0.0.1:${port}`);
    source.tell(["127.0.0.1:1"]);
    await has(balancer, "127.0.0.1:1");
  }
  assert.equal(balancer.log.events.filter(({ event }) => event === "members_refused").length, 1);
});

Deno.test("backends that come later start slowly, and where initial is down wait for their first check", async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  const source = new FakeSource();
  source.tell([a.member]);
  const weights = (balancer: TestBalancer): (number | undefined)[] => {
    const operations = operationsOf(balancer.balancer);
    const backends = operations.status().pools[0]?.backends ?? [];
    operations.stop();
    return backends.map((it) => it.effective_weight);
  };
  {
    await using balancer = await start(source, { within: WITHIN, slow_start: "1h" });
    source.tell([a.member, b.member]);
    await has(balancer, "a", "b");
    await until(() => weights(balancer).join() === "1,0.1", "the one that came has a tenth of its weight");
  }
  source.tell([a.member]);
  const check = { health_check: { interval: "100ms", timeout: "90ms" } };
  await using balancer = await start(source, { within: WITHIN, slow_start: "1h", initial: "down", ...check });
  await balancer.log.waitFor("backend_up", ({ backend }) => backend === "a");
  source.tell([a.member, b.member]);
  await balancer.log.waitFor("backend_up", ({ backend }) => backend === "b");
  await until(() => weights(balancer).join() === "1,0.1", "it starts slowly after its first check");
});

Deno.test("ten thousand backends come, and a thousand changes more, in a few steps", async () => {
  const source = new FakeSource();
  const many = Array.from({ length: 10_000 }, (_, i) => `127.0.${i >> 8}.${i & 255}:80`);
  source.tell(many);
  await using balancer = await start(source, { within: WITHIN }, { workers: 1 });
  assert.equal(namesIn(balancer).length, 10_000);
  const stay = many.slice(1, 9_000).map(memberOf);
  for (let i = 0; i < 1_000; i++) source.tell([...stay, `127.1.${i >> 8}.${i & 255}:80`]);
  await until(() => namesIn(balancer).includes("127.1.3.231:80"), "the last change is in force");
  assert.equal(namesIn(balancer).length, 9_000);
  assert.equal(balancer.balancer.generations.started, 1);
  assert.ok(source.pauses.filter((ms) => ms === 100).length < 10, `${source.pauses.length} pauses`);
});

Deno.test("the order in which backends were learnt changes nothing", async () => {
  const members = Array.from({ length: 20 }, (_, i) => `127.0.0.1:${1_000 + i}`);
  const orders = [
    members,
    members.toReversed(),
    members.toSorted((a, b) => a.slice(-1) < b.slice(-1) ? -1 : 1),
  ];
  const plans: string[] = [];
  for (const order of orders) {
    const source = new FakeSource();
    source.tell(order.slice(0, 7));
    await using balancer = await start(source, { within: WITHIN, algorithm: "maglev" }, { workers: 1 });
    for (let count = 8; count <= order.length; count++) source.tell(order.slice(0, count));
    await until(() => namesIn(balancer).length === 20, "all are there");
    plans.push(
      balancer.balancer.plan.pools.flatMap(({ backends }) =>
        backends.map(({ address }) => formatAddress(address))
      ).join(),
    );
  }
  assert.equal(new Set(plans).size, 1);
});

Deno.test("a reload with another source keeps the members until that one has its own, and one without ends it", async () => {
  const source = new FakeSource();
  source.tell(["127.0.0.1:1"]);
  await using balancer = await start(source, { within: WITHIN });
  const become = (pool: Record<string, unknown>): Promise<"kept" | "replaced"> => {
    const listener = { listen: `127.0.0.1:${balancer.port}` };
    return balancer.balancer.reload(
      testConfig({ backends: ["127.0.0.1:9"], pool: { within: WITHIN, ...pool }, listener }),
    );
  };
  source.fail("connection refused");
  await become({ discover: { srv: "_web._tcp.internal" } });
  assert.deepEqual(namesIn(balancer), ["127.0.0.1:9", "127.0.0.1:1"]);
  await until(() => source.followers === 1, "only the new one is followed");
  source.tell(["127.0.0.1:2"]);
  await has(balancer, "127.0.0.1:9", "127.0.0.1:2");
  await become({});
  assert.deepEqual(namesIn(balancer), ["127.0.0.1:9"]);
  await until(() => source.followers === 0, "none is followed");
  source.tell(["127.0.0.1:3"]);
  assert.deepEqual(namesIn(balancer), ["127.0.0.1:9"]);
});

Deno.test("a reload that fails leaves the source in force, which was never ended, with what it has said meanwhile", async () => {
  const [source, other] = [new FakeSource(), new FakeSource()];
  source.tell(["127.0.0.1:1"]);
  const { pause } = source.discovery;
  const discovery = {
    pause,
    source: ({ srv }: { readonly srv?: string | undefined }) => srv ? other : source,
  };
  await using balancer = await start(source, { within: WITHIN }, { discovery });
  await using taken = startNamedBackend("taken");
  const failing = balancer.balancer.reload(testConfig({
    backends: [],
    pool: { within: WITHIN, discover: { srv: "_web._tcp.internal" } },
    listener: { listen: taken.member.address },
  }));
  await until(() => other.followers === 1, "the other source is tried");
  source.tell(["127.0.0.1:2"]);
  other.tell(["127.0.0.1:7"]);
  await assert.rejects(failing, { message: /in use/ });
  await has(balancer, "127.0.0.1:2");
  assert.deepEqual([source.followed, source.followers], [1, 1], "it goes on");
  await until(() => other.followers === 0, "the other one is ended");
});

Deno.test("a name among the members is looked up, and one that is not resolved is down", async () => {
  const source = new FakeSource();
  source.tell(["a.internal:80", "b.internal:80"]);
  const known: Pick<Names, "of"> & Record<string, unknown> = {
    refresh: () => Promise.resolve(),
    stop: () => {},
    keepOnly: () => {},
    staleReason: () => undefined,
    isKnown: () => false,
    of: (address: { host: string; port: number }) =>
      address.host === "a.internal"
        ? { addresses: [{ transport: "tcp", host: "127.0.0.1", port: 80 }] }
        : { reason: "there is no such name" },
  };
  await using balancer = await start(source, {}, {
    names: known as unknown as Names,
    sleep: () => new Promise(() => {}),
  });
  const backends = balancer.balancer.plan.pools[0]?.backends ?? [];
  assert.deepEqual(backends.map(({ name, unresolved }) => [name, unresolved]), [
    ["a.internal:80", undefined],
    ["b.internal:80", "there is no such name"],
  ]);
});

Deno.test("a backend that was found under a name has a certificate for that name", async () => {
  const source = new FakeSource();
  source.tell([{ address: "127.0.0.1:1", host: "api.internal" }]);
  await using balancer = await start(source);
  assert.equal(balancer.balancer.plan.pools[0]?.backends[0]?.host, "api.internal");
});

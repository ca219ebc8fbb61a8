// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Members that the operator adds, changes and removes, and what is kept of the operator's wishes. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import type { BalancerOperations } from "../../lib/control/operations.ts";
import { startNamedBackend, visit } from "../support/backend.ts";
import { startTestBalancer, testConfig, until } from "../support/balancer.ts";
import { type Address, formatAddress } from "../../lib/core/address.ts";
import { Balancer } from "../../lib/control/balancer.ts";
import type { Pause } from "../../lib/discovery/source.ts";
import { onEachEngine } from "../support/engines.ts";
import { FakeSource } from "../support/fake_source.ts";
import { memoryLog } from "../support/memory_log.ts";
import { operationsOf } from "../support/operations.ts";

const WITHIN = { within: ["127.0.0.0/8"] };

/** Name, origin, state and weight of each backend. */
function members(operations: BalancerOperations): string[] {
  return (operations.status().pools[0]?.backends ?? []).map(({ name, origin, state, weight }) =>
    `${name} ${origin} ${state} ${weight}`
  );
}

async function answers(port: number): Promise<string> {
  const names = new Set<string>();
  for (let i = 0; i < 4; i++) names.add(await visit(port));
  return [...names].sort().join();
}

onEachEngine("a backend is added, changed and removed again, kept apart from the file", async (engine) => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using balancer = await startTestBalancer({ engine, backends: [a.member], pool: WITHIN });
  const operations = operationsOf(balancer.balancer);
  const { address } = b.member;
  assert.deepEqual(await operations.setBackend("web", "b", { address, weight: 2 }), {
    message: `b: added; it is ${address}, of weight 2`,
  });
  assert.deepEqual(members(operations), ["a file up 1", "b operator up 2"]);
  assert.equal(await answers(balancer.port), "a,b");
  assert.deepEqual(await operations.setBackend("web", "b", { address, weight: 0 }), {
    message: `b: changed; it is ${address}, of weight 0`,
  });
  assert.equal(await answers(balancer.port), "a");
  const { listen } = { listen: `127.0.0.1:${balancer.port}` };
  await balancer.balancer.reload(
    testConfig({ backends: [a.member], pool: { ...WITHIN, retries: 1 }, listener: { listen } }),
  );
  assert.deepEqual(members(operations), ["a file up 1", "b operator up 0"], "a reload leaves it");
  assert.equal(JSON.stringify(operations.config()).includes('"b"'), false, "the file does not have it");
  assert.deepEqual(await operations.removeBackend("web", "b"), { message: "b: removed" });
  assert.deepEqual(members(operations), ["a file up 1"]);
  assert.equal(balancer.balancer.generations.started, 1);
  await operations.stop();
});

Deno.test("one of the file is changed over it, and is as before when that is taken back", async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using balancer = await startTestBalancer({ backends: [a.member], pool: WITHIN });
  const operations = operationsOf(balancer.balancer);
  await operations.setBackend("web", "a", { address: b.member.address, weight: 5 });
  assert.deepEqual(members(operations), ["a operator up 5"]);
  assert.equal(await answers(balancer.port), "b");
  assert.deepEqual(await operations.removeBackend("web", "a"), {
    message: "a: as it was before it was changed here",
  });
  assert.deepEqual(members(operations), ["a file up 1"]);
  assert.equal(await answers(balancer.port), "a");
  await operations.stop();
});

Deno.test("what cannot be done is said, and changes nothing", async () => {
  await using balancer = await startTestBalancer({
    backends: [{ address: "127.0.0.1:1", name: "a" }, { address: "127.0.0.1:9", name: "z" }],
    pool: WITHIN,
  });
  const operations = operationsOf(balancer.balancer);
  const refusals = [
    await operations.setBackend("nope", "b", { address: "127.0.0.1:2" }),
    await operations.setBackend("constructor", "b", { address: "127.0.0.1:2" }),
    await operations.setBackend("web", "b", { address: "127.0.0.1" }),
    await operations.setBackend("web", "b", { address: "127.0.0.1:2", colour: "red" }),
    await operations.setBackend("web", "b c", { address: "127.0.0.1:2" }),
    await operations.setBackend("web", "b", { address: "127.0.0.1:1" }),
    await operations.setBackend("web", "b", { address: "10.0.0.1:1" }),
    await operations.setBackend("web", "a", { address: "127.0.0.1:9" }),
    await operations.removeBackend("web", "a"),
    await operations.removeBackend("web", "b"),
  ].map(({ refused, message }) => `${refused}: ${message}`);
  assert.deepEqual(refusals, [
    'missing: There is no pool "nope".',
    'missing: There is no pool "constructor".',
    'invalid: address: "127.0.0.1" has no port; write host:port, [v6]:port or unix:/path',
    'invalid: colour: unknown key "colour"; use address, name, weight, max_connections, backup',
    'invalid: name: "b c" is not a name; use letters, digits and . _ - : / (at most 128, beginning with a letter or digit)',
    "conflict: b: 127.0.0.1:1 is another one's address.",
    "conflict: b: 10.0.0.1:1 is not within 127.0.0.0/8.",
    "conflict: z: 127.0.0.1:9 is another one's address.",
    "conflict: a was not added here: take it out of the configuration, or disable it.",
    'missing: There is no backend "b" in the pool "web".',
  ]);
  assert.deepEqual(members(operations), ["a file up 1", "z file up 1"]);
  await operations.stop();
});

onEachEngine("orders that are given at once are carried out one after the other", async (engine) => {
  await using a = startNamedBackend("a");
  await using balancer = await startTestBalancer({ engine, backends: [a.member], pool: WITHIN });
  const operations = operationsOf(balancer.balancer);
  const put = (name: string, port: number): Promise<{ readonly message: string }> =>
    operations.setBackend("web", name, { address: `127.0.0.1:${port}` });
  const said = await Promise.all([
    ...Array.from({ length: 20 }, (_, i) => put(`n${i}`, 1 + i)),
    put("twin", 1),
    put("n1", 101),
    put("n1", 102),
    operations.removeBackend("web", "n2"),
    operations.removeBackend("web", "n2"),
    put("n3", 103),
    operations.removeBackend("web", "n3"),
  ]);
  assert.deepEqual(said.slice(20).map(({ message }) => message), [
    "twin: 127.0.0.1:1 is another one's address.",
    "n1: changed; it is 127.0.0.1:101, of weight 1",
    "n1: changed; it is 127.0.0.1:102, of weight 1",
    "n2: removed",
    'There is no backend "n2" in the pool "web".',
    "n3: changed; it is 127.0.0.1:103, of weight 1",
    "n3: removed",
  ]);
  const left = Array.from({ length: 20 }, (_, i) => `n${i}`).filter((it) => !["n2", "n3"].includes(it));
  assert.deepEqual(members(operations).map((it) => it.split(" ")[0]), ["a", ...left]);
  await operations.stop();
});

onEachEngine("orders that need new workers within five seconds have them together", async (engine) => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using c = startNamedBackend("c");
  const pauses: number[] = [];
  const over = Promise.withResolvers<void>();
  const pause: Pause = (ms) => {
    pauses.push(ms);
    return over.promise;
  };
  await using balancer = await startTestBalancer({ engine, backends: [a.member], discovery: { pause } });
  const { generations } = balancer.balancer;
  const operations = operationsOf(balancer.balancer);
  const put = (name: string, address: string): Promise<{ readonly message: string }> =>
    operations.setBackend("web", name, { address });
  await put("b", b.member.address);
  assert.equal(generations.started, 2, "the first has new workers at once");
  const orders = [
    put("c", c.member.address),
    put("d", "127.0.0.1:1"),
    put("d", "127.0.0.1:2"),
    operations.removeBackend("web", "d"),
    put("e", b.member.address),
  ];
  // Comes after them, and knows nothing of what waits.
  await balancer.balancer.reload(balancer.balancer.membership.written);
  assert.deepEqual(members(operations), ["a file up 1", "b operator up 1"]);
  assert.equal(await answers(balancer.port), "a,b");
  over.resolve();
  assert.deepEqual((await Promise.all(orders)).map(({ message }) => message), [
    `c: added; it is ${c.member.address}, of weight 1`,
    "d: added; it is 127.0.0.1:1, of weight 1",
    "d: changed; it is 127.0.0.1:2, of weight 1",
    "d: removed",
    `e: ${b.member.address} is another one's address.`,
  ]);
  assert.deepEqual([generations.started, pauses], [3, [5_000, 5_000]]);
  assert.equal(await answers(balancer.port), "a,b,c");
  await operations.stop();
});

Deno.test("an order that cannot be put into force takes back itself, and no other one", async () => {
  await using balancer = await startTestBalancer({ backends: ["127.0.0.1:1"], workers: 1 });
  const operations = operationsOf(balancer.balancer);
  // Outside of all subnets, a backend needs new workers, which cannot be had when it stops.
  const put = (port: number): Promise<{ readonly message: string }> =>
    operations.setBackend("web", "b", { address: `127.0.0.1:${port}` });
  const [first] = [await put(2)];
  assert.equal(first.message, "b: added; it is 127.0.0.1:2, of weight 1");
  const failing = [put(3), put(4)];
  const stopping = balancer.stop();
  for (const { message } of await Promise.all(failing)) assert.match(message, /nothing has changed\.$/);
  await stopping;
  assert.equal(
    formatAddress(balancer.balancer.membership.added.get("web", "b")?.address as Address),
    "127.0.0.1:2",
  );
  await operations.stop();
});

/** A balancer that keeps its state in a file; it runs until the returned function is called. */
async function startKeeping(
  stateFile: string,
  backends: readonly Record<string, unknown>[],
  source?: FakeSource,
): Promise<{ operations: BalancerOperations; log: ReturnType<typeof memoryLog>; stop: () => Promise<void> }> {
  const log = memoryLog();
  const balancer = new Balancer({
    config: {
      ...testConfig({
        backends,
        pool: { ...WITHIN, ...(source && { discover: { file: "/nowhere/members.yaml" } }) },
        workers: 1,
      }),
      stateFile,
    },
    log: log.log,
    ...(source && { discovery: source.discovery }),
  });
  const operations = operationsOf(balancer);
  await operations.restore();
  await balancer.start();
  return {
    operations,
    log,
    stop: async () => {
      await balancer.stop();
      await operations.stop();
    },
  };
}

Deno.test("the operator's wishes, weights and backends are kept over a restart", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/state.json`;
  const backends = ["a", "b", "c"].map((name, i) => ({ name, address: `127.0.0.1:${i + 1}` }));
  const first = await startKeeping(file, backends);
  first.operations.steer("web", "a", { do: "drain", deadlineMs: undefined });
  first.operations.steer("web", "b", { do: "disable" });
  first.operations.steer("web", "c", { do: "weight", weight: 9 });
  await first.operations.setBackend("web", "d", { address: "127.0.0.1:4", weight: 3 });
  await first.operations.setBackend("web", "e", { address: "127.0.0.1:5" });
  first.operations.steer("web", "e", { do: "disable" });
  const wanted = [
    "a file draining 1",
    "b file disabled 1",
    "c file up 9",
    "d operator up 3",
    "e operator disabled 1",
  ];
  assert.deepEqual(members(first.operations), wanted);
  await first.stop();

  const second = await startKeeping(file, backends);
  assert.deepEqual(members(second.operations), wanted);
  await second.operations.removeBackend("web", "e");
  second.operations.steer("web", "b", { do: "enable" });
  await second.stop();

  const third = await startKeeping(file, backends.slice(1));
  assert.deepEqual(members(third.operations), ["b file up 1", "c file up 9", "d operator up 3"]);
  third.operations.steer("web", "b", { do: "weight", weight: 2 });
  await third.stop();
  assert.match(
    await Deno.readTextFile(file),
    /"a": \{\s*"operator": "draining"/,
    "what has not come yet is kept",
  );
  assert.equal(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a backend that goes and comes back is as it was wanted before, and so it is after a restart", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/state.json`;
  const source = new FakeSource();
  const [a, b, c] = [1, 2, 3].map((port) => `127.0.0.1:${port}`) as [string, string, string];
  const d = { name: "d", address: "127.0.0.1:4" };
  source.tell([a, b, c, d]);
  const first = await startKeeping(file, [], source);
  const shows = (of: BalancerOperations, ...wanted: string[]): Promise<void> =>
    until(() => members(of).join() === wanted.join(), `${wanted}; there are ${members(of)}`);
  first.operations.steer("web", b, { do: "drain", deadlineMs: undefined });
  first.operations.steer("web", c, { do: "weight", weight: 9 });
  first.operations.steer("web", "d", { do: "weight", weight: 9 });
  source.tell([a]);
  await shows(first.operations, "127.0.0.1:1 discovered up 1");
  first.operations.steer("web", a, { do: "disable" });
  source.tell([a, b, c, { ...d, weight: 2 }]);
  const wanted = [
    "127.0.0.1:1 discovered disabled 1",
    "127.0.0.1:2 discovered draining 1",
    "127.0.0.1:3 discovered up 9",
    "d discovered up 2",
  ];
  await shows(first.operations, ...wanted);
  source.tell([a, { ...d, weight: 2 }]);
  await shows(first.operations, "127.0.0.1:1 discovered disabled 1", "d discovered up 2");
  await first.stop();

  const second = await startKeeping(file, [], source);
  source.tell([a, b, c, { ...d, weight: 2 }]);
  await shows(second.operations, ...wanted);
  await second.stop();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("what was wanted of a backend that is removed is forgotten, and one that a source pushes out can be removed", async () => {
  const source = new FakeSource();
  source.tell([]);
  await using balancer = await startTestBalancer({
    backends: [{ name: "a", address: "127.0.0.1:1" }],
    pool: { ...WITHIN, discover: { file: "/nowhere/members.yaml", allow_empty: true } },
    discovery: source.discovery,
  });
  const operations = operationsOf(balancer.balancer);
  const address = "127.0.0.1:2";
  const has = (...names: string[]): Promise<void> =>
    until(() => members(operations).join() === names.join(), `${names}; there are ${members(operations)}`);
  for (const isPushedOut of [false, true]) {
    await operations.setBackend("web", "b", { address });
    operations.steer("web", "b", { do: "disable" });
    await has("a file up 1", "b operator disabled 1");
    if (isPushedOut) {
      source.tell([{ name: "twin", address }]);
      await has("a file up 1", "twin discovered up 1");
    }
    assert.deepEqual(await operations.removeBackend("web", "b"), { message: "b: removed" });
    source.tell([]);
    await has("a file up 1");
    await operations.setBackend("web", "b", { address });
    await has("a file up 1", "b operator up 1");
    await operations.removeBackend("web", "b");
  }
  await operations.stop();
});

Deno.test("a state that cannot be read is kept aside before another is written, and stays where that cannot be", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/state.json`;
  const backends = [{ name: "a", address: "127.0.0.1:1" }];
  await Deno.writeTextFile(file, '{"version":1,"wishes":{"web":{"a":{"oper');
  const first = await startKeeping(file, backends);
  await first.log.waitFor("state_not_read");
  first.operations.steer("web", "a", { do: "disable" });
  const { fields } = await first.log.waitFor("state_kept_aside");
  assert.deepEqual(fields, { file, as: `${file}.unread` });
  first.operations.steer("web", "a", { do: "drain", deadlineMs: undefined });
  await first.stop();
  assert.equal(await Deno.readTextFile(`${file}.unread`), '{"version":1,"wishes":{"web":{"a":{"oper');

  const second = await startKeeping(file, backends);
  assert.deepEqual(members(second.operations), ["a file draining 1"]);
  await second.stop();
  await Deno.writeTextFile(file, "torn again");

  const third = await startKeeping(file, backends);
  third.operations.steer("web", "a", { do: "disable" });
  assert.equal(
    (await third.log.waitFor("state_not_written")).fields.reason,
    `${file} could not be read, and is not overwritten; ${file}.unread is another such one: move one of them away`,
  );
  await third.stop();
  assert.equal(await Deno.readTextFile(file), "torn again");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a file that a reload names is written at once, and what is no state is not overwritten", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/state.json`;
  await Deno.writeTextFile(`${folder}/notes.txt`, "by mistake");
  const config = testConfig({ backends: [{ name: "a", address: "127.0.0.1:1" }], pool: WITHIN, workers: 1 });
  const log = memoryLog();
  const balancer = new Balancer({ config, log: log.log });
  let stateFile: string | undefined = file;
  const operations = operationsOf(balancer, {
    reload: async () => {
      await balancer.reload({ ...config, stateFile });
      return { ok: true, message: "" };
    },
  });
  await balancer.start();
  operations.steer("web", "a", { do: "disable" });
  await operations.reload();
  await until(() => existsSync(file), "it is written");
  assert.match(await Deno.readTextFile(file), /"operator": "disabled"/);
  stateFile = `${folder}/notes.txt`;
  await operations.reload();
  await log.waitFor("state_kept_aside");
  await balancer.stop();
  await operations.stop();
  assert.equal(await Deno.readTextFile(`${folder}/notes.txt.unread`), "by mistake");
  assert.match(await Deno.readTextFile(stateFile), /"operator": "disabled"/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a state that cannot be read or written is told, and nothing else fails", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/state.json`;
  await Deno.writeTextFile(file, '{"version":1,"wishes":{"web":{"a":{"weight":1000}}},"added":{}}');
  const running = await startKeeping(file, [{ name: "a", address: "127.0.0.1:1" }]);
  assert.deepEqual((await running.log.waitFor("state_not_read")).fields, {
    reason: `${file}: is no state that sockbal has written`,
  });
  await Deno.remove(folder, { recursive: true });
  running.operations.steer("web", "a", { do: "disable" });
  await running.log.waitFor("state_not_written");
  assert.deepEqual(members(running.operations), ["a file disabled 1"]);
  await running.stop();
});

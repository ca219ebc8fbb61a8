import assert from "node:assert/strict";
import { NO_TLS_KEYS } from "../../lib/dataplane/messages.ts";
import { Generations } from "../../lib/control/generations.ts";
import type { Plan } from "../../lib/control/plan.ts";
import { enter, type Guest, startNamedBackend } from "../support/backend.ts";
import { type TestBalancerOptions, testConfig, until } from "../support/balancer.ts";
import { readAll, text } from "../support/bytes.ts";
import { portOf, Workshop } from "../support/generation.ts";

class Setting extends Workshop {
  /** How many sessions had to be ended, of each generation that has drained, by its number. */
  readonly drained = new Map<number, number>();
  readonly generations = new Generations({
    deps: this.deps,
    onDrained: ({ number }, closed) => this.drained.set(number, closed),
    stop: this.stop.signal,
  });

  /** Starts the next generation, of one worker. */
  async next(plan: Plan, options: TestBalancerOptions): Promise<void> {
    const config = testConfig({ ...options, workers: 1 });
    await this.generations.start(plan, config, NO_TLS_KEYS, () => this.introduce(plan, options));
  }

  /** Starts two generations with a session in each; the first is retired. */
  async replaced(options: TestBalancerOptions, drainTimeoutMs = Infinity): Promise<[Guest, Guest]> {
    const plan = await this.planOf(options);
    await this.next(plan, options);
    const { current: old = assert.fail("nothing runs") } = this.generations;
    const before = await enter(portOf(plan));
    await this.next(plan, options);
    await this.generations.retire(old, plan, drainTimeoutMs);
    return [before, await enter(portOf(plan))];
  }
}

/** The client goes, and its session ends by itself. */
async function leave({ conn }: Guest): Promise<void> {
  await conn.closeWrite();
  assert.equal(text(await readAll(conn)), "");
}

Deno.test("a generation that cannot begin is not counted and not current", async () => {
  const it = new Setting();
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/file`, "");
  const impossible = { backends: ["127.0.0.1:1"], listener: { listen: `unix:${folder}/file` } };
  await assert.rejects(it.next(await it.planOf(impossible), impossible), /cannot listen/);
  assert.deepEqual([it.generations.started, it.generations.current, it.generations.all], [0, undefined, []]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a generation that is retired lives until its last session has ended", async () => {
  await using a = startNamedBackend("a");
  const it = new Setting();
  const [before, after] = await it.replaced({ backends: [a.member] });
  assert.deepEqual(it.generations.all.map(({ number }) => number), [1, 2]);
  assert.deepEqual([it.generations.started, it.generations.current?.number], [2, 2]);
  await leave(before);
  await until(() => it.drained.size === 1, "the first has drained");
  assert.deepEqual([...it.drained], [[1, 0]]);
  assert.deepEqual(it.generations.all.map(({ number }) => number), [2]);
  await leave(after);
  assert.equal(await it.generations.drain(5_000), 0);
  for (const { conn } of [before, after]) conn.close();
});

Deno.test("sessions of all generations are listed, the oldest first, and ended by their ids", async () => {
  await using a = startNamedBackend("a");
  const it = new Setting();
  const [before, after] = await it.replaced({ backends: [a.member] });
  const sessions = await it.generations.sessions(10);
  const client = ({ conn: { localAddr } }: Guest): string => `127.0.0.1:${localAddr.port}`;
  assert.deepEqual(sessions.map((it) => it.client), [client(before), client(after)]);
  assert.deepEqual((await it.generations.sessions(1)).map((it) => it.client), [client(before)]);
  assert.equal(await it.generations.endSession("no such id", "killed"), false);
  assert.equal(await it.generations.endSession(sessions[0]?.id ?? "", "killed"), true);
  assert.equal(text(await readAll(before.conn)), "");
  assert.equal(await it.generations.drain(0), 1, "the other one is there until the end");
  for (const { conn } of [before, after]) conn.close();
});

Deno.test("a new drain timeout is for those that were retired, and not for the current one", async () => {
  await using a = startNamedBackend("a");
  const it = new Setting();
  const [before, after] = await it.replaced({ backends: [a.member] });
  it.generations.limitLingering({ ...testConfig({ backends: [a.member] }), reloadDrainTimeoutMs: 1 });
  assert.equal(text(await readAll(before.conn)), "");
  await until(() => it.drained.size === 1, "the first has drained");
  assert.deepEqual([...it.drained], [[1, 1]]);
  assert.equal((await it.generations.sessions(10)).length, 1);
  await leave(after);
  await it.generations.drain(5_000);
  for (const { conn } of [before, after]) conn.close();
});

Deno.test("all have confirmed when no worker of any generation is silent", async () => {
  await using a = startNamedBackend("a");
  const options = { backends: [a.member] };
  const it = new Setting();
  const plan = await it.planOf(options);
  await it.next(plan, options);
  assert.equal(await it.generations.confirm(), true);
  it.entry = import.meta.resolve("../support/workers/silent_worker.ts");
  await it.next(plan, options);
  assert.equal(await it.generations.confirm(), false);
  await it.generations.drain(0);
});

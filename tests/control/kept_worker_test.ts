import assert from "node:assert/strict";
import { NO_TLS_KEYS } from "../../lib/dataplane/messages.ts";
import { KeptWorker } from "../../lib/control/kept_worker.ts";
import { permittedBy, type Plan } from "../../lib/control/plan.ts";
import { enter, startNamedBackend, visit } from "../support/backend.ts";
import { type TestBalancerOptions, until } from "../support/balancer.ts";
import { portOf, type TestWorker, Workshop } from "../support/generation.ts";

const NOWHERE = { backends: ["127.0.0.1:1"] };

/** The only worker of a generation. */
class Setting extends Workshop {
  readonly draining = new AbortController();
  readonly plan: Plan;
  readonly kept: KeptWorker;

  static async start(options: TestBalancerOptions, worker?: TestWorker): Promise<Setting> {
    const it = new Setting(await new Workshop().planOf(options), worker);
    it.introduce(it.plan, options);
    await it.kept.worker.listening;
    it.kept.worker.accept();
    return it;
  }

  private constructor(plan: Plan, worker?: TestWorker) {
    super(worker);
    this.plan = plan;
    this.kept = new KeptWorker(0, {
      ...this.deps,
      plan: () => this.plan,
      keys: () => NO_TLS_KEYS,
      permitted: permittedBy(plan, true),
      sockets: this.engine.sockets(plan.listeners),
      firstIndex: 0,
      count: 1,
      draining: this.draining.signal,
    });
  }

  /** Sessions at the listener, and at the backend. */
  get counts(): number[] {
    const { listeners: [listener], pools: [pool] } = this.plan;
    const rows = [listener?.sessionsRow, pool?.backends[0]?.row].filter((row) => row !== undefined);
    return rows.map((row) => this.scoreboard.count(row));
  }

  /** Ends the worker for good. */
  async end(): Promise<void> {
    const kept = this.kept.keepAlive();
    this.draining.abort();
    this.kept.worker.terminate();
    await kept;
  }
}

Deno.test("a worker that has died is replaced, and what it held is given back", async () => {
  await using a = startNamedBackend("a");
  const it = await Setting.start({ backends: [a.member] });
  const kept = it.kept.keepAlive();
  using _one = await enter(portOf(it.plan));
  using _two = await enter(portOf(it.plan));
  assert.deepEqual(it.counts, [2, 2]);
  it.kept.worker.terminate("told to die");
  const { fields } = await it.log.waitFor("worker_died");
  assert.deepEqual(fields, { worker: 0, reason: "told to die", sessions: 2, restart_in_ms: 50 });
  assert.deepEqual(it.counts, [0, 0]);
  await it.log.waitFor("worker_restarted");
  assert.equal(it.kept.number, 0, "its number was free again");
  assert.equal(await visit(portOf(it.plan)), "a");
  it.draining.abort();
  it.kept.worker.drain();
  await kept;
  assert.equal(it.kept.lost, 0);
});

Deno.test("while replacements die as well the pause before the next one doubles", async () => {
  const it = await Setting.start(NOWHERE, "silent");
  const kept = it.kept.keepAlive();
  for (let i = 0; i < 4; i++) {
    const { worker } = it.kept;
    worker.terminate(String(i));
    // deno-lint-ignore no-await-in-loop -- one death after the other
    await until(() => it.kept.worker !== worker, "it is replaced");
  }
  const pauses = it.log.events.filter(({ event }) => event === "worker_died")
    .map(({ fields }) => fields.restart_in_ms);
  assert.deepEqual(pauses, [50, 100, 200, 400]);
  it.draining.abort();
  it.kept.worker.terminate();
  await kept;
});

Deno.test("a worker that dies while it drains is not replaced, and its sessions are lost", async () => {
  await using a = startNamedBackend("a");
  const it = await Setting.start({ backends: [a.member] });
  using _guest = await enter(portOf(it.plan));
  const { worker } = it.kept;
  await it.end();
  assert.deepEqual([it.kept.worker, it.kept.lost, it.counts], [worker, 1, [0, 0]]);
  const { fields } = await it.log.waitFor("worker_died");
  assert.deepEqual([fields.sessions, fields.restart_in_ms], [1, undefined]);
});

Deno.test("a worker that has drained is neither dead nor replaced", async () => {
  const it = await Setting.start(NOWHERE);
  const kept = it.kept.keepAlive();
  it.kept.worker.drain();
  await kept;
  assert.deepEqual(it.kept.worker.end, { drained: true, closedSessions: 0 });
  assert.deepEqual(it.log.events, []);
  assert.equal(it.numbers.take(), 0);
});

Deno.test("the ticket of a worker that has died holds up no queue", async () => {
  const options = { ...NOWHERE, pool: { queue: { size: 5, timeout: "1m" } } };
  const it = await Setting.start(options, "silent");
  const { queue, row } = it.plan.pools[0] ?? assert.fail("no pool");
  assert.ok(queue !== undefined);
  it.scoreboard.setTableCell(queue.row, it.kept.number, 17);
  const wakes = it.scoreboard.wakes(row);
  await it.end();
  assert.equal(it.scoreboard.tableCell(queue.row, 0), 0);
  assert.ok(it.scoreboard.wakes(row) > wakes, "those who wait look again");
});

Deno.test("a worker that is discarded gives back its number and is gone", async () => {
  const it = await Setting.start(NOWHERE, "silent");
  it.kept.discard();
  assert.equal(it.numbers.take(), 0);
  assert.deepEqual(await it.kept.worker.ended, { drained: false, reason: "terminated" });
});

import assert from "node:assert/strict";
import type { Plan } from "../../lib/control/plan.ts";
import { PlansInUse } from "../../lib/control/plans_in_use.ts";
import { TotalsBook } from "../../lib/control/totals.ts";
import type { BackendRow } from "../../lib/pool/row.ts";
import { until } from "../support/balancer.ts";
import { Workshop } from "../support/generation.ts";

/** Plans that come into force one after the other; the newest is the last. */
class Setting extends Workshop {
  readonly plans: Plan[] = [];
  readonly stopping = new AbortController();
  confirms = 0;
  /** Whether all workers answer. */
  answers = true;
  readonly use = new PlansInUse({
    rows: this.rows,
    scoreboard: this.scoreboard,
    totals: new TotalsBook(),
    plans: () => this.plans,
    confirm: () => {
      this.confirms++;
      return Promise.resolve(this.answers);
    },
    inTurn: (work) => work(),
    stop: this.stopping.signal,
  });

  /** Puts these backends into force, beside what is in force. */
  async begin(...backends: string[]): Promise<Plan> {
    const plan = await this.planOf({
      backends: backends.map((name, i) => ({ name, address: `127.0.0.1:${i + 1}` })),
    });
    this.plans.push(plan);
    this.use.begin(plan);
    return plan;
  }

  /** No generation runs this plan any more. */
  end(plan: Plan): void {
    this.plans.splice(this.plans.indexOf(plan), 1);
    this.use.end(plan);
  }
}

function rowOf(plan: Plan, name: string): BackendRow {
  return plan.pools[0]?.backends.find((it) => it.name === name)?.row ?? assert.fail(`there is no ${name}`);
}

/** The names of the backends that leave. */
function leaving(it: Setting, current: Plan): string[] {
  return it.use.leaving(current).pools.flatMap(({ backends }) => backends.map(({ name }) => name));
}

Deno.test("a backend that left keeps its row while it has a session, and gives it back after the last", async () => {
  const it = new Setting();
  const first = await it.begin("a", "b");
  const row = rowOf(first, "b");
  it.scoreboard.raise(row, 0);
  const second = await it.begin("a");
  it.end(first);
  assert.deepEqual([it.use.backendAt(row)?.name, leaving(it, second)], ["b", ["b"]]);
  it.scoreboard.lower(row, 1);
  await until(() => it.use.backendAt(row) === undefined, "its row is free");
  assert.ok(it.confirms > 0, "workers were asked before");
  const third = await it.begin("a", "c");
  assert.equal(rowOf(third, "c"), row);
  it.stopping.abort();
});

Deno.test("no row is given back while a worker does not answer", async () => {
  const it = new Setting();
  it.answers = false;
  const first = await it.begin("a", "b");
  const row = rowOf(first, "b");
  await it.begin("a");
  it.end(first);
  await until(() => it.confirms > 0, "workers were asked");
  assert.equal(it.use.backendAt(row)?.name, "b");
  it.answers = true;
  await until(() => it.use.backendAt(row) === undefined, "its row is free");
  it.stopping.abort();
});

Deno.test("what an older generation still runs has not left", async () => {
  const it = new Setting();
  const first = await it.begin("a", "b");
  const row = rowOf(first, "b");
  it.scoreboard.raise(row, 0);
  const second = await it.begin("a");
  assert.deepEqual(leaving(it, second), ["b"], "it is shown, since it has a session");
  const third = await it.begin("a", "b");
  assert.equal(rowOf(third, "b"), row);
  it.end(second);
  it.end(first);
  assert.deepEqual(leaving(it, third), []);
  assert.equal(it.confirms, 0, "there is nothing to give back");
  it.stopping.abort();
});

Deno.test("after the stop no more rows are given back", async () => {
  const it = new Setting();
  const first = await it.begin("a", "b");
  await it.begin("a");
  it.stopping.abort();
  it.end(first);
  assert.equal(it.use.backendAt(rowOf(first, "b"))?.name, "b");
  assert.equal(it.confirms, 0);
});

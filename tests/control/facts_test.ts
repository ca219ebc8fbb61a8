import assert from "node:assert/strict";
import { introduceBackends, setFacts } from "../../lib/control/facts.ts";
import type { Plan } from "../../lib/control/plan.ts";
import type { BackendRow, PoolRow } from "../../lib/pool/row.ts";
import type { BackendFacts } from "../../lib/pool/scoreboard.ts";
import { type TestBalancerOptions, testConfig } from "../support/balancer.ts";
import { Workshop } from "../support/generation.ts";

const A = { name: "a", address: "127.0.0.1:1" };
const MOVED = { ...A, address: "127.0.0.1:2" };

/** What an operator and health checks may have made of a backend. */
const CHANGED: BackendFacts = {
  isUp: false,
  isEjected: true,
  operator: "draining",
  weight: 7,
  rampPercent: 30,
  maxConnections: 9,
};

/** What happened to the backend of a plan before the next configuration. */
class Setting extends Workshop {
  before: Plan = { listeners: [], pools: [], within: [], rows: [], settled: new Map() };

  async become(options: TestBalancerOptions): Promise<void> {
    const plan = await this.planOf(options);
    introduceBackends(this.scoreboard, plan, testConfig(options), this.before);
    this.before = plan;
  }

  /** Of the only backend. */
  get facts(): BackendFacts {
    return this.scoreboard.facts(this.#only.backend);
  }

  /** Changes its facts, and lets it fail once. */
  change(): void {
    this.scoreboard.setFacts(this.#only.pool, this.#only.backend, CHANGED);
    this.scoreboard.addFailure(this.#only.backend);
  }

  /** Failures in a row, with one more. */
  fail(): number {
    return this.scoreboard.addFailure(this.#only.backend);
  }

  get #only(): { readonly pool: PoolRow; readonly backend: BackendRow } {
    const [pool = assert.fail("no pool")] = this.before.pools;
    const [backend = assert.fail("no backend")] = pool.backends;
    return { pool: pool.row, backend: backend.row };
  }
}

Deno.test("a new backend is enabled and up, with the weight and the limit of its configuration", async () => {
  const it = new Setting();
  await it.become({ backends: [{ ...A, weight: 3, max_connections: 5 }] });
  assert.deepEqual(it.facts, {
    isUp: true,
    isEjected: false,
    operator: "enabled",
    weight: 3,
    rampPercent: 100,
    maxConnections: 5,
  });
});

Deno.test("a new backend waits for its first check where the pool says so", async () => {
  const it = new Setting();
  await it.become({ backends: [A], pool: { initial: "down", health_check: {} } });
  assert.equal(it.facts.isUp, false);
});

Deno.test("a backend that stays keeps every fact and its failures", async () => {
  const it = new Setting();
  await it.become({ backends: [A] });
  it.change();
  await it.become({ backends: [{ ...A, weight: 2, backup: true }] });
  assert.deepEqual(it.facts, CHANGED);
  assert.equal(it.fail(), 2);
});

Deno.test("a backend that moves is as new, but for what its operator wants of it", async () => {
  const it = new Setting();
  await it.become({ backends: [A] });
  it.change();
  await it.become({ backends: [MOVED] });
  assert.deepEqual(it.facts, { ...CHANGED, isUp: true, isEjected: false, rampPercent: 100 });
  assert.equal(it.fail(), 1);
});

Deno.test("a backend that returns while its row is still in use is as new in everything", async () => {
  const it = new Setting();
  await it.become({ backends: [A] });
  it.change();
  it.before = { ...it.before, pools: [] };
  await it.become({ backends: [A] });
  assert.deepEqual([it.facts.isUp, it.facts.operator, it.facts.weight], [true, "enabled", 1]);
  assert.equal(it.fail(), 1);
});

Deno.test("a pool hears once of all its new backends", async () => {
  const it = new Setting();
  let told = 0;
  it.scoreboard.onChanged = () => told++;
  await it.become({ backends: [A, { ...MOVED, name: "b" }, { ...A, name: "c", address: "127.0.0.1:3" }] });
  assert.equal(told, 1);
});

Deno.test("a weight that the file has not changed stays as the operator set it; a limit is always the file's", async () => {
  const it = new Setting();
  const before = { backends: [{ ...A, weight: 3, max_connections: 4 }] };
  await it.become(before);
  it.change();
  const apply = (weight: number, limit: number): void => {
    const now = testConfig({ backends: [{ ...A, weight, max_connections: limit }] });
    setFacts(it.scoreboard, it.before, now, testConfig(before));
  };
  apply(3, 5);
  assert.deepEqual(it.facts, { ...CHANGED, maxConnections: 5 });
  apply(4, 0);
  assert.deepEqual(it.facts, { ...CHANGED, weight: 4, maxConnections: 0 });
});

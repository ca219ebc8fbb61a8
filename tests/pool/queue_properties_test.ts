// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What holds for a queue whatever the sessions of two workers and the control plane do, step by step. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Backend } from "../../lib/pool/backend.ts";
import type { Pool } from "../../lib/pool/pool.ts";
import type { BackendFacts } from "../../lib/pool/scoreboard.ts";
import { assertNobodyWaits, quiet, tryToJoin, type Waiting } from "./line.ts";
import { onlyWhenWoken } from "./only_when_woken.ts";
import { HEALTHY, POOL, QUEUE, queueOf, type SharedPool, sharePool } from "./shared_pool.ts";

onlyWhenWoken();

const NAMES = ["a", "b", "c"];
const SIZE = 5;
const TIMEOUT_MS = 10;

const facts = fc.record({
  isUp: fc.constantFrom(true, true, false),
  operator: fc.constantFrom("enabled", "enabled", "draining"),
  maxConnections: fc.integer({ min: 1, max: 3 }),
}, { requiredKeys: [], noNullPrototype: true });

const step = fc.record({
  what: fc.constantFrom(
    "arrive",
    "arrive",
    "arrive",
    "release",
    "release",
    "leave",
    "half-close",
    "tick",
    "change",
  ),
  isOne: fc.boolean(),
  which: fc.nat(20),
  tried: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.subarray(NAMES) }),
  facts,
}, { noNullPrototype: true });

/** A pool and its queue, and what is known of the sessions there. */
class Model {
  readonly shared: SharedPool;
  readonly facts = new Map(NAMES.map((name) => [name, { ...HEALTHY, maxConnections: 1 }]));
  /** Who has a slot, at what, in which worker. */
  readonly held: { readonly pool: Pool; readonly backend: Backend }[] = [];
  #line: Waiting[] = [];
  readonly #halfClosed = new Set<Waiting>();
  #tickMs = 0;

  constructor() {
    const queue = { row: QUEUE, size: SIZE, timeoutMs: TIMEOUT_MS };
    this.shared = sharePool(Object.fromEntries(this.facts), { queue });
  }

  /** As a session does it: whoever comes for the first time gets in line behind those who wait. */
  arrive(pool: Pool, triedNames: readonly string[]): void {
    const tried = triedNames.map((name) => this.shared.backend(name));
    const mayPass = tried.length > 0 || queueOf(pool).isEmpty;
    const backend = mayPass ? pool.take(tried, 0) : undefined;
    if (backend !== undefined) return void this.held.push({ pool, backend });
    if (!pool.hasOther(tried)) return;
    const mayJoin = this.#line.length - this.#halfClosed.size < SIZE;
    const waiting = tryToJoin(pool, tried, this.#tickMs);
    assert.equal(waiting !== undefined, mayJoin, "a place in the queue");
    if (waiting !== undefined) this.#line.push(waiting);
  }

  release(which: number): void {
    const [slot] = this.held.splice(which % Math.max(1, this.held.length), 1);
    if (slot !== undefined) slot.pool.release(slot.backend);
  }

  leave(which: number): void {
    const waiting = this.#line[which % Math.max(1, this.#line.length)];
    if (waiting !== undefined) queueOf(waiting.pool).leave(waiting.queued);
  }

  halfClose(which: number): void {
    const waiting = this.#line[which % Math.max(1, this.#line.length)];
    if (waiting === undefined) return;
    queueOf(waiting.pool).halfClosed(waiting.queued);
    this.#halfClosed.add(waiting);
  }

  tick(): void {
    this.#tickMs++;
    for (const pool of [this.shared.one, this.shared.two]) queueOf(pool).onTick(this.#tickMs);
  }

  change(name: string, facts: Partial<BackendFacts>): void {
    this.facts.set(name, { ...HEALTHY, ...this.facts.get(name), ...facts });
    this.shared.change(name, facts);
  }

  /** Lets all that were woken act, and looks at how everything stands. */
  async check(): Promise<void> {
    const { board, active, backends } = this.shared;
    await quiet(board);
    const served = this.#line.filter(({ outcome }) => outcome !== undefined);
    this.#line = this.#line.filter(({ outcome }) => outcome === undefined);
    for (const waiting of served) {
      this.#halfClosed.delete(waiting);
      this.#checkOutcome(waiting);
    }
    assert.equal(board.count(POOL), this.#line.length, "waiting");
    assert.equal(board.count(QUEUE), this.#halfClosed.size, "half-closed");
    const count = (backend: Backend): number => this.held.filter((it) => it.backend === backend).length;
    assert.deepEqual(active(), backends.map(count));
    for (const { tried, queued } of this.#line) {
      assert.ok(this.#tickMs < queued.deadlineMs, "a timeout that was missed");
      const wanted = backends.filter((it) => !tried.includes(it) && this.#isAvailable(it));
      const free = wanted.filter((it) => count(it) < this.#factsOf(it).maxConnections);
      assert.deepEqual(
        free.map(({ name }) => name),
        [],
        `a slot that nobody took, for ticket ${queued.ticket}`,
      );
      assert.notEqual(wanted.length, 0, `nothing to wait for, for ticket ${queued.ticket}`);
    }
  }

  #checkOutcome({ pool, queued, tried, outcome }: Waiting): void {
    const how = outcome?.how;
    if (how === "queue_timeout") assert.ok(this.#tickMs >= queued.deadlineMs);
    if (typeof how !== "object") return;
    assert.ok(!tried.includes(how), "tried before");
    this.held.push({ pool, backend: how });
    if (tried.length > 0) return;
    const earlier = this.#line.filter((it) => it.tried.length === 0 && it.queued.ticket < queued.ticket);
    assert.deepEqual(earlier.map((it) => it.queued.ticket), [], `overtaken by ${queued.ticket}`);
  }

  #factsOf({ name }: Backend): BackendFacts {
    return this.facts.get(name) ?? HEALTHY;
  }

  #isAvailable(backend: Backend): boolean {
    const { isUp, operator } = this.#factsOf(backend);
    return isUp && operator === "enabled";
  }
}

Deno.test("whatever happens, the order holds, no slot stays free while somebody waits for it, and counts are right", async () => {
  const steps = fc.array(step, { maxLength: 60, size: "max" });
  const property = fc.asyncProperty(steps, async (steps) => {
    const model = new Model();
    for (const { what, isOne, which, tried, facts } of steps) {
      if (what === "arrive") model.arrive(isOne ? model.shared.one : model.shared.two, tried);
      else if (what === "release") model.release(which);
      else if (what === "leave") model.leave(which);
      else if (what === "half-close") model.halfClose(which);
      else if (what === "tick") model.tick();
      else model.change(NAMES[which % NAMES.length] ?? "", facts);
      await model.check();
    }
    for (const name of NAMES) model.change(name, { ...HEALTHY, maxConnections: 0 });
    await model.check();
    assertNobodyWaits(model.shared.board);
    while (model.held.length > 0) model.release(0);
    assert.deepEqual(model.shared.active(), [0, 0, 0]);
  });
  await fc.assert(property, { numRuns: 200 });
});

/** What holds for a pool whatever its algorithm, and whatever its workers and the control plane do in between. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type AlgorithmName, algorithms } from "../../lib/balance/algorithms.ts";
import { WHEN_ALL_DOWN } from "../../lib/pool/availability.ts";
import type { Backend } from "../../lib/pool/backend.ts";
import { Ledger } from "../../lib/pool/ledger.ts";
import { Pool } from "../../lib/pool/pool.ts";
import { type BackendFacts, OPERATOR_STATES, Scoreboard } from "../../lib/pool/scoreboard.ts";
import { HEALTHY, type MemberOptions, type SharedPool, sharePool } from "./shared_pool.ts";

const NAMES = ["a", "b", "c", "d"];

/** Each change of facts builds a table of 65,537 slots. */
const RUNS = { maglev: 50 } as Partial<Record<AlgorithmName, number>>;

const facts = fc.record({
  isUp: fc.constantFrom(true, true, false),
  isEjected: fc.constantFrom(false, false, true),
  operator: fc.constantFrom("enabled", "enabled", "enabled", ...OPERATOR_STATES),
  weight: fc.nat(3),
  rampPercent: fc.constantFrom(1, 37, 100),
  maxConnections: fc.nat(3),
}, { requiredKeys: [], noNullPrototype: true });

const member = fc.record({ facts, isBackup: fc.boolean() }, { noNullPrototype: true })
  .map(({ facts, isBackup }): MemberOptions => ({ ...facts, isBackup }));

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant("take" as const),
      worker: fc.nat(1),
      tried: fc.oneof(fc.constant([]), fc.subarray(NAMES)),
      key: fc.nat(2 ** 32 - 1),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant("release" as const), worker: fc.nat(1), which: fc.nat(20) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant("change" as const), name: fc.constantFrom(...NAMES), facts }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("die" as const), worker: fc.nat(1) }) },
);

interface TestWorker {
  readonly pool: Pool;
  readonly ledger: Ledger;
}

/** A pool, and what it has to be like. */
class Model {
  readonly shared: SharedPool;
  readonly facts: Map<string, BackendFacts>;
  /** The slots that each worker has. */
  readonly held: [Backend[], Backend[]] = [[], []];
  readonly #ignoresHealth: boolean;
  readonly #workers: [TestWorker, TestWorker];
  readonly #random: () => number;

  constructor(
    members: Record<string, MemberOptions>,
    options: Parameters<typeof sharePool>[1],
    random: () => number,
  ) {
    const shared = sharePool(members, options, random);
    this.shared = shared;
    this.#random = random;
    const [one, two] = shared.ledgers;
    this.#workers = [{ pool: shared.one, ledger: one }, { pool: shared.two, ledger: two }];
    this.#ignoresHealth = shared.one.options.tuning.whenAllDown === "ignore_health";
    this.facts = new Map(
      Object.entries(members).map(([name, { isBackup: _, ...facts }]) => [name, { ...HEALTHY, ...facts }]),
    );
  }

  take(worker: number, triedNames: readonly string[], key: number): void {
    const tried = triedNames.map((name) => this.shared.backend(name));
    const { pool } = this.#workers[worker === 0 ? 0 : 1];
    const untried = this.#available().filter((it) => !tried.includes(it));
    assert.equal(pool.hasOther(tried), untried.length > 0);
    const free = untried.filter((it) => this.#isFree(it));
    const primaries = free.filter(({ isBackup }) => !isBackup);
    const allowed = primaries.length > 0 ? primaries : free;

    const taken = pool.take(tried, key);
    if (taken === undefined) return assert.deepEqual(allowed, []);
    assert.ok(allowed.includes(taken), `${taken.name} of ${allowed.map(({ name }) => name)}`);
    this.held[worker === 0 ? 0 : 1].push(taken);
    const { maxConnections } = this.#factsOf(taken);
    const count = this.shared.board.count(taken.row);
    assert.ok(maxConnections === 0 || count <= maxConnections, `${count} of ${maxConnections}`);
  }

  release(worker: number, which: number): void {
    const held = this.held[worker === 0 ? 0 : 1];
    const [backend] = held.splice(which % Math.max(1, held.length), 1);
    if (backend !== undefined) this.#workers[worker === 0 ? 0 : 1].pool.release(backend);
  }

  change(name: string, facts: Partial<BackendFacts>): void {
    this.facts.set(name, { ...HEALTHY, ...this.facts.get(name), ...facts });
    this.shared.change(name, facts);
  }

  /** The worker dies, and another one with its number takes its place. */
  die(number: number): void {
    const worker = number === 0 ? 0 : 1;
    const { board, one } = this.shared;
    const lost = this.held[worker].splice(0).length;
    const held = [...this.#workers[worker].ledger.settle().values()];
    assert.equal(held.reduce((sum, it) => sum + it, 0), lost);
    const scoreboard = new Scoreboard(board.buffer);
    const ledger = new Ledger(scoreboard);
    const deps = { scoreboard, ledger, worker, onFailing: () => {}, random: this.#random };
    this.#workers[worker] = { pool: new Pool(one.options, deps), ledger };
  }

  check(): void {
    assert.deepEqual(this.shared.active(), this.shared.backends.map((it) => this.#count(it)));
  }

  #count(backend: Backend): number {
    return this.held.flat().filter((it) => it === backend).length;
  }

  #isFree(backend: Backend): boolean {
    const { maxConnections } = this.#factsOf(backend);
    return maxConnections === 0 || this.#count(backend) < maxConnections;
  }

  #available(): Backend[] {
    const wanted = this.shared.backends.filter((it) => {
      const { operator, weight } = this.#factsOf(it);
      return operator === "enabled" && weight > 0;
    });
    const healthy = wanted.filter((it) => this.#factsOf(it).isUp && !this.#factsOf(it).isEjected);
    return healthy.length === 0 && this.#ignoresHealth ? wanted : healthy;
  }

  #factsOf({ name }: Backend): BackendFacts {
    return this.facts.get(name) ?? HEALTHY;
  }
}

/** Numbers from 0 to 1 that are the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    // mulberry32 (Tommy Ettinger, public domain)
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

for (const algorithm of Object.keys(algorithms) as AlgorithmName[]) {
  Deno.test(`${algorithm}: whatever happens, it takes one that may be taken if there is any, and counts are right`, () => {
    const run = fc.record({
      members: fc.tuple(member, member, member, member),
      whenAllDown: fc.constantFrom(...WHEN_ALL_DOWN),
      seed: fc.integer(),
      steps: fc.array(step, { maxLength: 80, size: "max" }),
    });
    const property = fc.property(run, ({ members: list, whenAllDown, seed, steps }) => {
      const members = Object.fromEntries(list.map((it, i) => [NAMES[i], it]));
      const model = new Model(members, { algorithm, whenAllDown }, seeded(seed));
      for (const it of steps) {
        if (it.what === "take") model.take(it.worker, it.tried, it.key);
        else if (it.what === "release") model.release(it.worker, it.which);
        else if (it.what === "change") model.change(it.name, it.facts);
        else model.die(it.worker);
        model.check();
      }
      for (const worker of [0, 1]) while (model.held[worker]?.length !== 0) model.release(worker, 0);
      assert.deepEqual(model.shared.active(), NAMES.map(() => 0));
    });
    fc.assert(property, { numRuns: RUNS[algorithm] ?? 200 });
  });
}

import assert from "node:assert/strict";
import { delayMs, failureOf, garbage } from "../../lib/respond/chance.ts";

const P99 = { kind: "p99", p99Ms: 200 } as const;

/** The numbers of the connections that fail, of so many. */
function failing(connections: number, failRate: number, seed: number): number[] {
  const numbers = Array.from({ length: connections }, (_, i) => i + 1);
  return numbers.filter((it) => failureOf(it, { failRate, failHow: "reset", seed }) !== undefined);
}

function delays(answers: number, delay: Parameters<typeof delayMs>[1], seed: number): number[] {
  return Array.from({ length: answers }, (_, i) => delayMs(i, delay, seed));
}

Deno.test("which connections fail is a matter of the seed and their number alone", () => {
  // Written down, so that a run repeats with another version of the program, too.
  assert.deepEqual(failing(40, 0.2, 1), [9, 14, 17, 18, 37]);
  assert.deepEqual(failing(40, 0.2, 1), failing(40, 0.2, 1));
  assert.notDeepEqual(failing(40, 0.2, 2), failing(40, 0.2, 1));
});

Deno.test("no connection fails at a rate of 0, every one at 1, and as many as the rate says between", () => {
  assert.deepEqual(failing(10_000, 0, 1), []);
  assert.equal(failing(10_000, 1, 1).length, 10_000);
  for (const seed of [0, 1, 2, 4294967295]) {
    // Within four standard deviations of a binomial distribution.
    assert.ok(Math.abs(failing(10_000, 0.1, seed).length - 1_000) < 120);
  }
});

Deno.test("a higher rate adds failures and takes none away", () => {
  const few = new Set(failing(1_000, 0.1, 5));
  assert.ok(few.isSubsetOf(new Set(failing(1_000, 0.3, 5))));
});

Deno.test("of each hundred answers exactly one takes longer than p99 says, whatever the seed", () => {
  for (const seed of [0, 1, 77]) {
    const all = delays(1_000, P99, seed);
    for (let first = 0; first < all.length; first += 100) {
      assert.equal(all.slice(first, first + 100).filter((ms) => ms > 200).length, 1);
    }
    const sorted = all.toSorted((a, b) => a - b);
    assert.ok((sorted[989] ?? 0) <= 200 && (sorted[990] ?? 0) > 200);
  }
});

Deno.test("delays of p99 are exponential: their median and mean are what the distribution has", () => {
  const sorted = delays(10_000, P99, 3).toSorted((a, b) => a - b);
  const rateMs = 200 / Math.log(100);
  const mean = sorted.reduce((sum, ms) => sum + ms, 0) / sorted.length;
  assert.ok(Math.abs((sorted[5_000] ?? 0) / (rateMs * Math.LN2) - 1) < 0.02);
  assert.ok(Math.abs(mean / rateMs - 1) < 0.02);
  assert.ok((sorted[0] ?? -1) >= 0 && Number.isFinite(sorted.at(-1)));
});

Deno.test("the long delay of a hundred is in no particular place", () => {
  const all = delays(2_000, P99, 1);
  const places = all.flatMap((ms, i) => ms > 200 ? [i % 100] : []);
  assert.equal(places.length, 20);
  assert.ok(new Set(places).size > 10);
});

Deno.test("delays between bounds are spread over all of them, and one that is fixed is exact", () => {
  const all = delays(10_000, { kind: "range", fromMs: 10, toMs: 50 }, 1);
  assert.ok(all.every((ms) => ms >= 10 && ms < 50));
  for (let tenth = 0; tenth < 10; tenth++) {
    const inside = all.filter((ms) => Math.floor((ms - 10) / 4) === tenth).length;
    assert.ok(Math.abs(inside - 1_000) < 120, `${inside}`);
  }
  assert.deepEqual(delays(3, { kind: "range", fromMs: 10, toMs: 10 }, 1), [10, 10, 10]);
});

Deno.test("garbage is as long as what it stands for, and the same for the same write alone", () => {
  assert.equal(garbage(1, 0, 1_000, 1).length, 1_000);
  assert.deepEqual(garbage(1, 0, 1_000, 1), garbage(1, 0, 1_000, 1));
  for (const other of [garbage(2, 0, 1_000, 1), garbage(1, 1, 1_000, 1), garbage(1, 0, 1_000, 2)]) {
    assert.notDeepEqual(other, garbage(1, 0, 1_000, 1));
  }
  assert.ok(new Set(garbage(1, 0, 10_000, 1)).size === 256);
});

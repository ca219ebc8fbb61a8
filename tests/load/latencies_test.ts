import assert from "node:assert/strict";
import fc from "fast-check";
import { Latencies } from "../../lib/load/latencies.ts";

function latenciesOf(times: readonly number[]): Latencies {
  const latencies = new Latencies();
  for (const ms of times) latencies.add(ms);
  return latencies;
}

/** The smallest time that at least so much of all is no longer than. */
function exact(times: readonly number[], percent: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(percent / 100 * sorted.length) - 1)] ?? NaN;
}

function assertNear(actual: number, expected: number, what: string): void {
  assert.ok(
    Math.abs(actual - expected) <= expected * 0.001 + 0.0001,
    `${what}: ${actual} is not ${expected}`,
  );
}

Deno.test("percentiles, mean and ends are those of the times, to a thousandth", () => {
  const times = fc.array(fc.double({ min: 0.001, max: 50_000, noNaN: true }), {
    minLength: 1,
    maxLength: 400,
  });
  fc.assert(
    fc.property(times, (times) => {
      const { min, mean, p50, p90, p95, p99, p999, max } = latenciesOf(times).statistics();
      assertNear(min, Math.min(...times), "min");
      assertNear(max, Math.max(...times), "max");
      assertNear(mean, times.reduce((sum, it) => sum + it) / times.length, "mean");
      for (const [percent, value] of [[50, p50], [90, p90], [95, p95], [99, p99], [99.9, p999]] as const) {
        assertNear(value, exact(times, percent), `p${percent}`);
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("one time in a hundred is above the 99th percentile, and no more", () => {
  const latencies = latenciesOf(Array.from({ length: 1_000 }, (_, i) => i % 100 === 99 ? 10 : 0.2));
  assertNear(latencies.percentileMs(99), 0.2, "p99");
  assertNear(latencies.percentileMs(99.1), 10, "p99.1");
  assertNear(latencies.percentileMs(99.5), 10, "p99.5");
});

Deno.test("the times of several threads add up to those of the whole", () => {
  const times = Array.from({ length: 3_000 }, (_, i) => 0.05 + (i * 7_919 % 3_000) ** 2 / 1_000);
  const [one, other, whole] = [new Latencies(), new Latencies(), new Latencies()];
  for (const [i, ms] of times.entries()) {
    (i % 2 === 0 ? one : other).add(ms);
    // Handed over now and then.
    if (i % 700 === 0) whole.addAll(one.take());
  }
  whole.addAll(one.take());
  whole.addAll(other.take());
  assert.equal(whole.count, 3_000);
  assert.equal(one.count + other.count, 0);
  const expected = latenciesOf(times).statistics();
  for (const [name, value] of Object.entries(whole.statistics())) {
    assert.ok(Math.abs(value - expected[name as keyof typeof expected]) <= value * 0.001, name);
  }
});

Deno.test("no time at all has statistics of zeros, and a time that is too long is counted as a day", () => {
  assert.deepEqual(Object.values(new Latencies().statistics()), [0, 0, 0, 0, 0, 0, 0, 0]);
  assertNear(latenciesOf([1e12]).statistics().max, 86_400_000, "max");
  assert.ok(latenciesOf([0]).statistics().max < 0.001);
});

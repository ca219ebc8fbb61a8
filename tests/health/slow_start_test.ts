import assert from "node:assert/strict";
import fc from "fast-check";
import { rampAt } from "../../lib/health/slow_start.ts";

Deno.test("the weight comes back in tenths, each when its share of the time has passed", () => {
  const cases: [elapsedMs: number, percent: number, nextInMs: number | undefined][] = [
    [0, 10, 2_000],
    [1_000, 10, 1_000],
    [1_999, 10, 1],
    [2_000, 20, 1_000],
    [2_999, 20, 1],
    [3_000, 30, 1_000],
    [5_500, 50, 500],
    [9_999, 90, 1],
    [10_000, 100, undefined],
    [1e12, 100, undefined],
  ];
  for (const [elapsedMs, percent, nextInMs] of cases) {
    assert.deepEqual(rampAt(elapsedMs, 10_000), { percent, nextInMs }, String(elapsedMs));
  }
});

Deno.test("without a slow start the whole weight is back at once", () => {
  assert.deepEqual(rampAt(0, 0), { percent: 100, nextInMs: undefined });
});

Deno.test("from step to step the whole weight is reached in nine steps, at the end of the time", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (slowStartMs) => {
    let elapsedMs = 0;
    const percents: number[] = [];
    for (let ramp = rampAt(0, slowStartMs);; ramp = rampAt(elapsedMs, slowStartMs)) {
      percents.push(ramp.percent);
      if (ramp.nextInMs === undefined) break;
      assert.ok(ramp.nextInMs > 0);
      // A timer of the runtime counts whole milliseconds.
      elapsedMs += Math.ceil(ramp.nextInMs);
    }
    assert.ok(elapsedMs < slowStartMs + 1);
    assert.equal(percents.at(-1), 100);
    assert.ok(percents.every((percent, i) => percent > (percents[i - 1] ?? 0)), percents.join());
    if (slowStartMs >= 10) assert.equal(percents.length, 10);
  }));
});

Deno.test("the share is never above that of the time, but for the tenth at the beginning", () => {
  fc.assert(fc.property(fc.nat(20_000), fc.integer({ min: 1, max: 10_000 }), (elapsedMs, slowStartMs) => {
    const { percent } = rampAt(elapsedMs, slowStartMs);
    assert.ok(percent >= 10 && percent <= 100 && percent % 10 === 0);
    assert.ok(percent <= Math.max(10, 100 * elapsedMs / slowStartMs));
  }));
});

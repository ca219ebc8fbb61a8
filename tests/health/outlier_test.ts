import assert from "node:assert/strict";
import fc from "fast-check";
import {
  countedEjections,
  eject,
  type EjectionHistory,
  type EjectionLimits,
  isEjected,
  NEVER_EJECTED,
} from "../../lib/health/outlier.ts";

const LIMITS: EjectionLimits = { ejectionTimeMs: 1_000, maxEjectedPercent: 50 };
const POOL = { size: 2, ejected: 0 };

/** The history after an ejection that must be granted. */
function ejected(history: EjectionHistory, nowMs: number): EjectionHistory {
  const next = eject(history, POOL, LIMITS, nowMs);
  assert.ok(next !== undefined, "not ejected");
  return next;
}

Deno.test("a backend that was never ejected is not ejected, at any time", () => {
  for (const nowMs of [0, 1e15]) assert.equal(isEjected(NEVER_EJECTED, nowMs), false);
  assert.equal(countedEjections(NEVER_EJECTED, 1_000, 0), 0);
});

Deno.test("the first ejection lasts for the ejection time, and its end is the moment of return", () => {
  const history = ejected(NEVER_EJECTED, 5_000);
  assert.deepEqual(history, { count: 1, untilMs: 6_000 });
  assert.equal(isEjected(history, 5_999), true);
  assert.equal(isEjected(history, 6_000), false);
});

Deno.test("each relapse makes the ejection longer, to at most ten times", () => {
  let history = NEVER_EJECTED;
  let nowMs = 0;
  const lasted = Array.from({ length: 12 }, () => {
    history = ejected(history, nowMs);
    const ms = history.untilMs - nowMs;
    nowMs = history.untilMs;
    return ms / 1_000;
  });
  assert.deepEqual(lasted, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10]);
});

Deno.test("an ejection is forgiven when the backend has been back for as long as it lasted", () => {
  const third = ejected(ejected(ejected(NEVER_EJECTED, 0), 1_000), 3_000);
  assert.deepEqual(third, { count: 3, untilMs: 6_000 });
  const counted = [6_000, 8_999, 9_000, 10_999, 11_000, 11_999, 12_000, 1e15].map((nowMs) =>
    countedEjections(third, 1_000, nowMs)
  );
  assert.deepEqual(counted, [3, 3, 2, 2, 1, 1, 0, 0]);
  assert.equal(ejected(third, 9_000).count, 3);
  assert.equal(ejected(third, 12_000).count, 1);
});

Deno.test("a backend that is ejected is not ejected anew, so that sessions from before do not prolong it", () => {
  const history = ejected(NEVER_EJECTED, 0);
  assert.equal(eject(history, POOL, LIMITS, 999), undefined);
});

Deno.test("as many may be ejected as the percentage allows in whole backends", () => {
  const cases: [size: number, percent: number, most: number][] = [
    [1, 50, 0],
    [1, 99, 0],
    [1, 100, 1],
    [2, 50, 1],
    [3, 50, 1],
    [3, 67, 2],
    [10, 30, 3],
    [10, 29, 2],
    [4, 0, 0],
    [4, 100, 4],
    [0, 100, 0],
  ];
  for (const [size, maxEjectedPercent, most] of cases) {
    const limits = { ...LIMITS, maxEjectedPercent };
    const mayEject = (count: number): boolean =>
      eject(NEVER_EJECTED, { size, ejected: count }, limits, 0) !== undefined;
    if (most > 0) assert.ok(mayEject(most - 1), `${size} ${maxEjectedPercent}`);
    assert.ok(!mayEject(most), `${size} ${maxEjectedPercent}`);
    assert.ok(!mayEject(most + 1), `${size} ${maxEjectedPercent}`);
  }
});

Deno.test("whatever fails and when, never more of a pool are ejected than the percentage", () => {
  const failures = fc.array(fc.record({ backend: fc.nat(19), afterMs: fc.nat(3_000) }), { maxLength: 200 });
  const pool = fc.integer({ min: 1, max: 20 });
  const percent = fc.integer({ min: 0, max: 100 });
  fc.assert(fc.property(failures, pool, percent, (events, size, maxEjectedPercent) => {
    const histories = Array.from({ length: size }, () => NEVER_EJECTED);
    let nowMs = 0;
    const ejectedNow = (): number => histories.filter((it) => isEjected(it, nowMs)).length;
    for (const { backend, afterMs } of events) {
      nowMs += afterMs;
      const i = backend % size;
      const limits = { ...LIMITS, maxEjectedPercent };
      const before = histories[i] ?? NEVER_EJECTED;
      const after = eject(before, { size, ejected: ejectedNow() }, limits, nowMs);
      if (after === undefined) continue;
      assert.ok(after.count >= 1 && after.count <= 10);
      assert.ok(after.count <= before.count + 1);
      assert.equal(after.untilMs, nowMs + 1_000 * after.count);
      histories[i] = after;
      assert.ok(ejectedNow() * 100 <= size * maxEjectedPercent, `${ejectedNow()} of ${size}`);
    }
  }));
});

Deno.test("the longer a backend is back, the less counts against it", () => {
  const history = fc.record({ count: fc.nat(10), untilMs: fc.nat(1_000_000) });
  fc.assert(fc.property(history, fc.nat(100_000), fc.nat(100_000), (it, one, other) => {
    const [earlier, later] = [Math.min(one, other), Math.max(one, other)].map((ms) =>
      countedEjections(it, 1_000, it.untilMs + ms)
    );
    assert.ok((later ?? NaN) <= (earlier ?? NaN));
  }));
});

import assert from "node:assert/strict";
import { countOf } from "../../lib/load/plan.ts";
import { beginningMs, openingMs } from "../../lib/load/schedule.ts";

Deno.test("requests of an open loop begin at even distances", () => {
  const begins = [0, 1, 2, 10, 1_000].map((n) => beginningMs(n, 500, 0));
  assert.deepEqual(begins, [0, 2, 4, 20, 2_000]);
});

Deno.test("during a ramp as many requests begin as the growing rate says, and at even distances afterwards", () => {
  // 100/s after 2 s: 100 requests in the ramp, a quarter of them in its first half.
  assert.equal(beginningMs(0, 100, 2_000), 0);
  assert.equal(beginningMs(25, 100, 2_000), 1_000);
  assert.equal(beginningMs(64, 100, 2_000), 1_600);
  assert.equal(beginningMs(100, 100, 2_000), 2_000);
  assert.equal(beginningMs(101, 100, 2_000), 2_010);
  assert.equal(beginningMs(300, 100, 2_000), 4_000);
});

Deno.test("a schedule never goes backwards, also where the ramp ends between two requests", () => {
  for (const [rate, rampMs] of [[7, 1_300], [333, 10], [3, 100], [1e6, 5_000]] as const) {
    let before = -1;
    for (let n = 0; n < 5_000; n++) {
      const at = beginningMs(n, rate, rampMs);
      assert.ok(at > before, `${n} at ${rate}/s`);
      before = at;
    }
  }
});

Deno.test("connections are opened evenly during the ramp, and all at once without one", () => {
  assert.deepEqual([0, 1, 2, 3].map((k) => openingMs(k, 4, 1_000)), [0, 250, 500, 750]);
  assert.deepEqual([0, 1, 2, 3].map((k) => openingMs(k, 4, 0)), [0, 0, 0, 0]);
});

Deno.test("the shares of all threads are the whole", () => {
  for (const [count, of] of [[10, 3], [1, 4], [0, 2], [64, 1], [7, 7]] as const) {
    const parts = Array.from({ length: of }, (_, index) => countOf(count, { index, of }));
    assert.equal(parts.reduce((sum, it) => sum + it), count);
    assert.ok(Math.max(...parts) - Math.min(...parts) <= 1, String(parts));
  }
  assert.equal(countOf(Infinity, { index: 1, of: 2 }), Infinity);
});

import assert from "node:assert/strict";
import { restBeforeSameMs, shortageRestMs } from "../../lib/dataplane/rests.ts";

Deno.test("before the same backend is dialled again the rest doubles three times, and stays so", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 100].map(restBeforeSameMs), [500, 1_000, 2_000, 4_000, 4_000, 4_000]);
});

Deno.test("for a local port a session rests ever longer, as long as a dial may take in all", () => {
  const rests = (dialTimeoutMs: number): number[] => {
    const found: number[] = [];
    let waitedMs = 0;
    for (;;) {
      const restMs = shortageRestMs(waitedMs, dialTimeoutMs);
      if (restMs === undefined) return found;
      found.push(restMs);
      waitedMs += restMs;
    }
  };
  assert.deepEqual(rests(1), [100]);
  assert.deepEqual(rests(300), [100, 100, 200]);
  assert.deepEqual(rests(5_000), [100, 100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000]);
  assert.deepEqual(rests(0), rests(5_000), "without a timeout: as by default");
});

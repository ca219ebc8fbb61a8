import assert from "node:assert/strict";
import { restBeforeSameMs, Search, shortageRestMs } from "../../lib/dataplane/search.ts";
import { asRow } from "../support/rows.ts";

const NOWHERE = { transport: "tcp", host: "127.0.0.1", port: 1 } as const;

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

Deno.test("dials are timed from the first of them, each has its own deadline, and none has one after it", () => {
  const search = new Search();
  const backend = { row: asRow<"backend">(1), name: "a", address: NOWHERE, isBackup: false };
  search.dialBegins(backend, 1_000, 500, true);
  assert.deepEqual([search.picked, search.deadlineMs], [backend, 1_500]);
  assert.deepEqual([search.dialEnds(1_200), search.deadlineMs], [200, Infinity]);
  search.dialBegins(backend, 2_000, 0, false);
  assert.deepEqual([search.lastDialMs, search.deadlineMs], [2_000, Infinity]);
  assert.equal(search.dialEnds(2_100), 1_100);
});

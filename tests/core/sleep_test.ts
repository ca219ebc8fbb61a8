import assert from "node:assert/strict";
import { sleep } from "../../lib/core/sleep.ts";

/** Longer than any test may take. */
const FOREVER_MS = 3_600_000;

Deno.test("a sleep ends when its time is over", async () => {
  const startedMs = performance.now();
  await sleep(20, new AbortController().signal);
  assert.ok(performance.now() - startedMs >= 19);
});

Deno.test("a sleep that is stopped ends at once, and leaves no timer", async () => {
  const stop = new AbortController();
  const asleep = sleep(FOREVER_MS, stop.signal);
  stop.abort();
  await asleep;
  await sleep(FOREVER_MS, stop.signal);
});

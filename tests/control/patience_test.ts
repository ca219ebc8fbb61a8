import assert from "node:assert/strict";
import { waitForAnswer } from "../../lib/control/patience.ts";

const NEVER = new Promise<never>(() => {});

Deno.test("an answer is waited for no longer than the patience lasts", async () => {
  assert.equal(await waitForAnswer(Promise.resolve(1), 1_000), "answered");
  assert.equal(await waitForAnswer(Promise.reject(new Error("it failed")), 1_000), "answered");
  const startedMs = performance.now();
  assert.equal(await waitForAnswer(NEVER, 300), "late");
  assert.ok(performance.now() - startedMs >= 290);
});

Deno.test("waiting ends at once when it is aborted, before or while it lasts", async () => {
  assert.equal(await waitForAnswer(NEVER, 60_000, AbortSignal.abort()), "aborted");
  const stop = new AbortController();
  const waiting = waitForAnswer(NEVER, Infinity, stop.signal);
  stop.abort();
  assert.equal(await waiting, "aborted");
});

Deno.test("time in which the whole process stands still is hardly counted", async () => {
  const answer = Promise.withResolvers<void>();
  const waiting = waitForAnswer(answer.promise, 1_000);
  // The thread stands still for longer than the patience; then the answer comes, as from a worker that stood still as well.
  const untilMs = performance.now() + 1_500;
  while (performance.now() < untilMs);
  setTimeout(() => answer.resolve(), 100);
  assert.equal(await waiting, "answered");
});

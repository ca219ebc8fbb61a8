import assert from "node:assert/strict";
import { playChaos } from "../../lib/roles/chaos.ts";

Deno.test("the server of the demo fails in each way in turn, and is well in between, until it is stopped", async () => {
  const stop = new AbortController();
  const heard: unknown[] = [];
  const note = (what: unknown): Promise<void> => Promise.resolve(void heard.push(what));
  let nowMs = 0;
  await playChaos(
    { set: (change) => void heard.push(change), down: () => note("down"), up: () => note("up") },
    (says) => note(`${nowMs / 1_000} s: ${says}`),
    (ms) => {
      nowMs += ms;
      if (nowMs > 60_000) stop.abort();
      return Promise.resolve();
    },
    stop.signal,
  );
  const well = { delay: undefined, failRate: 0 };
  assert.deepEqual(heard, [
    "down",
    "2 s: is gone: connections are refused",
    well,
    "up",
    "10 s: is well again",
    { delay: { kind: "range", fromMs: 100, toMs: 300 } },
    "18 s: is slow: an answer takes 100 to 300 ms",
    well,
    "up",
    "26 s: is well again",
    { failRate: 0.5, failHow: "reset" },
    "34 s: resets about every second connection",
    well,
    "up",
    "42 s: is well again",
    "down",
    "50 s: is gone: connections are refused",
    well,
    "up",
    "58 s: is well again",
  ]);
});

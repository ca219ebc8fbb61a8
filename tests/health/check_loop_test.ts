// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The loop of checks, with a clock that the test moves. */

import assert from "node:assert/strict";
import type { CheckResult } from "../../lib/health/check.ts";
import { runChecks } from "../../lib/health/check_loop.ts";

const WELL: CheckResult = { ok: true, saw: "connected" };

interface Options {
  readonly intervalMs?: number;
  /** How long each check takes on the clock of the test. */
  readonly checkMs?: number;
  readonly random?: () => number;
  readonly result?: (check: number) => CheckResult | undefined;
  /** The loop is stopped instead of sleeping for this time, counted from 1. */
  readonly sleeps: number;
}

/** Runs a loop on a clock of its own, and gives the times of all that happened. */
async function run(
  options: Options,
): Promise<{ starts: number[]; sleeps: number[]; reports: CheckResult[] }> {
  const { intervalMs = 1_000, checkMs = 0, random = () => 0.5, result = () => WELL } = options;
  const stop = new AbortController();
  const [starts, sleeps, reports]: [number[], number[], CheckResult[]] = [[], [], []];
  let nowMs = 0;
  await runChecks({
    intervalMs,
    random,
    now: () => nowMs,
    probe: (_stop, report) => {
      starts.push(nowMs);
      nowMs += checkMs;
      const it = result(starts.length);
      if (it !== undefined) report(it);
      return Promise.resolve();
    },
    report: (it) => void reports.push(it),
    turn: () => Promise.resolve(),
    sleep: (ms) => {
      sleeps.push(ms);
      nowMs += ms;
      if (sleeps.length === options.sleeps) stop.abort();
      return Promise.resolve();
    },
  }, stop.signal);
  return { starts, sleeps, reports };
}

Deno.test("the first check is made at once, the others every interval", async () => {
  const { starts, reports } = await run({ sleeps: 4 });
  assert.deepEqual(starts, [0, 1_000, 2_000, 3_000]);
  assert.deepEqual(reports, [WELL, WELL, WELL, WELL]);
});

Deno.test("an interval goes from start to start, however long a check takes", async () => {
  const { starts, sleeps } = await run({ checkMs: 300, sleeps: 3 });
  assert.deepEqual(starts, [0, 1_000, 2_000]);
  assert.deepEqual(sleeps, [700, 700, 700]);
});

Deno.test("a check that takes longer than the interval is followed by the next at once, not by two", async () => {
  const { starts, sleeps } = await run({ checkMs: 2_500, sleeps: 3 });
  assert.deepEqual(starts, [0, 2_500, 5_000]);
  assert.deepEqual(sleeps, [0, 0, 0]);
});

Deno.test("an interval is up to a twentieth shorter or longer, by chance", async () => {
  const chances = [0, 0.5, 0.25, 1];
  const { sleeps } = await run({ random: () => chances.shift() ?? 0, sleeps: 4 });
  assert.deepEqual(sleeps.map(Math.round), [950, 1_000, 975, 1_050]);
});

Deno.test("each result is reported, and nothing when nothing was found out", async () => {
  const down: CheckResult = { ok: false, saw: "connection refused" };
  const results = [WELL, undefined, down, down, WELL];
  const { starts, reports } = await run({ result: (check) => results[check - 1], sleeps: 5 });
  assert.equal(starts.length, 5);
  assert.deepEqual(reports, [WELL, down, down, WELL]);
});

Deno.test("a result is reported before the check is over, and the next one begins only then", async () => {
  const stop = new AbortController();
  const over = Promise.withResolvers<void>();
  const reports: CheckResult[] = [];
  const events: string[] = [];
  const loop = runChecks({
    intervalMs: 1_000,
    probe: (_stop, report) => {
      report(WELL);
      return over.promise;
    },
    report: (it) => void reports.push(it),
    sleep: () => {
      events.push("slept");
      stop.abort();
      return Promise.resolve();
    },
    turn: () => Promise.resolve(),
    now: () => 0,
    random: () => 0.5,
  }, stop.signal);
  for (let i = 0; i < 10; i++) await Promise.resolve();
  assert.deepEqual([reports, events], [[WELL], []]);
  over.resolve();
  await loop;
  assert.deepEqual(events, ["slept"]);
});

Deno.test("a loop that is stopped before it begins checks nothing", async () => {
  const fail = (): never => assert.fail("called");
  const options = { intervalMs: 1, probe: fail, report: fail, now: fail, random: fail, sleep: fail };
  await runChecks({ ...options, turn: fail }, AbortSignal.abort());
});

Deno.test("a loop that is stopped during a check ends with it, and reports nothing more", async () => {
  const stop = new AbortController();
  const check = Promise.withResolvers<void>();
  let given: AbortSignal | undefined;
  let report = (_result: CheckResult): void => {};
  const fail = (): never => assert.fail("called");
  const loop = runChecks({
    intervalMs: 1_000,
    probe: (signal, onResult) => {
      given = signal;
      report = onResult;
      return check.promise;
    },
    report: fail,
    sleep: fail,
    turn: () => Promise.resolve(),
    now: () => 0,
    random: () => 0.5,
  }, stop.signal);
  // The first start waits for nothing but its own turn of the microtasks.
  await Promise.resolve();
  await Promise.resolve();
  stop.abort();
  assert.equal(given?.aborted, true);
  report(WELL);
  check.resolve();
  await loop;
});

Deno.test("a check that waits for its start has its interval counted from there, or is not made once stopped", async () => {
  const starting = Promise.withResolvers<void>();
  const [stop, stopWaiting] = [new AbortController(), new AbortController()];
  let nowMs = 0;
  const starts: number[] = [];
  const sleeps: number[] = [];
  const options = {
    intervalMs: 1_000,
    probe: () => {
      starts.push(nowMs);
      return Promise.resolve();
    },
    report: () => {},
    turn: () => starting.promise,
    now: () => nowMs,
    random: () => 0.5,
    sleep: (ms: number) => {
      sleeps.push(ms);
      stop.abort();
      return Promise.resolve();
    },
  };
  const loops = [runChecks(options, stop.signal), runChecks(options, stopWaiting.signal)];
  stopWaiting.abort();
  nowMs = 700;
  starting.resolve();
  await Promise.all(loops);
  assert.deepEqual(starts, [700]);
  assert.deepEqual(sleeps, [1_000]);
});

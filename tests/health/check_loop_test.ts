/** The loop of checks, with a clock that the test moves. */

import assert from "node:assert/strict";
import type { CheckResult } from "../../lib/health/check.ts";
import { runChecks } from "../../lib/health/check_loop.ts";
import { Turns } from "../../lib/health/turns.ts";

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
    probe: () => {
      starts.push(nowMs);
      nowMs += checkMs;
      return Promise.resolve(result(starts.length));
    },
    report: (it) => void reports.push(it),
    turns: new Turns(1),
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

Deno.test("a loop that is stopped before it begins checks nothing", async () => {
  const fail = (): never => assert.fail("called");
  const options = { intervalMs: 1, probe: fail, report: fail, now: fail, random: fail, sleep: fail };
  await runChecks({ ...options, turns: new Turns(1) }, AbortSignal.abort());
});

Deno.test("a loop that is stopped during a check ends with it, and reports nothing more", async () => {
  const stop = new AbortController();
  const check = Promise.withResolvers<CheckResult>();
  let given: AbortSignal | undefined;
  const fail = (): never => assert.fail("called");
  const loop = runChecks({
    intervalMs: 1_000,
    probe: (signal) => {
      given = signal;
      return check.promise;
    },
    report: fail,
    sleep: fail,
    turns: new Turns(1),
    now: () => 0,
    random: () => 0.5,
  }, stop.signal);
  stop.abort();
  assert.equal(given?.aborted, true);
  check.resolve(WELL);
  await loop;
});

Deno.test("a check that waits for its turn has its interval counted from there, or is not made once stopped", async () => {
  const turns = new Turns(1);
  const before = Promise.withResolvers<void>();
  const others = turns.run(() => before.promise);
  const [stop, stopWaiting] = [new AbortController(), new AbortController()];
  let nowMs = 0;
  const starts: number[] = [];
  const sleeps: number[] = [];
  const options = {
    intervalMs: 1_000,
    probe: () => {
      starts.push(nowMs);
      return Promise.resolve(WELL);
    },
    report: () => {},
    turns,
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
  before.resolve();
  await Promise.all([others, ...loops]);
  assert.deepEqual(starts, [700]);
  assert.deepEqual(sleeps, [1_000]);
});

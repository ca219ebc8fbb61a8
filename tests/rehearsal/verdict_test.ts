import assert from "node:assert/strict";
import { type Bounds, parseComparison } from "../../lib/rehearsal/bounds.ts";
import { compareRuns, type Finding, judge, type Measured } from "../../lib/rehearsal/verdict.ts";

const NO_BOUNDS: Bounds = {
  errors: undefined,
  requests: undefined,
  timesMs: {},
  shares: new Map(),
  tolerance: 0.05,
  noticedMs: undefined,
  recoveredMs: undefined,
  comparisons: [],
};

const MEASURED: Measured = {
  requests: 1_000,
  errors: 10,
  times: { min: 1, mean: 5, p50: 4, p90: 9, p95: 10, p99: 49.9, p999: 60, max: 70 },
  answers: new Map([["one", 540], ["two", 460]]),
  noticedMs: 200,
  recoveredMs: Infinity,
};

/** `what wanted measured`, and whether it holds. */
function said({ what, wanted, measured, holds }: Finding): string {
  return `${what} ${wanted}: ${measured} ${holds ? "holds" : "fails"}`;
}

function judged(bounds: Partial<Bounds>, measured: Partial<Measured> = {}): string[] {
  return judge({ ...NO_BOUNDS, ...bounds }, { ...MEASURED, ...measured }).map(said);
}

Deno.test("where nothing must hold there is no finding", () => {
  assert.deepEqual(judged({}), []);
});

Deno.test("errors are bounded by number or by part", () => {
  assert.deepEqual(judged({ errors: { count: 0 } }, { errors: 0 }), ["errors 0: 0 holds"]);
  assert.deepEqual(judged({ errors: { count: 9 } }), ["errors at most 9: 10 fails"]);
  assert.deepEqual(judged({ errors: { count: 10 } }), ["errors at most 10: 10 holds"]);
  assert.deepEqual(judged({ errors: { part: 0.01 } }), ["errors <1%: 10 of 1,010, 1.0 % holds"]);
  assert.deepEqual(judged({ errors: { part: 0.009 } }), ["errors <0.9%: 10 of 1,010, 1.0 % fails"]);
});

Deno.test("times are less than their bounds", () => {
  assert.deepEqual(judged({ timesMs: { p99: 50, "p99.9": 60 } }), [
    "p99 <50ms: 49.9 ms holds",
    "p99.9 <60ms: 60.0 ms fails",
  ]);
});

Deno.test("there are at least so many answers", () => {
  assert.deepEqual(judged({ requests: 1_000 }), ["requests at least 1,000: 1,000 holds"]);
  assert.deepEqual(judged({ requests: 1_001 }), ["requests at least 1,001: 1,000 fails"]);
});

Deno.test("a share is near what it is to be, or on one side of it; a server without an answer has none", () => {
  const shares = new Map(
    [
      ["one", { is: "near", part: 0.5 }],
      ["two", { is: "below", part: 0.46 }],
      ["three", { is: "above", part: 0 }],
    ] as const,
  );
  assert.deepEqual(judged({ shares }), [
    "share of one 50% ± 5%: 54.0 % holds",
    "share of two <46%: 46.0 % fails",
    "share of three >0%: 0.0 % fails",
  ]);
});

Deno.test("the balancer reacts in less than its bound, and what it never does fails", () => {
  assert.deepEqual(judged({ noticedMs: 201, recoveredMs: 1_000 }), [
    "noticed <201ms: 200 ms holds",
    "recovered <1s: never fails",
  ]);
  assert.deepEqual(judged({ noticedMs: 201 }, { noticedMs: undefined }), [
    "noticed <201ms: nothing to measure fails",
  ]);
});

Deno.test("without an answer no time and no share holds", () => {
  const shares = new Map([["one", { is: "below", part: 1 } as const]]);
  assert.deepEqual(judged({ timesMs: { max: 1_000 }, shares }, { requests: 0 }), [
    "max <1s: no answer fails",
    "share of one <100%: no answer fails",
  ]);
});

Deno.test("runs are compared by what was measured; one that was not made is no better", () => {
  const fast = { ...MEASURED, times: { ...MEASURED.times, p99: 20 } };
  const runs = new Map([["slow", MEASURED], ["fast", fast], ["dead", { ...fast, requests: 0 }]]);
  const compare = (text: string): string | undefined => {
    return compareRuns({ ...NO_BOUNDS, comparisons: [parseComparison(text)] }, runs).map(said)[0];
  };
  assert.equal(compare("p99 of fast < p99 of slow"), "p99 of fast < p99 of slow: 20.0 ms, 49.9 ms holds");
  assert.equal(compare("p99 of fast > p99 of slow"), "p99 of fast > p99 of slow: 20.0 ms, 49.9 ms fails");
  assert.equal(compare("errors of fast < errors of slow"), "errors of fast < errors of slow: 10, 10 fails");
  assert.equal(compare("p99 of dead < p99 of slow"), "p99 of dead < p99 of slow: 20.0 ms, 49.9 ms fails");
  assert.equal(compare("p99 of slow > p99 of dead"), "p99 of slow > p99 of dead: 49.9 ms, 20.0 ms fails");
  assert.equal(compare("p99 of fast < p99 of gone"), "p99 of fast < p99 of gone: no run fails");
});

Deno.test("a run that answered nothing is compared by its counts", () => {
  const runs = new Map([["good", MEASURED], ["bad", { ...MEASURED, requests: 0, errors: 12 }]]);
  const comparisons = [
    "errors of good < errors of bad",
    "requests of bad < requests of good",
    "requests of good < errors of bad",
  ];
  assert.deepEqual(
    compareRuns({ ...NO_BOUNDS, comparisons: comparisons.map(parseComparison) }, runs).map(said),
    [
      "errors of good < errors of bad: 10, 12 holds",
      "requests of bad < requests of good: 0, 1,000 holds",
      "requests of good < errors of bad: 1,000, 12 fails",
    ],
  );
});

import assert from "node:assert/strict";
import { comparisonText, readJsonReport } from "../../lib/load/compare.ts";
import { CSV_HEADER, csvRow } from "../../lib/load/csv.ts";
import { Figures } from "../../lib/load/figures.ts";
import type { LoadPlan } from "../../lib/load/plan.ts";
import { progressText } from "../../lib/load/progress.ts";
import { reportText } from "../../lib/load/report.ts";
import { jsonReport } from "../../lib/load/result.ts";
import type { LoadResult } from "../../lib/load/run_load.ts";
import { PLAN } from "./fake_driver.ts";

/** 900 requests of 0.8 ms, 99 of 3 ms and one of 40 ms, over connections that took 0.2 ms. */
function figures(): Figures {
  const figures = new Figures();
  for (let i = 0; i < 1_000; i++) figures.latencies.add(i < 900 ? 0.8 : i < 999 ? 3 : 40);
  for (let i = 0; i < 50; i++) figures.connects.add(0.2);
  for (let i = 0; i < 1_000; i++) figures.named(["one", "two", "three"][i % 3] ?? "");
  figures.requests = 1_000;
  figures.sentBytes = 64_000;
  figures.receivedBytes = 4_000;
  return figures;
}

function resultOf(figures: Figures, unsent = 0): LoadResult {
  return { figures, durationMs: 2_000, unsent, isStopped: false };
}

const RUN = {
  plan: { ...PLAN, connections: 50 } as LoadPlan,
  target: "127.0.0.1:5678",
  engine: "epoll",
  workers: 1,
};
const PLAIN = { width: 80, isColoured: false };

Deno.test("a report says what was done, what came of it, how long it took and who answered", () => {
  assert.equal(
    reportText(RUN, resultOf(figures()), PLAIN),
    `127.0.0.1:5678
  50 connections, closed loop, engine epoll

requests   1,000 in 2.00 s: 500/s
sent       62.5 KiB: 31.3 KiB/s
received   3.91 KiB: 1.95 KiB/s
errors     0

ms             min     mean      p50      p90      p99    p99.9      max
latency      0.800    1.057    0.800    0.800    3.000    3.000     40.0
connect      0.200    0.200    0.200    0.200    0.200    0.200    0.200

latency
  to  1 ms  ███████████████████████████████████████████████████████  900  90.0 %
  to  2 ms                                                             0   0.0 %
  to  5 ms  ██████                                                    99   9.9 %
  to 10 ms                                                             0   0.0 %
  to 20 ms                                                             0   0.0 %
  to 50 ms  ▏                                                          1   0.1 %

backends
  one    ██████████████████████████████████████████████████████████  334  33.4 %
  three  █████████████████████████████████████████████████████████▉  333  33.3 %
  two    █████████████████████████████████████████████████████████▉  333  33.3 %
`,
  );
});

Deno.test("a report fits every terminal that is wide enough for its numbers", () => {
  const many = figures();
  many.named("a-name-that-is-far-too-long-for-a-narrow-terminal-and-is-cut-there");
  many.failed("refused", 2);
  many.failed("timed_out", 1_234);
  for (const width of [20, 30, 40, 60, 72, 80, 100, 120, 200]) {
    const text = reportText(RUN, resultOf(many, 77), { width, isColoured: false });
    const widths = text.split("\n").map((line) => [...line].length);
    assert.ok(Math.max(...widths) <= width, text);
    if (width >= 40) assert.equal(Math.max(...widths), width);
  }
  assert.equal(
    reportText(RUN, resultOf(figures()), { width: 20, isColoured: false }),
    `127.0.0.1:5678
  50 connections,
  closed loop,
  engine epoll

requests   1,000 in
  2.00 s: 500/s
sent       62.5 KiB:
  31.3 KiB/s
received   3.91 KiB:
  1.95 KiB/s
errors     0

ms   latency connect
min    0.800   0.200
mean   1.057   0.200
p50    0.800   0.200
p90    0.800   0.200
p99    3.000   0.200
p99.9  3.000   0.200
max     40.0   0.200

latency
  to  1 ms  900
  to  2 ms    0
  to  5 ms   99
  to 10 ms    0
  to 20 ms    0
  to 50 ms    1

backends
  one    ██████  334
  three  ██████  333
  two    ██████  333
`,
  );
  const long = { ...RUN.plan, rate: 1_000, rampMs: 5_000, newConnection: true, proxyProtocol: "v2" } as const;
  for (
    const line of reportText({ ...RUN, plan: long }, resultOf(many), { width: 60, isColoured: false }).split(
      "\n",
    )
  ) {
    if (line.startsWith("  50") || line.startsWith("  ramp")) assert.ok(line.length <= 60, line);
  }
});

Deno.test("colours are only where they are asked for, and change no column", () => {
  const coloured = reportText(RUN, resultOf(figures()), { width: 80, isColoured: true });
  // deno-lint-ignore no-control-regex -- what makes colours
  const colours = /\x1b\[\d+m/g;
  assert.ok(colours.test(coloured));
  assert.equal(coloured.replaceAll(colours, ""), reportText(RUN, resultOf(figures()), PLAIN));
});

Deno.test("errors are told by kind, with the reason of those that have no kind", () => {
  const failing = figures();
  failing.failed("refused", 2);
  failing.failed("timed_out", 1_234);
  failing.failed("other", 1, "address not available");
  const text = reportText(RUN, resultOf(failing, 77), PLAIN);
  assert.ok(text.includes(
    "errors     1,237: refused 2, timed out 1,234, other 1\n" +
      "           other: address not available\n" +
      "unsent     77: due, and without a free connection by the end\n",
  ));
});

Deno.test("a report of held connections speaks of them, and one without any figure has no tables", () => {
  const held = new Figures();
  for (let i = 0; i < 50; i++) held.connects.add(1);
  const text = reportText({ ...RUN, plan: { ...RUN.plan, hold: true } }, resultOf(held), PLAIN);
  assert.match(
    text,
    /\n {2}50 connections, held, engine epoll\n\nheld {7}50 connections were opened, for 2\.00 s\n/,
  );
  assert.doesNotMatch(text, /requests|latency/);
  assert.doesNotMatch(reportText(RUN, resultOf(new Figures()), PLAIN), /ms {3}|latency|backends/);
});

Deno.test("of many backends the largest have bars, and the others one together", () => {
  const many = new Figures();
  for (let i = 0; i < 100; i++) many.named(`name ${String(i).padStart(3, "0")}`, i < 36 ? 1 : 2);
  const lines = reportText(RUN, resultOf(many), PLAIN).split("\n").filter((line) =>
    /^ {2}(name|others)/.test(line)
  );
  assert.equal(lines.length, 65);
  assert.match(lines[0] ?? "", /^ {2}name 036 .* 2 +1\.2 %$/);
  assert.match(lines[63] ?? "", /^ {2}name 099 .* 2 +1\.2 %$/);
  assert.match(lines[64] ?? "", /^ {2}others .* 36 +22\.0 %$/);
  assert.equal(Object.keys(jsonReport(resultOf(many)).backends).length, 100);
});

Deno.test("where each reply says something else, only so many of them are kept, and the others counted", () => {
  const thread = new Figures();
  const total = new Figures();
  for (let i = 0; i < 10_000; i++) {
    thread.named(`name ${i}`);
    if (i % 2_500 === 0) total.add(thread.take());
  }
  total.add(thread.take());
  thread.named("name 5");
  total.add(thread.take());
  const { backends, other_backends } = jsonReport(resultOf(total));
  assert.deepEqual([Object.keys(backends).length, other_backends, backends["name 5"]], [4_096, 5_904, 2]);
  assert.match(reportText(RUN, resultOf(total), PLAIN), /^ {2}others .* 9,936 +99\.\d %$/m);
});

Deno.test("the same as JSON has a promised form", () => {
  assert.deepEqual(jsonReport(resultOf(figures(), 3)), {
    requests: 1_000,
    errors: { refused: 0, reset: 0, timed_out: 0, short: 0, corrupt: 0, other: 0 },
    unsent: 3,
    bytes: { sent: 64_000, received: 4_000 },
    duration_s: 2,
    requests_per_second: 500,
    latency_ms: {
      min: 0.8,
      mean: 1.056_924,
      p50: 0.800_255,
      p90: 0.800_255,
      p95: 3.000_319,
      p99: 3.000_319,
      "p99.9": 3.000_319,
      max: 40.000_063,
    },
    connect_ms: {
      min: 0.2,
      mean: 0.2,
      p50: 0.200_063,
      p90: 0.200_063,
      p95: 0.200_063,
      p99: 0.200_063,
      "p99.9": 0.200_063,
      max: 0.200_063,
    },
    connections_opened: 50,
    backends: { one: 334, three: 333, two: 333 },
    other_backends: 0,
  });
});

Deno.test("progress is one line, and what matters least is left out where it does not fit", () => {
  const second = { number: 11, isWhole: true, figures: figures(), total: figures(), open: 50 };
  second.total.failed("reset", 1);
  const text = (plan: Partial<LoadPlan>, width: number): string =>
    progressText({ ...PLAN, ...plan }, second, width);
  assert.equal(text({ durationMs: 30_000 }, 100), "12s of 30s  1,000/s  1 error  p99 3.000 ms  50 open");
  assert.equal(
    text({ requests: 5_000 }, 100),
    "12s  1,000/s  1 error  p99 3.000 ms  50 open  1,001 of 5,000 requests",
  );
  assert.equal(text({ hold: true }, 100), "12s  1 error  50 open");
  assert.equal(text({ durationMs: 30_000 }, 41), "12s of 30s  1,000/s  1 error");
  for (let width = 0; width < 60; width++) assert.ok(text({ requests: 5_000 }, width).length <= width);
});

Deno.test("a row of CSV has a cell for each title, and no latencies where nothing was answered", () => {
  const columns = CSV_HEADER.split(",");
  assert.equal(
    CSV_HEADER,
    "second,requests,refused,reset,timed_out,short,corrupt,other,sent_bytes,received_bytes,open," +
      "latency_p50_ms,latency_p90_ms,latency_p99_ms,latency_p99.9_ms,latency_max_ms",
  );
  const row = csvRow({ number: 0, isWhole: true, figures: figures(), total: figures(), open: 50 });
  assert.equal(row, "1,1000,0,0,0,0,0,0,64000,4000,50,0.800,0.800,3.000,3.000,40.000");
  const empty = csvRow({ number: 1, isWhole: true, figures: new Figures(), total: figures(), open: 0 });
  assert.equal(empty, "2,0,0,0,0,0,0,0,0,0,0,,,,,");
  for (const line of [row, empty]) assert.equal(line.split(",").length, columns.length);
});

Deno.test("two reports are told beside each other, without what is 0 in both", () => {
  const before = jsonReport(resultOf(figures()));
  const after = {
    ...before,
    requests: 1_500,
    requests_per_second: 750,
    errors: { ...before.errors, reset: 4 },
  };
  const text = comparisonText(["a.json", "a/very/long/path/to/b.json"], [before, after]);
  assert.match(text, /^ +a\.json +…long\/path\/to\/b\.json +change\n/);
  assert.match(text, /^requests +1,000 +1,500 +\+50\.0 %$/m);
  assert.match(text, /^errors, reset +0 +4 +new$/m);
  assert.match(text, /^latency p99\.9, ms +3\.000 +3\.000 +0\.0 %$/m);
  assert.match(text, /^backend three +333 +333 +0\.0 %$/m);
  assert.doesNotMatch(text, /refused|unsent/);
});

Deno.test("only what a load has written is read as a report", () => {
  const report = jsonReport(resultOf(figures()));
  assert.deepEqual(readJsonReport(JSON.stringify(report)), report);
  for (
    const text of [
      "",
      "{",
      "null",
      "5",
      "[]",
      "{}",
      '{"requests":1}',
      JSON.stringify({ ...report, latency_ms: {} }),
      ...[{ errors: null }, { errors: {} }, { bytes: [] }, { duration_s: "1" }, { requests: -1 }].map((
        wrong,
      ) => JSON.stringify({ ...report, ...wrong })),
      JSON.stringify({ ...report, connect_ms: { ...report.connect_ms, p99: null } }),
      JSON.stringify({ ...report, backends: { one: "many" } }),
      JSON.stringify({ ...report, backends: { "\x1b[31mone": 1 } }),
    ]
  ) {
    assert.equal(readJsonReport(text), undefined, text);
  }
});

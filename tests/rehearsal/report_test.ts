import assert from "node:assert/strict";
import { Figures } from "../../lib/load/figures.ts";
import { endLine, errorsText, summaryLines } from "../../lib/rehearsal/load_lines.ts";
import { timelineLine, verdictText, whyFailed } from "../../lib/rehearsal/report.ts";
import { Timeline } from "../../lib/rehearsal/timeline.ts";

const HOLDS = { what: "errors", wanted: "0", measured: "0", holds: true };
const FAILS = { what: "p99", wanted: "<50ms", measured: "1.20 s", holds: false };

/** A timeline with a clock of the test, and its lines. */
function timeline(): { readonly timeline: Timeline; readonly lines: string[]; at(ms: number): void } {
  const lines: string[] = [];
  let nowMs = 5_000;
  const now = (): number => nowMs;
  const made = new Timeline({ write: (line) => lines.push(line), isColoured: false, now });
  return { timeline: made, lines, at: (ms) => void (nowMs = 5_000 + ms) };
}

Deno.test("a timeline counts from the beginning of the load, and is silent before it", () => {
  const { timeline: told, lines, at } = timeline();
  told.say("plan", "too early");
  told.start();
  told.say("plan", "the load begins");
  at(1_000);
  told.server("two", false);
  at(1_234);
  const fields = { pool: "web", backend: "127.0.0.1:4002", reason: "connection refused" };
  told.balancer({ event: "backend_down", fields }, "two");
  told.picked("two", false);
  told.balancer({ event: "keys_renewed", fields: {} }, undefined);
  told.balancer({ event: "backend_down", fields }, undefined);
  at(61_000);
  told.say("load", "in second 2: 1 error (1 reset)");
  assert.deepEqual(lines, [
    "  0.000 s  the load begins\n",
    "  1.000 s  two goes down\n",
    "  1.234 s    balancer: two is down: connection refused\n",
    "  1.234 s    balancer: 127.0.0.1:4002 is down: connection refused\n",
    " 61.000 s    load: in second 2: 1 error (1 reset)\n",
  ]);
  assert.equal(told.reactions.measured().noticedMs, 234);
});

Deno.test("the table has a row for each thing that must hold, with the run where there are several", () => {
  assert.equal(
    verdictText([{ run: undefined, findings: [HOLDS, FAILS] }], false),
    `what must hold  wanted  measured
errors          0       0         holds
p99             <50ms   1.20 s    FAILS
`,
  );
  const runs = [{ run: "one", findings: [HOLDS] }, { run: "two", findings: [FAILS] }];
  assert.match(verdictText(runs, false), /^one: errors +0 +0 +holds\ntwo: p99 +<50ms +1\.20 s +FAILS\n/m);
});

Deno.test("colours are there only when they are asked for, and change no column", () => {
  const coloured = verdictText([{ run: undefined, findings: [HOLDS, FAILS] }], true);
  assert.ok(coloured.includes("\x1b[32mholds\x1b[0m") && coloured.includes("\x1b[31mFAILS\x1b[0m"));
  // deno-lint-ignore no-control-regex -- what makes colours
  const plain = coloured.replaceAll(/\x1b\[\d+m/g, "");
  assert.equal(plain, verdictText([{ run: undefined, findings: [HOLDS, FAILS] }], false));
  assert.equal(timelineLine(1_500, "plan", "x", true), "\x1b[2m  1.500 s\x1b[0m  x\n");
});

Deno.test("why a rehearsal has failed is one sentence", () => {
  const why = (findings: readonly typeof HOLDS[], stoppedAtMs?: number): string | undefined =>
    whyFailed([{ run: undefined, findings }], stoppedAtMs);
  assert.equal(why([HOLDS, HOLDS]), undefined);
  assert.equal(why([]), undefined);
  assert.equal(why([FAILS]), "what must hold does not");
  assert.equal(why([HOLDS, FAILS]), "of 2 things that must hold, 1 does not");
  assert.equal(why([FAILS, FAILS, HOLDS]), "of 3 things that must hold, 2 do not");
  assert.equal(why([HOLDS], 1_499.6), "stopped after 1s500ms, before its end");
});

Deno.test("the load tells its errors by kind, and what was measured", () => {
  const figures = new Figures();
  assert.deepEqual([errorsText(figures), summaryLines(figures, ["one"])], ["no error", []]);
  figures.requests = 3;
  for (const ms of [1, 1, 2]) figures.latencies.add(ms);
  for (const name of ["one", "one", "two"]) figures.named(name);
  figures.failed("timed_out", 1);
  assert.equal(endLine(figures, 0), "the load is over: 3 answers, 1 error (1 timed out)");
  assert.match(
    endLine(figures, 1_200),
    /, 1 error \(1 timed out\), 1,200 due and without a free connection$/,
  );
  figures.failed("reset", 2);
  assert.equal(errorsText(figures), "3 errors (2 reset, 1 timed out)");
  const [times, shares] = summaryLines(figures, ["one", "two", "three"]);
  assert.match(times ?? "", /^p50 1\.\d+ ms, p90 2\.\d+ ms, p99 2\.\d+ ms, max 2\.\d+ ms$/);
  assert.equal(shares, "one 66.7 %, two 33.3 %, three 0.0 %");
});

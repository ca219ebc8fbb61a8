import assert from "node:assert/strict";
import { type Needing, possibleWith, type Program } from "../../bench/programs.ts";

const MEASURES: readonly Needing[] = [
  { name: "requests", needs: ["haproxy", "wrk"] },
  { name: "bulk", needs: ["haproxy", "iperf3"] },
  { name: "fairness", needs: ["haproxy", "wrk", "iperf3"] },
];

function possible(...installed: Program[]): { names: string[]; sentences: readonly string[] } {
  const { measures, sentences } = possibleWith(MEASURES, new Set(installed));
  return { names: measures.map((it) => it.name), sentences };
}

Deno.test("with all programs every measure is possible, and nothing is said", () => {
  assert.deepEqual(possible("haproxy", "wrk", "iperf3"), {
    names: ["requests", "bulk", "fairness"],
    sentences: [],
  });
});

Deno.test("measures whose load is missing are left out, and the sentence says how to install it", () => {
  assert.deepEqual(possible("haproxy", "wrk"), {
    names: ["requests"],
    sentences: ["iperf3 is not installed (apt-get install iperf3), so these are left out: bulk, fairness"],
  });
});

Deno.test("without the backends nothing is possible, and each program has one sentence", () => {
  assert.deepEqual(possible(), {
    names: [],
    sentences: [
      "haproxy is not installed (apt-get install haproxy), so these are left out: requests, bulk, fairness",
      "wrk is not installed (apt-get install wrk), so these are left out: requests, fairness",
      "iperf3 is not installed (apt-get install iperf3), so these are left out: bulk, fairness",
    ],
  });
});

Deno.test("a program that no wanted measure needs is not asked for", () => {
  const { sentences } = possibleWith(MEASURES.slice(0, 1), new Set<Program>(["haproxy", "wrk"]));
  assert.deepEqual(sentences, []);
});

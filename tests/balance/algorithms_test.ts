import assert from "node:assert/strict";
import { type AlgorithmName, algorithms } from "../../lib/balance/algorithms.ts";
import type { Algorithm } from "../../lib/balance/picker.ts";
import { sharedCases } from "./shared_cases.ts";

/** Cases that an algorithm is excused from, and why. */
const EXCUSED: Partial<Record<AlgorithmName, Record<string, string>>> = {
  first: {
    "every member is picked at one time or another": "the second is for when the first is not free",
  },
};

for (const [name, algorithm] of Object.entries<Algorithm>(algorithms)) {
  const excuses = new Map(Object.entries(EXCUSED[name as AlgorithmName] ?? {}));
  for (const sharedCase of sharedCases) {
    const excuse = excuses.get(sharedCase.name);
    const suffix = excuse === undefined ? "" : `: ${excuse}`;
    Deno.test({
      name: `${name}: ${sharedCase.name}${suffix}`,
      ignore: excuse !== undefined,
      fn: () => sharedCase.run(algorithm),
    });
  }
}

Deno.test("only cases that exist are excused", () => {
  const names = new Set(sharedCases.map((it) => it.name));
  for (const excuses of Object.values(EXCUSED)) {
    for (const name of Object.keys(excuses)) assert.ok(names.has(name), name);
  }
});

import assert from "node:assert/strict";
import { parseIPRange } from "../../lib/core/ip_range.ts";
import { admissionOf } from "../../lib/dataplane/admission.ts";
import { asRow } from "../support/rows.ts";

/** The least of many short runs, in which nothing else took the processor; in ms. */
function cost(rules: number): number {
  const deny = Array.from({ length: rules }, (_, i) => parseIPRange(`20.${i >> 8}.${i & 255}.0/24`));
  const { enter } = admissionOf({ allow: [], deny }, asRow(1), undefined);
  const clients = Array.from({ length: 256 }, (_, i) => {
    return { transport: "tcp" as const, host: `20.${i}.${i}.7`, port: 1 };
  });
  let least = Infinity;
  for (let run = 0; run < 60; run++) {
    const startedMs = performance.now();
    for (let i = 0; i < 8; i++) for (const client of clients) enter(client);
    least = Math.min(least, performance.now() - startedMs);
  }
  return least;
}

Deno.test("a session that meets thousands of rules costs little more than one that meets ten", () => {
  cost(1_000);
  const ratio = cost(4_000) / cost(10);
  // Looked at one by one, four hundred times as many would cost a hundred times as much or more.
  assert.ok(ratio < 8, `${ratio} times as much`);
});

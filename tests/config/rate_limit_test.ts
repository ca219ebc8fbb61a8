/** `rate_limit`: what a configuration says wrong, and the one sentence that it gets. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import { assertFaults } from "./faults.ts";

function withRates(rates: string): string {
  return `listeners: [{ listen: ":1", pool: web, rate_limit: ${rates} }]\npools: { web: { backends: [a:1] } }\n`;
}

Deno.test("rates are bytes a second, of a session and of all sessions of the listener", () => {
  const [listener] =
    parseConfig(withRates("{ in: 64KiB, out: 10MiB, total_in: 0, total_out: 1GiB }"), "f").listeners;
  assert.deepEqual(listener?.rateLimit, { in: 65_536, out: 10_485_760, totalIn: 0, totalOut: 1_073_741_824 });
});

Deno.test("what is no rate is told what to write, at its place", () => {
  assertFaults(
    withRates("{ in: 1048576, out: 10MB, total_in: -1, total_out: 2000GiB }"),
    [
      "1:58 listeners[0].rate_limit.in",
      "1048576 is not a rate; add the unit, as 10MiB (bytes a second)",
    ],
    [
      "1:72 listeners[0].rate_limit.out",
      '"10MB" is not a rate (bytes a second); write it as 10MiB',
    ],
    [
      "1:88 listeners[0].rate_limit.total_in",
      "-1 is not a rate; it cannot be negative; write bytes a second as 64KiB, 10MiB or 1GiB; 0: no limit",
    ],
    ["1:103 listeners[0].rate_limit.total_out", '"2000GiB" is too large; write at most 1024GiB'],
  );
  assertFaults(withRates("10MiB"), [
    "1:52 listeners[0].rate_limit",
    '"10MiB" is not a map; write rate_limit: { in: 1MiB, out: 10MiB }',
  ]);
  assertFaults(withRates("{ download: 10MiB }"), [
    "1:54 listeners[0].rate_limit.download",
    'unknown key "download"; did you mean out?',
  ]);
});

Deno.test("a limit for all that is smaller than that of one session is a note", () => {
  const { notes } = parseConfig(withRates("{ out: 10MiB, total_out: 1MiB }"), "f");
  assert.deepEqual(notes, [
    "f:1:77 listeners[0].rate_limit.total_out: note: all sessions together may move 1MiB a second, so that out: 10MiB limits none of them",
  ]);
});

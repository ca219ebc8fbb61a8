/** What is told about certificates while the balancer runs. */

import assert from "node:assert/strict";
import { certificateStatus, tellOfExpiry } from "../../lib/control/expiry.ts";
import type { CertificateInUse } from "../../lib/control/keys.ts";
import { memoryLog } from "../support/memory_log.ts";

const DAY_MS = 86_400_000;
const START_MS = Date.parse("2026-11-28T00:00:00Z");

function certificate(of: "listener" | "pool", name: string, days: number): CertificateInUse {
  return {
    ...{ of, name, subject: `CN=${name}.example`, names: [`${name}.example`], fingerprint: "A1:B2" },
    ...{ notBeforeMs: START_MS - DAY_MS, notAfterMs: START_MS + days * DAY_MS },
  };
}

Deno.test("a certificate that expires within 14 days is told once a day, until it is replaced; also when it has expired", async () => {
  let nowMs = START_MS;
  let inUse = [
    certificate("listener", "web", 15),
    certificate("pool", "db", 3),
    certificate("pool", "far", 90),
  ];
  const days: string[][] = [];
  const { log, events } = memoryLog();
  const stop = new AbortController();
  await tellOfExpiry({
    certificates: () => inUse,
    log,
    now: () => nowMs,
    sleep: (ms) => {
      assert.equal(ms, DAY_MS);
      days.push(
        events.splice(0).map(({ level, event, fields: { reason, ...fields } }) => {
          assert.deepEqual([level, event], ["warning", "certificate_expires"]);
          return [...Object.entries(fields).flat(), reason].join(" ");
        }),
      );
      nowMs += DAY_MS;
      if (days.length === 4) inUse = inUse.map((it) => ({ ...it, notAfterMs: START_MS + 90 * DAY_MS }));
      if (days.length === 5) stop.abort();
      return Promise.resolve();
    },
  }, stop.signal);
  const at = "00:00 UTC";
  assert.deepEqual(days, [
    [],
    ["pool db certificate CN=db.example expires in 2 days, on 2026-12-01 " + at],
    [
      "listener web certificate CN=web.example expires in 13 days, on 2026-12-13 " + at,
      "pool db certificate CN=db.example expires in 1 day, on 2026-12-01 " + at,
    ],
    [
      "listener web certificate CN=web.example expires in 12 days, on 2026-12-13 " + at,
      "pool db certificate CN=db.example expires in less than an hour, on 2026-12-01 " + at,
    ],
    [],
  ]);
});

Deno.test("a certificate is valid, expires soon, or has expired", () => {
  const { of: _, name: __, ...facts } = certificate("listener", "web", 14);
  assert.deepEqual(certificateStatus(facts, START_MS), {
    ...{ subject: "CN=web.example", names: ["web.example"], fingerprint: "A1:B2", state: "valid" },
    ...{ not_before: "2026-11-27T00:00:00.000Z", not_after: "2026-12-12T00:00:00.000Z" },
  });
  const stateIn = (ms: number): string => certificateStatus(facts, START_MS + ms).state;
  assert.deepEqual([1, 14 * DAY_MS, 14 * DAY_MS + 1].map(stateIn), [
    "expires_soon",
    "expires_soon",
    "expired",
  ]);
});

import assert from "node:assert/strict";
import { overdue, type SessionLimits, type SessionTimes } from "../../lib/dataplane/timeouts.ts";

const limits: SessionLimits = { idleTimeoutMs: 600, halfCloseTimeoutMs: 60, maxSessionDurationMs: 10_000 };
const times: SessionTimes = {
  startedMs: 0,
  lastActiveMs: 1_000,
  halfClosed: false,
  pendingWrites: 0,
  leftOverMs: Infinity,
};

for (
  const [what, nowMs, changes, expected] of [
    ["a session within its limits goes on", 1_599, {}, undefined],
    ["silence for the idle timeout ends it", 1_600, {}, "idle_timeout"],
    ["a half-closed session within its limits goes on", 1_059, { halfClosed: true }, undefined],
    [
      "silence for the half-close timeout ends a half-closed one",
      1_060,
      { halfClosed: true },
      "half_close_timeout",
    ],
    [
      "the half-close timeout comes before the idle timeout",
      2_000,
      { halfClosed: true },
      "half_close_timeout",
    ],
    [
      "a half-closed session whose other side reads slowly goes on",
      1_500,
      { halfClosed: true, pendingWrites: 1 },
      undefined,
    ],
    [
      "a side that takes nothing for the idle timeout ends it, half-closed or not",
      1_600,
      { halfClosed: true, pendingWrites: 1 },
      "idle_timeout",
    ],
    [
      "a client without backend that was told the end has a moment to go",
      1_058,
      { halfClosed: true, leftOverMs: 1_000 },
      undefined,
    ],
    [
      "then it is closed",
      1_500,
      { halfClosed: true, leftOverMs: 1_000, pendingWrites: 1 },
      "backend_reset",
    ],
    ["the maximal duration ends a busy session", 10_000, { lastActiveMs: 9_999 }, "max_duration"],
    ["a session that still dials is not idle", 9_000, { lastActiveMs: Infinity }, undefined],
    [
      "a session that dials for too long ends at its maximal duration",
      10_000,
      { lastActiveMs: Infinity },
      "max_duration",
    ],
  ] as const
) {
  Deno.test(what, () => assert.equal(overdue({ ...times, ...changes }, limits, nowMs), expected));
}

Deno.test("a limit of 0 is none", () => {
  const none = { idleTimeoutMs: 0, halfCloseTimeoutMs: 0, maxSessionDurationMs: 0 };
  assert.equal(overdue({ ...times, halfClosed: true }, none, Number.MAX_SAFE_INTEGER), undefined);
});

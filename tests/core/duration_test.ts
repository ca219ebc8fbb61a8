import assert from "node:assert/strict";
import fc from "fast-check";
import { formatDuration, parseDurationMs } from "../../lib/core/duration.ts";
import { InputError } from "../../lib/core/errors.ts";

const LONGEST_MS = 596 * 3_600_000;

Deno.test("every form of a duration is read", () => {
  const forms: [string, number][] = [
    ["0s", 0],
    ["0ms", 0],
    ["250ms", 250],
    ["30s", 30_000],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["1m30s", 90_000],
    ["1h30m", 5_400_000],
    ["1h2m3s4ms", 3_723_004],
    ["1h4ms", 3_600_004],
    ["1m1ms", 60_001],
    ["1500ms", 1_500],
    ["90m", 5_400_000],
    ["007s", 7_000],
    ["596h", LONGEST_MS],
  ];
  for (const [text, ms] of forms) assert.equal(parseDurationMs(text), ms, text);
});

Deno.test("a bare number is refused with the unit to add", () => {
  for (const text of ["0", "30", "99999999999999999999"]) {
    assert.throws(
      () => parseDurationMs(text),
      new InputError(`"${text}" is not a duration; add the unit, as ${text}s or ${text}ms`),
    );
  }
});

Deno.test("a negative duration is refused", () => {
  for (const text of ["-5s", "-1", "-0s", "-"]) {
    assert.throws(
      () => parseDurationMs(text),
      new InputError(`"${text}" is not a duration; it cannot be negative; write 0s or more`),
    );
  }
});

Deno.test("a duration that no timer of the runtime can keep is refused with the longest one", () => {
  const long = ["596h1ms", "597h", "9999999999999s", `${"9".repeat(400)}h`, `${LONGEST_MS + 1}ms`];
  for (const text of long) {
    assert.throws(
      () => parseDurationMs(text),
      new InputError(`"${text}" is too long; a duration is at most 596h`),
    );
  }
});

Deno.test("what is no duration is refused with examples of what to write", () => {
  const refused = [
    "",
    "s",
    "ms",
    "1e3s",
    "+5s",
    "30s1m",
    "1s1s",
  ];
  for (const text of [...refused, "५s", "0x5s", "1_000ms", "5µs"]) {
    assert.throws(
      () => parseDurationMs(text),
      new InputError(`${JSON.stringify(text)} is not a duration; write it as 250ms, 30s, 1m30s or 2h`),
    );
  }
});

Deno.test("a duration in the form of another program is refused with its own form", () => {
  for (
    const [text, write] of [
      ["1.5s", "1s500ms"],
      ["0.001s", "1ms"],
      ["5 s", "5s"],
      [" 5s", "5s"],
      ["5s ", "5s"],
      ["5s\n", "5s"],
      ["5S", "5s"],
      ["5d", "120h"],
      ["5sec", "5s"],
      ["90 seconds", "1m30s"],
      ["2hrs", "2h"],
    ] as const
  ) {
    assert.throws(
      () => parseDurationMs(text),
      new InputError(`${JSON.stringify(text)} is not a duration; write it as ${write}`),
    );
  }
});

Deno.test("a duration is formatted in its shortest form", () => {
  const forms: [number, string][] = [
    [0, "0s"],
    [1, "1ms"],
    [1_000, "1s"],
    [90_000, "1m30s"],
    [3_600_000, "1h"],
    [3_600_001, "1h1ms"],
    [LONGEST_MS, "596h"],
  ];
  for (const [ms, text] of forms) assert.equal(formatDuration(ms), text);
});

Deno.test("formatDuration is the inverse of parseDurationMs", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: LONGEST_MS }), (ms) => {
    assert.equal(parseDurationMs(formatDuration(ms)), ms);
  }));
});

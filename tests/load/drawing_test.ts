import assert from "node:assert/strict";
import { bar, barLines } from "../../lib/load/bars.ts";
import { classesOf } from "../../lib/load/classes.ts";
import { change } from "../../lib/load/compare.ts";
import { Latencies } from "../../lib/load/latencies.ts";
import { count, milliseconds, percent, size, time } from "../../lib/load/numbers.ts";

Deno.test("a bar is exact to an eighth of a character, and what is not nothing can be seen", () => {
  assert.deepEqual([0, 0.5, 1, 2].map((part) => bar(part, 4)), ["", "██", "████", "████"]);
  assert.deepEqual([1, 3, 8, 9].map((eighths) => bar(eighths / 32, 4)), ["▏", "▍", "█", "█▏"]);
  assert.equal(bar(0.000_1, 4), "▏");
});

Deno.test("bars are as long as their values, and their lines as wide as the terminal", () => {
  const rows = [{ label: "a", value: 300 }, { label: "long", value: 100 }, { label: "none", value: 0 }];
  const format = { value: count, share: percent };
  const lines = barLines(rows, 40, format, (text) => text);
  assert.deepEqual(lines, [
    "  a     ███████████████████  300  75.0 %",
    "  long  ██████▍              100  25.0 %",
    "  none                         0   0.0 %",
  ]);
  for (const width of [40, 80, 120, 200]) {
    for (const line of barLines(rows, width, format, (text) => text)) assert.equal([...line].length, width);
  }
});

Deno.test("a long name is cut before the bars vanish", () => {
  const rows = [{ label: "x".repeat(100), value: 7 }];
  const [line = ""] = barLines(rows, 60, { value: count, share: percent }, (text) => text);
  assert.equal([...line].length, 60);
  assert.match(line, /^ {2}x+… {2}████ {2}7 {2}100\.0 %$/);
});

function classes(times: readonly number[]): [number, number, number][] {
  const latencies = new Latencies();
  for (const ms of times) latencies.add(ms);
  return classesOf(latencies.counted()).map(({ fromMs, toMs, count }) => [fromMs, toMs, count]);
}

Deno.test("times are drawn in classes with round bounds, from the shortest to the longest", () => {
  assert.deepEqual(classes([1.1, 1.1, 1.4, 2.1, 2.9]), [
    [1, 1.2, 2],
    [1.2, 1.5, 1],
    [1.5, 2, 0],
    [2, 2.5, 1],
    [2.5, 3, 1],
  ]);
  assert.deepEqual(classes([0.03, 5, 90]).map(([, to]) => to), [
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    20,
    50,
    100,
  ]);
  assert.deepEqual(classes([0.000_3, 900]).map(([, to]) => to), [0.001, 0.01, 0.1, 1, 10, 100, 1000]);
  assert.deepEqual(classes([]), []);
});

Deno.test("no time is lost between classes, and there are few of them", () => {
  for (const longest of [0.001, 0.5, 7, 1_234, 90_000, 3_600_000]) {
    const times = Array.from({ length: 200 }, (_, i) => 0.000_7 + longest * (i / 199) ** 4);
    const all = classes(times);
    assert.equal(all.reduce((sum, [, , count]) => sum + count, 0), 200, String(longest));
    assert.ok(all.length <= 16, `${all.length} classes`);
    for (const [i, [from]] of all.entries()) if (i > 0) assert.equal(from, all[i - 1]?.[1]);
  }
});

Deno.test("numbers have as many digits as they need", () => {
  assert.deepEqual([0, 999, 1_000, 1_234_567.6].map(count), ["0", "999", "1,000", "1,234,568"]);
  assert.deepEqual([0.0421, 9.9994, 12.34, 123.4, 1_234, 61_000].map(time), [
    "0.042 ms",
    "9.999 ms",
    "12.3 ms",
    "123 ms",
    "1.23 s",
    "61.0 s",
  ]);
  assert.deepEqual([0, 9.99, 99.96, 4_321].map(milliseconds), ["0.000", "9.990", "100", "4,321"]);
  assert.deepEqual([0, 1_023, 1_024, 1_536, 10.5 * 1_048_576, 3 * 2 ** 40].map(size), [
    "0 B",
    "1,023 B",
    "1.00 KiB",
    "1.50 KiB",
    "10.5 MiB",
    "3.00 TiB",
  ]);
  assert.equal(percent(1 / 3), "33.3 %");
});

Deno.test("a change is told as a part of what was before", () => {
  assert.deepEqual([[100, 150], [100, 50], [5, 5], [0, 3], [3, 0]].map(([a = 0, b = 0]) => change(a, b)), [
    "+50.0 %",
    "-50.0 %",
    "0.0 %",
    "new",
    "-100.0 %",
  ]);
});

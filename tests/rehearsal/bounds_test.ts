import assert from "node:assert/strict";
import { InputError } from "../../lib/core/errors.ts";
import {
  parseComparison,
  parseErrorPart,
  parsePercent,
  parseShareBound,
  parseTimeBound,
} from "../../lib/rehearsal/bounds.ts";

Deno.test("a bound of a time is less than a duration", () => {
  assert.equal(parseTimeBound("<50ms"), 50);
  assert.equal(parseTimeBound("< 1s"), 1_000);
});

Deno.test("a part is a percentage, and a share may have a side", () => {
  assert.equal(parsePercent("12.5%"), 0.125);
  assert.equal(parseErrorPart("<1%"), 0.01);
  assert.deepEqual(parseShareBound("50%"), { is: "near", part: 0.5 });
  assert.deepEqual(parseShareBound("<30%"), { is: "below", part: 0.3 });
  assert.deepEqual(parseShareBound("> 5 %"), { is: "above", part: 0.05 });
});

Deno.test("a comparison has a measure and a variant on either side", () => {
  assert.deepEqual(parseComparison("p99 of one < p99.9 of two"), {
    measure: "p99",
    of: "one",
    is: "<",
    otherMeasure: "p99.9",
    other: "two",
  });
  assert.equal(parseComparison("requests of one>requests of two").is, ">");
});

Deno.test("what is no bound is refused with what to write", () => {
  const refused: [() => unknown, string][] = [
    [() => parseTimeBound("50ms"), '"50ms" is not a bound; write <50ms'],
    [() => parseTimeBound(">50ms"), '">50ms" is not a bound; write <50ms'],
    [() => parseTimeBound("<50"), '"50" is not a duration; add the unit, as 50s or 50ms'],
    [() => parsePercent("0.5"), '"0.5" is not a percentage; write 0% to 100%, as 5%'],
    [() => parsePercent("101%"), '"101%" is not a percentage; write 0% to 100%, as 5%'],
    [() => parseErrorPart("1%"), '"1%" is not a bound for errors; write how many there may be, as 0, or <1%'],
    [() => parseShareBound("half"), '"half" is not a share; write 50%, <30% or ">5%"'],
    [() => parseShareBound("<130%"), '"130%" is not a percentage; write 0% to 100%, as 5%'],
    [
      () => parseComparison("one < two"),
      '"one < two" is not a comparison; write it as p99 of one < p99 of two',
    ],
    [() => parseComparison("p98 of one < p99 of two"), '"p98" is not measured; did you mean p90?'],
    [
      () => parseComparison("p99 of one < errors of two"),
      '"p99 of one < errors of two" compares a count (errors) with a time (p99); compare two counts or two times',
    ],
  ];
  for (const [parse, message] of refused) assert.throws(parse, new InputError(message));
});

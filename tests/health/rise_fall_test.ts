import assert from "node:assert/strict";
import fc from "fast-check";
import { initialStanding, nextStanding, type Standing } from "../../lib/health/rise_fall.ts";

/** Of a backend that was checked before. */
const KNOWN: Standing = { ...initialStanding(true), isKnown: true };

/** Whether the backend is up after each result; + is a success, - a failure. */
function ups(results: string, rise: number, fall: number): string {
  let standing = KNOWN;
  return [...results].map((result) => {
    standing = nextStanding(standing, result === "+", { rise, fall });
    return standing.isUp ? "u" : "d";
  }).join("");
}

Deno.test("a backend is up until so many checks in a row have failed", () => {
  assert.equal(ups("---", 2, 3), "uud");
  assert.equal(ups("+---", 2, 3), "uuud");
  assert.equal(ups("-", 2, 1), "d");
});

Deno.test("a backend that is down is up again after so many successes in a row", () => {
  assert.equal(ups("---++", 2, 3), "uuddu");
  assert.equal(ups("-+", 1, 1), "du");
});

Deno.test("failures that are not in a row never add up", () => {
  assert.equal(ups("--+--+--+--+", 2, 3), "uuuuuuuuuuuu");
  assert.equal(ups("--+---", 2, 3), "uuuuud");
});

Deno.test("successes that are not in a row never add up", () => {
  assert.equal(ups("---+-+-+-", 2, 3), "uuddddddd");
  assert.equal(ups("---+-++", 2, 3), "uuddddu");
});

Deno.test("after a change the count begins anew", () => {
  assert.equal(ups("---++---++", 2, 3), "uudduuuddu");
});

Deno.test("a change is told once, with the result that makes it", () => {
  let standing = KNOWN;
  const changes = [..."-----+++++---"].map((result) => {
    const { hasChanged, ...next } = nextStanding(standing, result === "+", { rise: 2, fall: 3 });
    standing = next;
    return hasChanged ? "!" : ".";
  });
  assert.equal(changes.join(""), "..!...!.....!");
});

Deno.test("the state turns exactly when the last results are all against it, since it turned", () => {
  const count = fc.integer({ min: 1, max: 6 });
  fc.assert(fc.property(fc.array(fc.boolean(), { maxLength: 60 }), count, count, (results, rise, fall) => {
    let standing = KNOWN;
    let isUp = true;
    let sinceTurn: boolean[] = [];
    for (const ok of results) {
      sinceTurn.push(ok);
      const needed: number = isUp ? fall : rise;
      const last = sinceTurn.slice(-needed);
      const turns: boolean = last.length === needed && last.every((it) => it !== isUp);
      if (turns) {
        isUp = !isUp;
        sinceTurn = [];
      }
      const { hasChanged, ...next } = nextStanding(standing, ok, { rise, fall });
      assert.deepEqual([next.isUp, hasChanged], [isUp, turns]);
      standing = next;
    }
  }));
});

Deno.test("the first result decides alone, whatever the backend was taken for", () => {
  for (const isUp of [true, false]) {
    for (const ok of [true, false]) {
      const standing = nextStanding(initialStanding(isUp), ok, { rise: 5, fall: 5 });
      assert.deepEqual(standing, { isUp: ok, against: 0, isKnown: true, hasChanged: ok !== isUp });
    }
  }
});

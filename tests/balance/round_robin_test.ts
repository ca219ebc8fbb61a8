import assert from "node:assert/strict";
import fc from "fast-check";
import { roundRobin } from "../../lib/balance/round_robin.ts";
import { scheduleOf } from "../../lib/balance/schedule.ts";
import { equalMembers, IDLE, membersOf, onlyFree, picks, tally } from "./sessions.ts";

/** The picks as letters, a for the first member. */
function letters(picked: readonly number[]): string {
  return picked.map((member) => "abcdefghij"[member] ?? "-").join("");
}

/** Positions from 0 on, without one. */
function allBut(gone: number, members: number): number[] {
  return Array.from({ length: members }, (_, i) => i).filter((i) => i !== gone);
}

Deno.test("balanced: equal members are picked one after the other", () => {
  assert.equal(letters(picks(roundRobin(equalMembers(3)), 8)), "abcabcab");
  assert.equal(letters(picks(roundRobin(equalMembers(1)), 3)), "aaa");
});

Deno.test("weight: a heavier member has more turns, with those of the others between them", () => {
  const cases: [number[], string][] = [
    [[5, 1, 1], "aabacaa"],
    [[1, 1, 1], "abc"],
    [[2, 3], "babab"],
    [[3, 2], "ababa"],
    [[3, 1], "aaba"],
    [[2, 1], "aba"],
    [[4, 2, 1], "abacaba"],
  ];
  for (const [weights, period] of cases) {
    const picked = letters(picks(roundRobin(membersOf(...weights)), 2 * period.length));
    assert.equal(picked, period + period, weights.join());
  }
});

Deno.test("weights with a common divisor are the same as without", () => {
  const cases = [[[10, 2, 2], [5, 1, 1]], [[256, 256], [1, 1]], [[25_600, 12_800, 6_400], [4, 2, 1]], [[7], [
    1,
  ]]];
  for (const [large = [], small = []] of cases) {
    assert.deepEqual(
      picks(roundRobin(membersOf(...large)), 50),
      picks(roundRobin(membersOf(...small)), 50),
      large.join(),
    );
  }
});

Deno.test("over any whole period the shares are exactly the weights", () => {
  const weights = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });
  fc.assert(fc.property(weights, fc.nat(2 ** 31), (weights, start) => {
    const period = weights.reduce((sum, weight) => sum + weight);
    const picked = picks(roundRobin(membersOf(...weights)), period, IDLE, start);
    assert.deepEqual(tally(picked, weights.length), weights);
  }));
});

Deno.test("workers that take turns from one counter keep the shares together", () => {
  const [one, other] = [roundRobin(membersOf(3, 1)), roundRobin(membersOf(3, 1))];
  const picked = Array.from({ length: 8 }, (_, turn) => (turn % 3 === 0 ? one : other)(turn, 0, IDLE));
  assert.equal(letters(picked), "aabaaaba");
});

Deno.test("the turns of a member that is not free are shared evenly by the others", () => {
  for (const gone of [0, 1, 2]) {
    const others = allBut(gone, 3);
    const counts = tally(picks(roundRobin(equalMembers(3)), 600, onlyFree(...others)), 3);
    assert.deepEqual(counts, [0, 1, 2].map((member) => member === gone ? 0 : 300));
  }
});

Deno.test("the turns of a member that is not free are shared by weight, exactly over time", () => {
  const weights = [6, 3, 2, 1];
  for (const gone of weights.keys()) {
    const others = allBut(gone, 4);
    const free = 12 - (weights[gone] ?? 0);
    const counts = tally(picks(roundRobin(membersOf(...weights)), 12 * free, onlyFree(...others)), 4);
    assert.deepEqual(counts, weights.map((weight, member) => member === gone ? 0 : weight * 12));
  }
});

Deno.test("when most members are not free, those that are still take turns", () => {
  const counts = tally(picks(roundRobin(equalMembers(10)), 1_000, onlyFree(3, 4)), 10);
  assert.deepEqual([counts[3], counts[4]], [500, 500]);
});

Deno.test("large weights are not given to one neighbour for a long time", () => {
  const members = membersOf(25_600, 25_500, 25_400);
  const picked = picks(roundRobin(members), 3_000, onlyFree(1, 2));
  let row = 0;
  for (let i = 1; i < picked.length; i++) {
    row = picked[i] === picked[i - 1] ? row + 1 : 0;
    assert.ok(row < 20, `${row} times in a row`);
  }
});

Deno.test("a thousand members of any weights have exact shares, evenly spaced", () => {
  const weights = Uint32Array.from({ length: 1_000 }, (_, i) => 1 + i * 7 % 256);
  const { turns, shares } = scheduleOf(weights);
  assert.deepEqual(shares, weights);
  assert.deepEqual(tally(turns, 1_000), [...weights]);

  const before = new Map<number, number>();
  for (const [turn, member] of turns.entries()) {
    const distance = turn - (before.get(member) ?? NaN);
    const even = turns.length / (weights[member] ?? NaN);
    // What is equal in time is laid out in the order of the members, of which each can push others back by one.
    assert.ok(
      !(Math.abs(distance - even) > 1_000),
      `${member} of ${weights[member]}: ${distance}, not ${even}`,
    );
    before.set(member, turn);
  }
});

Deno.test("a schedule never grows beyond its bound, and nobody is left out of it", () => {
  const weights = Uint32Array.from({ length: 1_000 }, (_, i) => i === 0 ? 1 : 25_600 - i);
  const { turns, shares } = scheduleOf(weights);
  assert.ok(turns.length <= 2 ** 18, `${turns.length}`);
  assert.deepEqual(tally(turns, 1_000), [...shares]);
  assert.ok(Math.min(...shares) >= 1);
  const [, second = NaN, third = NaN] = shares;
  assert.ok(Math.abs(second / third - 1) < 0.01, `${second} and ${third}`);
});

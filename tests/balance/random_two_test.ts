import assert from "node:assert/strict";
import fc from "fast-check";
import { random } from "../../lib/balance/random.ts";
import { randomTwo } from "../../lib/balance/random_two.ts";
import {
  busy,
  equalMembers,
  membersOf,
  onlyFree,
  picks,
  seededRandom,
  Sessions,
  tally,
  unlimited,
} from "./sessions.ts";

Deno.test("random two: the fuller of two is not taken", () => {
  const pick = randomTwo(equalMembers(2), seededRandom(3));
  assert.deepEqual(new Set(picks(pick, 200, busy(4, 3))), new Set([1]));
  assert.deepEqual(new Set(picks(pick, 200, busy(3, 4))), new Set([0]));
});

Deno.test("how full a member is counts by its weight", () => {
  const pick = randomTwo(membersOf(1, 4), seededRandom(3));
  assert.deepEqual(new Set(picks(pick, 200, busy(1, 6))), new Set([1]));
  assert.deepEqual(new Set(picks(pick, 200, busy(0, 4))), new Set([0]));
});

Deno.test("the fullest of all is never taken, as the other of the two is always less full", () => {
  const loads = fc.uniqueArray(fc.nat(1_000), { minLength: 2, maxLength: 10 });
  fc.assert(fc.property(loads, fc.nat(), (active, seed) => {
    const pick = randomTwo(equalMembers(active.length), seededRandom(seed));
    const fullest = active.indexOf(Math.max(...active));
    for (const member of picks(pick, 20, busy(...active))) assert.notEqual(member, fullest);
  }));
});

Deno.test("the two are different members, also when one has nearly all of the weight", () => {
  const pick = randomTwo(membersOf(100_000, 1), seededRandom(3));
  // The heavy one is the fuller, so it would be taken only if it was drawn twice.
  assert.deepEqual(new Set(picks(pick, 200, busy(200_000, 0))), new Set([1]));
});

Deno.test("two equally empty members are taken equally often", () => {
  const counts = tally(picks(randomTwo(equalMembers(4), seededRandom(3)), 40_000), 4);
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 500, counts.join());
});

Deno.test("members that are not free are no part of the two", () => {
  const pick = randomTwo(equalMembers(50), seededRandom(3));
  const counts = tally(picks(pick, 10_000, onlyFree(7, 31)), 50);
  assert.equal((counts[7] ?? 0) + (counts[31] ?? 0), 10_000);
  assert.ok(Math.abs((counts[7] ?? 0) - 5_000) < 500, counts.join());
});

Deno.test("a burst is spread much more evenly than by chance alone", () => {
  const spread = [random, randomTwo].map((algorithm) => {
    const sessions = new Sessions(unlimited(100));
    const pick = algorithm(equalMembers(100), seededRandom(3));
    for (let i = 0; i < 10_000; i++) sessions.begin(pick);
    return Math.max(...sessions.counts) - 100;
  });
  const [byChance = NaN, byTwo = NaN] = spread;
  assert.ok(byChance >= 15, `${byChance} above the mean`);
  assert.ok(byTwo <= 4, `${byTwo} above the mean`);
});

Deno.test("a burst is spread by weight", () => {
  const weights = [4, 3, 2, 1];
  const sessions = new Sessions(unlimited(4));
  const pick = randomTwo(membersOf(...weights), seededRandom(3));
  for (let i = 0; i < 10_000; i++) sessions.begin(pick);
  for (const [member, weight] of weights.entries()) {
    assert.ok(Math.abs((sessions.counts[member] ?? NaN) - weight * 1_000) < 100, sessions.counts.join());
  }
});

import assert from "node:assert/strict";
import type { Load } from "../../lib/balance/picker.ts";
import { random } from "../../lib/balance/random.ts";
import { IDLE, membersOf, onlyFree, picks, seededRandom, tally } from "./sessions.ts";

const DRAWS = 60_000;

/** Holds counts against the weights of those who may be picked; a share may be off by a fiftieth of all. */
function assertShares(counts: readonly number[], shares: readonly number[]): void {
  const total = shares.reduce((sum, share) => sum + share);
  for (const [member, share] of shares.entries()) {
    const part = (counts[member] ?? NaN) / DRAWS;
    const isRight = share === 0 ? part === 0 : Math.abs(part - share / total) < 0.02;
    assert.ok(isRight, `${member}: ${part}, not ${share / total}`);
  }
}

function shares(weights: readonly number[], load: Load): number[] {
  return tally(picks(random(membersOf(...weights), seededRandom(7)), DRAWS, load), weights.length);
}

Deno.test("members of one weight are drawn equally often", () => {
  assertShares(shares([1, 1, 1, 1, 1], IDLE), [1, 1, 1, 1, 1]);
  assertShares(shares([256, 256, 256], IDLE), [1, 1, 1]);
});

Deno.test("random weight: members are drawn in proportion to their weights", () => {
  assertShares(shares([1, 2, 3], IDLE), [1, 2, 3]);
  assertShares(shares([25_600, 100, 12_800], IDLE), [256, 1, 128]);
});

Deno.test("the share of a member that is not free goes to all others by weight", () => {
  assertShares(shares([1, 5, 2, 1], onlyFree(0, 2, 3)), [1, 0, 2, 1]);
});

Deno.test("shares are right also where a blind draw hardly ever hits a free member", () => {
  assertShares(shares([3, 100_000, 1, 100_000], onlyFree(0, 2)), [3, 0, 1, 0]);
});

Deno.test("each end of the random numbers draws a member that exists", () => {
  for (const [number, member] of [[0, 0], [0.249, 0], [0.251, 1], [1 - 2 ** -53, 2]] as const) {
    const pick = random(membersOf(1, 2, 1), () => number);
    assert.equal(pick(0, 0, IDLE), member);
    assert.ok(pick(0, 0, onlyFree(1)) === 1);
  }
});

Deno.test("picks do not follow from turn and key", () => {
  const pick = random(membersOf(1, 1, 1), seededRandom(7));
  const picked = new Set(Array.from({ length: 100 }, () => pick(5, 5, IDLE)));
  assert.equal(picked.size, 3);
});

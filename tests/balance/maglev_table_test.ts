import assert from "node:assert/strict";
import { maglevTable } from "../../lib/balance/maglev_table.ts";
import type { Member } from "../../lib/balance/picker.ts";
import { equalMembers, membersOf, tally } from "./sessions.ts";

/** The names of those who have the slots. */
function ownersOf(members: readonly Member[], size: number): string[] {
  return Array.from(maglevTable(members, size), (position) => members[position]?.name ?? "nobody");
}

/** What share of the slots changes hands when members leave, and of these the share whose owner had stayed. */
function disruption(
  members: readonly Member[],
  leaving: number,
  size: number,
): { moved: number; extra: number } {
  const gone = new Set(members.slice(0, leaving).map((member) => member.name));
  const before = ownersOf(members, size);
  const after = ownersOf(members.slice(leaving), size);
  const moved = before.filter((owner, slot) => owner !== after[slot]);
  const extra = moved.filter((owner) => !gone.has(owner));
  return { moved: moved.length / size, extra: extra.length / size };
}

/** By an independent implementation, with another hash. */
const FIGURES = [
  { count: 3, size: 65_537, leaving: 1, moved: 0.3338, mostExtra: 0.002, spread: 0.001 },
  { count: 10, size: 65_537, leaving: 1, moved: 0.1025, mostExtra: 0.01, spread: 0.001 },
  { count: 100, size: 65_537, leaving: 1, moved: 0.0154, mostExtra: 0.01, spread: 0.001 },
  { count: 1_000, size: 65_537, leaving: 50, moved: 0.0832, mostExtra: 0.04, spread: 0.01 },
  { count: 100, size: 655_373, leaving: 1, moved: 0.0113, mostExtra: 0.003, spread: 0.001 },
];

for (const { count, size, leaving, moved, mostExtra, spread } of FIGURES) {
  const percent = (moved * 100).toFixed(2);
  Deno.test(`when ${leaving} of ${count} leave a table of ${size}, ${percent} % of it changes hands`, () => {
    const members = equalMembers(count);
    const found = disruption(members, leaving, size);
    assert.ok(Math.abs(found.moved / moved - 1) < 0.1, `${found.moved} moved`);
    assert.ok(found.extra < mostExtra, `${found.extra} moved without need`);

    const shares = tally(maglevTable(members, size), count).map((slots) => slots * count / size);
    assert.ok(Math.min(...shares) > 1 - spread, `${Math.min(...shares)}`);
    assert.ok(Math.max(...shares) < 1 + spread, `${Math.max(...shares)}`);
  });
}

Deno.test("equal members differ by one slot at most", () => {
  const slots = tally(maglevTable(equalMembers(7), 65_537), 7);
  assert.ok(Math.max(...slots) - Math.min(...slots) <= 1, slots.join());
});

Deno.test("the slots of a member are in proportion to its weight", () => {
  const cases = [[1, 3], [1, 2, 3, 4], [256, 1], [25_600, 100, 12_800], [5, 5, 5]];
  for (const weights of cases) {
    const total = weights.reduce((sum, weight) => sum + weight);
    const slots = tally(maglevTable(membersOf(...weights), 65_537), weights.length);
    for (const [member, weight] of weights.entries()) {
      const expected = weight / total * 65_537;
      assert.ok(Math.abs((slots[member] ?? NaN) - expected) <= 2, `${weights}: ${slots}`);
    }
  }
});

Deno.test("only the proportions of weights matter", () => {
  assert.deepEqual(maglevTable(membersOf(1, 2, 5), 65_537), maglevTable(membersOf(100, 200, 500), 65_537));
});

Deno.test("the order of the members does not matter", () => {
  const members = membersOf(1, 3, 2, 3, 1, 256, 2);
  assert.deepEqual(ownersOf(members.toReversed(), 65_537), ownersOf(members, 65_537));
});

Deno.test("names that differ only in their case are different members", () => {
  const members = [{ name: "a", weight: 1 }, { name: "A", weight: 1 }];
  const slots = tally(maglevTable(members, 251), 2);
  assert.ok(Math.min(...slots) >= 125, slots.join());
});

Deno.test("two members of one name share its slots", () => {
  const slots = tally(maglevTable([{ name: "a", weight: 1 }, { name: "a", weight: 1 }], 251), 2);
  assert.ok(Math.min(...slots) >= 125, slots.join());
});

Deno.test("more members than slots fill the table", () => {
  assert.equal(new Set(maglevTable(equalMembers(20), 13)).size, 13);
});

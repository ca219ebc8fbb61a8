import assert from "node:assert/strict";
import { leastConnections } from "../../lib/balance/least_connections.ts";
import type { Load } from "../../lib/balance/picker.ts";
import { busy, equalMembers, IDLE, membersOf, picks, Sessions, unlimited } from "./sessions.ts";

Deno.test("the member with the fewest sessions for its weight is picked", () => {
  const cases: [string, number[], number[], number][] = [
    ["the fewest sessions", [1, 1, 1], [3, 1, 2], 1],
    ["the only idle one", [1, 1, 1], [1, 0, 1], 1],
    ["the heavier of two idle ones", [1, 2], [0, 0], 1],
    ["twice the sessions for twice the weight, one less", [1, 2], [2, 4], 1],
    ["twice the sessions for twice the weight, one more", [1, 2], [1, 4], 0],
    ["large weights", [25_600, 25_599], [1_000_000, 999_961], 0],
    ["large weights, one session less", [25_600, 25_599], [1_000_000, 999_960], 1],
  ];
  for (const [name, weights, active, member] of cases) {
    assert.equal(leastConnections(membersOf(...weights))(0, 0, busy(...active)), member, name);
  }
});

Deno.test("a member that is not free is passed over, even if it has the fewest", () => {
  const load: Load = { active: (member) => member, isFree: (member) => member >= 2 };
  assert.equal(leastConnections(equalMembers(4))(0, 0, load), 2);
});

Deno.test("least_conn ties: members that are equally empty are taken in turn", () => {
  const pick = leastConnections(equalMembers(3));
  assert.deepEqual(picks(pick, 6), [0, 1, 2, 0, 1, 2]);
  assert.deepEqual(picks(pick, 4, busy(5, 7, 5)), [0, 2, 0, 2]);
});

Deno.test("members of unlike weight tie when their fractions are equal", () => {
  const pick = leastConnections(membersOf(3, 6, 9));
  assert.deepEqual(picks(pick, 6, busy(0, 1, 2)), [0, 1, 2, 0, 1, 2]);
});

Deno.test("balanced: a burst of sessions is spread evenly, because each slot is taken with the pick", () => {
  const pick = leastConnections(equalMembers(4));
  const sessions = new Sessions(unlimited(4));
  for (let i = 0; i < 1_000; i++) {
    sessions.begin(pick);
    assert.ok(Math.max(...sessions.counts) - Math.min(...sessions.counts) <= 1, sessions.counts.join());
  }
  assert.deepEqual(sessions.counts, [250, 250, 250, 250]);
});

Deno.test("weight: a burst of sessions is spread by weight", () => {
  const pick = leastConnections(membersOf(5, 3, 2));
  const sessions = new Sessions(unlimited(3));
  for (let i = 0; i < 1_000; i++) sessions.begin(pick);
  assert.deepEqual(sessions.counts, [500, 300, 200]);
});

Deno.test("a member whose sessions last is given fewer", () => {
  const pick = leastConnections(equalMembers(2));
  const sessions = new Sessions(unlimited(2));
  let quick = 0;
  for (let i = 0; i < 100; i++) {
    const member = sessions.begin(pick);
    if (member === 1) {
      quick++;
      sessions.end(1);
    }
  }
  // The first keeps all that it gets, and so gets no more than the tie at the beginning.
  assert.deepEqual([sessions.counts, quick], [[1, 0], 99]);
});

Deno.test("max_conns two: a member takes two sessions at most, and the others what is beyond", () => {
  const pick = leastConnections(membersOf(9, 1));
  const sessions = new Sessions([2, 5]);
  const picked = Array.from({ length: 8 }, () => sessions.begin(pick));
  assert.deepEqual(picked, [0, 0, 1, 1, 1, 1, 1, -1]);
  sessions.end(0);
  assert.deepEqual([sessions.begin(pick), sessions.begin(pick)], [0, -1]);
});

Deno.test("an idle pool keeps its order whatever the turn", () => {
  const pick = leastConnections(equalMembers(5));
  assert.deepEqual([2 ** 31, 2 ** 32 - 1].map((turn) => pick(turn, 0, IDLE)), [
    2 ** 31 % 5,
    (2 ** 32 - 1) % 5,
  ]);
});

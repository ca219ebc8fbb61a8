import assert from "node:assert/strict";
import { first } from "../../lib/balance/first.ts";
import { membersOf, onlyFree, Sessions } from "./sessions.ts";

Deno.test("members are filled in order, whatever their weights", () => {
  const sessions = new Sessions([2, 1, 3]);
  const pick = first(membersOf(1, 9, 256));
  const picked = Array.from({ length: 7 }, () => sessions.begin(pick));
  assert.deepEqual(picked, [0, 0, 1, 2, 2, 2, -1]);
});

Deno.test("a slot that is free again is taken before a later member", () => {
  const sessions = new Sessions([1, 1, 1]);
  const pick = first(membersOf(1, 1, 1));
  sessions.begin(pick);
  sessions.begin(pick);
  sessions.end(0);
  assert.deepEqual([sessions.begin(pick), sessions.begin(pick), sessions.begin(pick)], [0, 2, -1]);
});

Deno.test("neither turn nor key changes who is first", () => {
  const pick = first(membersOf(1, 1, 1, 1));
  for (const number of [0, 1, 2, 3, 2 ** 32 - 1]) assert.equal(pick(number, number, onlyFree(2, 3)), 2);
});

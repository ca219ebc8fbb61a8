import assert from "node:assert/strict";
import fc from "fast-check";
import { roundRobin } from "../../lib/balance/round_robin.ts";

Deno.test("each member is picked in turn", () => {
  const pick = roundRobin(["a", "b", "c"]);
  const picked = Array.from({ length: 8 }, (_, turn) => pick(turn, []));
  assert.deepEqual(picked, ["a", "b", "c", "a", "b", "c", "a", "b"]);
});

Deno.test("a single member is always picked", () => {
  const pick = roundRobin(["a"]);
  for (let turn = 0; turn < 5; turn++) assert.equal(pick(turn, []), "a");
});

Deno.test("a member that was tried passes its turn to the next that was not", () => {
  const pick = roundRobin(["a", "b", "c", "d"]);
  const cases: [number, string[], string][] = [
    [0, ["a"], "b"],
    [0, ["a", "b"], "c"],
    [1, ["b", "c"], "d"],
    [2, ["c", "d"], "a"],
    [3, ["d", "a", "b"], "c"],
    [0, ["b", "c", "d"], "a"],
    [1, ["z"], "b"],
  ];
  for (const [turn, tried, member] of cases) assert.equal(pick(turn, tried), member, `${turn} ${tried}`);
});

Deno.test("when every member was tried, or there is none, nothing is picked", () => {
  assert.equal(roundRobin(["a", "b"])(0, ["b", "a"]), undefined);
  assert.equal(roundRobin<string>([])(0, []), undefined);
});

Deno.test("the last turns before the counter wraps around are turns like any other", () => {
  const pick = roundRobin(["a", "b", "c", "d"]);
  const turns = [2 ** 32 - 3, 2 ** 32 - 2, 2 ** 32 - 1, 0, 1];
  assert.deepEqual(turns.map((turn) => pick(turn, [])), ["b", "c", "d", "a", "b"]);
  assert.equal(pick(2 ** 32 - 1, ["d"]), "a");
});

Deno.test("in any run of turns the shares of two members differ by at most one", () => {
  const turns = fc.record({
    start: fc.nat(2 ** 31),
    length: fc.nat(200),
    members: fc.integer({ min: 1, max: 20 }),
  });
  fc.assert(fc.property(turns, ({ start, length, members }) => {
    const counts = Array.from({ length: members }, () => 0);
    const pick = roundRobin([...counts.keys()]);
    for (let i = 0; i < length; i++) {
      const member = pick(start + i, []) ?? -1;
      counts[member] = (counts[member] ?? NaN) + 1;
    }
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join());
  }));
});

Deno.test("whatever was tried, the pick was not, and it is undefined only when nothing is left", () => {
  const members = [0, 1, 2, 3, 4];
  fc.assert(fc.property(fc.nat(2 ** 32 - 1), fc.subarray(members), (turn, tried) => {
    const member = roundRobin(members)(turn, tried);
    if (member === undefined) assert.equal(tried.length, members.length);
    else assert.ok(!tried.includes(member));
  }));
});

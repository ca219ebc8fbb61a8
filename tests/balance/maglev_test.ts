import assert from "node:assert/strict";
import fc from "fast-check";
import { hashText } from "../../lib/balance/hash.ts";
import { maglev } from "../../lib/balance/maglev.ts";
import type { Load, Member, Picker } from "../../lib/balance/picker.ts";
import { equalMembers, IDLE, membersOf, onlyFree, tally } from "./sessions.ts";

const CLIENTS = Array.from({ length: 40_000 }, (_, i) => `192.168.${i >> 8}.${i & 255}`);

/** Whom each client is sent to. */
function owners(members: readonly Member[], load: Load = IDLE): string[] {
  const pick = maglev(members);
  return CLIENTS.map((client) => members[pick(0, hashText(client), load)]?.name ?? "nobody");
}

/** Client addresses by the member that they are sent to. */
function counts(pick: Picker, members: number, load: Load = IDLE): number[] {
  return tally(CLIENTS.map((client) => pick(0, hashText(client), load)), members);
}

function assertNear(count: number | undefined, expected: number, part: number): void {
  assert.ok(Math.abs((count ?? NaN) / expected - 1) < part, `${count}, not about ${expected}`);
}

Deno.test("hash consistent: a client is always sent to the same member, whatever the turn and the loads", () => {
  const pick = maglev(equalMembers(10));
  fc.assert(fc.property(fc.ipV4(), fc.nat(2 ** 32 - 1), fc.nat(1_000), (client, turn, active) => {
    const key = hashText(client);
    assert.equal(pick(turn, key, { active: () => active, isFree: () => true }), pick(0, key, IDLE));
  }));
});

Deno.test("hash consistent: when a member leaves, hardly any client of another one moves", () => {
  const members = equalMembers(10);
  const before = owners(members);
  const gone = members[4]?.name;
  const after = owners(members.filter((it) => it.name !== gone));
  const moved = before.filter((owner, i) => owner !== gone && owner !== after[i]);
  assert.ok(moved.length < CLIENTS.length / 100, `${moved.length} moved`);
  assert.ok(!after.includes(gone ?? ""));
});

Deno.test("empty key: sessions without one are together, at a member that is free", () => {
  const pick = maglev(equalMembers(5));
  const key = hashText("");
  const owner = pick(0, key, IDLE);
  for (let turn = 0; turn < 100; turn++) assert.equal(pick(turn, key, IDLE), owner);
  const others = [0, 1, 2, 3, 4].filter((member) => member !== owner);
  assert.ok(others.includes(pick(0, key, onlyFree(...others))));
});

Deno.test("clients with neighbouring addresses are spread evenly", () => {
  for (const count of counts(maglev(equalMembers(8)), 8)) assertNear(count, 5_000, 0.05);
});

Deno.test("clients are spread by weight", () => {
  const [light, heavy] = counts(maglev(membersOf(1, 3)), 2);
  assertNear(light, 10_000, 0.05);
  assertNear(heavy, 30_000, 0.05);
});

Deno.test("the order of the members does not matter", () => {
  const members = membersOf(1, 3, 2, 3, 1, 256, 2);
  assert.deepEqual(owners(members.toReversed()), owners(members));
  const half = onlyFree(0, 2, 4);
  const sameHalf = onlyFree(6, 4, 2);
  assert.deepEqual(owners(members.toReversed(), sameHalf), owners(members, half));
});

Deno.test("a member that comes back has exactly its clients from before", () => {
  const members = equalMembers(6);
  const before = owners(members);
  assert.notDeepEqual(owners(members.slice(1)), before);
  assert.deepEqual(owners([...members.slice(1), ...members.slice(0, 1)]), before);
});

Deno.test("clients of a member that is not free go to all others, and no other client moves", () => {
  const members = equalMembers(5);
  const before = owners(members);
  const after = owners(members, onlyFree(0, 1, 3, 4));
  const full = members[2]?.name ?? "";
  const sentTo = new Map<string, number>();
  for (const [i, owner] of before.entries()) {
    if (owner !== full) assert.equal(after[i], owner);
    else sentTo.set(after[i] ?? "", (sentTo.get(after[i] ?? "") ?? 0) + 1);
  }
  assert.equal(sentTo.size, 4);
  for (const count of sentTo.values()) assertNear(count, 2_000, 0.1);
});

Deno.test("when hardly any member is free, all clients go to those that are", () => {
  const counted = counts(maglev(equalMembers(400)), 400, onlyFree(17, 250, 333));
  assert.equal((counted[17] ?? 0) + (counted[250] ?? 0) + (counted[333] ?? 0), CLIENTS.length);
  for (const member of [17, 250, 333]) assert.ok((counted[member] ?? 0) > 1_000, counted.join());
});

Deno.test("a pick looks at no more than some slots and each member once", () => {
  let looks = 0;
  const nobodyFree: Load = {
    active: () => 0,
    isFree(): boolean {
      looks++;
      return false;
    },
  };
  assert.equal(maglev(equalMembers(300))(0, 2 ** 32 - 1, nobodyFree), -1);
  assert.ok(looks <= 300 + 65, `${looks} looks`);
});

Deno.test("steps from the last slots go on with the first", () => {
  const pick = maglev(equalMembers(2));
  for (const key of [65_536, 2 * 65_537 - 1, 65_537 * 65_534 - 1, 2 ** 32 - 1]) {
    assert.deepEqual([pick(0, key, onlyFree(0)), pick(0, key, onlyFree(1))], [0, 1]);
  }
});

/** What holds for every algorithm, whatever it prefers. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { hashText } from "../../lib/balance/hash.ts";
import type { Algorithm, Load } from "../../lib/balance/picker.ts";
import {
  equalMembers,
  IDLE,
  membersOf,
  onlyFree,
  picks,
  seededRandom,
  Sessions,
  unlimited,
} from "./sessions.ts";

export interface SharedCase {
  readonly name: string;
  readonly run: (algorithm: Algorithm) => void;
}

const SEED = 1;
const LAST_TURN = 2 ** 32 - 1;
const EDGES = [0, 1, 2 ** 31 - 1, 2 ** 31, LAST_TURN - 1, LAST_TURN];

const uint32 = fc.oneof(fc.nat(LAST_TURN), fc.constantFrom(...EDGES));

/** A pool at some moment, and a session that comes then. */
const moment = fc.record({
  members: fc.array(
    fc.record({
      weight: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 25_600 })),
      active: fc.nat(1_000),
      isFree: fc.boolean(),
    }, { noNullPrototype: true }),
    { minLength: 1, maxLength: 12 },
  ),
  turn: uint32,
  key: uint32,
  seed: fc.nat(LAST_TURN),
}, { noNullPrototype: true });

function loadOf(members: readonly { readonly active: number; readonly isFree: boolean }[]): Load {
  return {
    active: (member) => members[member]?.active ?? NaN,
    isFree(member): boolean {
      const found = members[member];
      assert.ok(found !== undefined, `asked for ${member} of ${members.length}`);
      return found.isFree;
    },
  };
}

export const sharedCases: readonly SharedCase[] = [
  {
    name: "without members nothing is picked",
    run(algorithm): void {
      const pick = algorithm([], seededRandom(SEED));
      const load = loadOf([]);
      for (const turn of EDGES) assert.equal(pick(turn, turn, load), -1);
    },
  },
  {
    name: "a single member is always picked while it is free",
    run(algorithm): void {
      for (const weight of [1, 256, 25_600]) {
        const pick = algorithm(membersOf(weight), seededRandom(SEED));
        for (const turn of EDGES) {
          assert.equal(pick(turn, turn, IDLE), 0);
          assert.equal(pick(turn, turn, onlyFree()), -1);
        }
      }
    },
  },
  {
    name: "a member that is not free is never picked, and nobody only when nobody is free",
    run(algorithm): void {
      fc.assert(fc.property(moment, ({ members, turn, key, seed }) => {
        const pick = algorithm(membersOf(...members.map((it) => it.weight)), seededRandom(seed));
        const member = pick(turn, key, loadOf(members));
        if (member === -1) assert.ok(!members.some((it) => it.isFree));
        else assert.equal(members[member]?.isFree, true);
      }));
    },
  },
  {
    name: "the only one that is free is picked, however light it is",
    run(algorithm): void {
      const members = membersOf(256, 256, 1, 256);
      const pick = algorithm(members, seededRandom(SEED));
      for (const free of members.keys()) {
        for (const turn of EDGES) assert.equal(pick(turn, turn, onlyFree(free)), free);
      }
    },
  },
  {
    name: "members that fill up while they are looked at lead to no wrong pick",
    run(algorithm): void {
      const random = seededRandom(SEED);
      const pick = algorithm(membersOf(3, 2, 1, 1), random);
      let latest: boolean[] = [];
      const load: Load = {
        active: () => Math.floor(random() * 3),
        isFree: (member) => latest[member] = random() < 0.3,
      };
      for (let turn = 0; turn < 10_000; turn++) {
        latest = [];
        const member = pick(turn, hashText(`${turn}`), load);
        assert.ok(member === -1 || latest[member] === true, `${member} at turn ${turn}`);
      }
    },
  },
  {
    name: "every member is picked at one time or another",
    run(algorithm): void {
      const members = equalMembers(20);
      const pick = algorithm(members, seededRandom(SEED));
      const picked = new Set(Array.from({ length: 1_000 }, (_, i) => pick(i, hashText(`${i}`), IDLE)));
      assert.deepEqual([...picked].sort((a, b) => a - b), [...members.keys()]);
    },
  },
  {
    name: "the same turn, key, loads and chance lead to the same pick",
    run(algorithm): void {
      fc.assert(fc.property(moment, ({ members, turn, key, seed }) => {
        const [one, other] = [0, 1].map(() => {
          const pick = algorithm(membersOf(...members.map((it) => it.weight)), seededRandom(seed));
          return Array.from({ length: 5 }, (_, i) => pick((turn + i) % 2 ** 32, key, loadOf(members)));
        });
        assert.deepEqual(one, other);
      }));
    },
  },
  {
    name: "turns wrap around at 2^32",
    run(algorithm): void {
      const members = membersOf(5, 1, 1);
      const pick = algorithm(members, seededRandom(SEED));
      const around = [...picks(pick, 50, IDLE, LAST_TURN - 49), ...picks(pick, 50, IDLE, 0)];
      for (const member of around) assert.ok(members[member] !== undefined, `${member}`);
    },
  },
  {
    name: "a thousand members of unlike weights are no trouble",
    run(algorithm): void {
      const members = membersOf(...Array.from({ length: 1_000 }, (_, i) => 1 + i * 7 % 256));
      const pick = algorithm(members, seededRandom(SEED));
      const sessions = new Sessions(unlimited(1_000));
      for (let i = 0; i < 1_000; i++) {
        assert.ok(members[sessions.begin(pick, hashText(`${i}`))] !== undefined);
      }
      for (const free of [0, 499, 999]) {
        for (const turn of EDGES) assert.equal(pick(turn, turn, onlyFree(free)), free);
      }
      assert.equal(pick(0, 0, onlyFree()), -1);
    },
  },
  {
    name: "limits are kept to the last session",
    run(algorithm): void {
      const limits = [2, 1, 0, 4];
      const pick = algorithm(membersOf(1, 1, 9, 2), seededRandom(SEED));
      const sessions = new Sessions(limits);
      const keys = Array.from({ length: 7 }, (_, i) => hashText(`${i}`));
      for (const key of keys) assert.notEqual(sessions.begin(pick, key), -1);
      assert.deepEqual(sessions.counts, limits);
      assert.equal(sessions.begin(pick), -1);
      sessions.end(1);
      assert.equal(sessions.begin(pick), 1);
    },
  },
];

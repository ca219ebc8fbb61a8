import assert from "node:assert/strict";
import fc from "fast-check";
import {
  availableOf,
  type Known,
  stateOf,
  WHEN_ALL_DOWN,
  type WhenAllDown,
} from "../../lib/pool/availability.ts";
import { type BackendFacts, OPERATOR_STATES } from "../../lib/pool/scoreboard.ts";
import { HEALTHY, type MemberOptions } from "./shared_pool.ts";

const UP = {};
const DOWN = { isUp: false };
const EJECTED = { isEjected: true };
const DRAINING = { operator: "draining" } as const;
const DISABLED = { operator: "disabled" } as const;
const WEIGHTLESS = { weight: 0 };
const RAMPING = { rampPercent: 1 };
const BACKUP = { isBackup: true };

function available(members: readonly MemberOptions[], whenAllDown: WhenAllDown): [number[], number[]] {
  const known = members.map(({ isBackup = false, ...facts }) => {
    return { facts: { ...HEALTHY, ...facts }, isBackup };
  });
  const { primaries, backups } = availableOf(known, whenAllDown);
  return [[...primaries], [...backups]];
}

/** What may be picked of the members, as primaries and as backups, with `refuse` and with `ignore_health`. */
const CASES: [string, MemberOptions[], [number[], number[]], [number[], number[]]][] = [
  ["nobody is there", [], [[], []], [[], []]],
  ["all are up", [UP, UP], [[0, 1], []], [[0, 1], []]],
  ["one is down", [DOWN, UP], [[1], []], [[1], []]],
  ["one is ejected", [UP, EJECTED], [[0], []], [[0], []]],
  ["one drains", [DRAINING, UP], [[1], []], [[1], []]],
  ["one is disabled", [UP, DISABLED], [[0], []], [[0], []]],
  ["one has no weight", [WEIGHTLESS, UP], [[1], []], [[1], []]],
  ["one starts slowly", [RAMPING, UP], [[0, 1], []], [[0, 1], []]],
  ["one is full", [{ maxConnections: 1 }, UP], [[0, 1], []], [[0, 1], []]],
  ["one is a backup", [BACKUP, UP], [[1], [0]], [[1], [0]]],
  ["only backups are there", [BACKUP, BACKUP], [[], [0, 1]], [[], [0, 1]]],
  ["only the backup is up", [DOWN, { ...BACKUP }], [[], [1]], [[], [1]]],
  ["the backup is down", [UP, { ...BACKUP, ...DOWN }], [[0], []], [[0], []]],
  ["all are down", [DOWN, DOWN], [[], []], [[0, 1], []]],
  ["all are ejected", [EJECTED, EJECTED], [[], []], [[0, 1], []]],
  ["each is down or ejected or both", [DOWN, EJECTED, { ...DOWN, ...EJECTED }], [[], []], [[0, 1, 2], []]],
  ["all are down, with a backup", [DOWN, { ...BACKUP, ...DOWN }], [[], []], [[0], [1]]],
  ["the one that is up drains", [DOWN, DRAINING], [[], []], [[0], []]],
  ["the one that is up is disabled", [DISABLED, EJECTED], [[], []], [[1], []]],
  ["the one that is up has no weight", [DOWN, WEIGHTLESS], [[], []], [[0], []]],
  ["the one that is down drains", [{ ...DOWN, ...DRAINING }], [[], []], [[], []]],
  ["the one that is ejected is disabled", [{ ...EJECTED, ...DISABLED }], [[], []], [[], []]],
  ["the one that is down has no weight", [{ ...DOWN, ...WEIGHTLESS }], [[], []], [[], []]],
  ["all drain", [DRAINING, DRAINING], [[], []], [[], []]],
  ["all are disabled", [DISABLED, DISABLED], [[], []], [[], []]],
  ["none has weight", [WEIGHTLESS, WEIGHTLESS], [[], []], [[], []]],
];

for (const [when, members, refuse, ignoreHealth] of CASES) {
  Deno.test(`who may be picked when ${when}`, () => {
    assert.deepEqual(available(members, "refuse"), refuse, "refuse");
    assert.deepEqual(available(members, "ignore_health"), ignoreHealth, "ignore_health");
  });
}

Deno.test("the state of a backend in one word is the strongest reason not to pick it", () => {
  for (const isUp of [true, false]) {
    for (const isEjected of [true, false]) {
      const facts = { ...HEALTHY, isUp, isEjected };
      for (const operator of ["draining", "disabled"] as const) {
        assert.equal(stateOf({ ...facts, operator }), operator);
      }
      assert.equal(stateOf(facts), !isUp ? "down" : isEjected ? "ejected" : "up");
    }
  }
  assert.equal(stateOf({ ...HEALTHY, weight: 0, rampPercent: 1 }), "up");
});

/** All that can be known about a backend, as far as it matters: 2 × 2 × 3 × 2 × 2 × 2 combinations. */
const EVERY_KIND: Known[] = [true, false].flatMap((isUp) =>
  [true, false].flatMap((isEjected) =>
    OPERATOR_STATES.flatMap((operator) =>
      [0, 3].flatMap((weight) =>
        [1, 100].flatMap((rampPercent) =>
          [true, false].map((isBackup) => {
            return { facts: { ...HEALTHY, isUp, isEjected, operator, weight, rampPercent }, isBackup };
          })
        )
      )
    )
  )
);

/** What the operator wants; nothing overrules it. */
function isWanted({ operator, weight }: BackendFacts): boolean {
  return operator === "enabled" && weight > 0;
}

function isHealthy({ isUp, isEjected }: BackendFacts): boolean {
  return isUp && !isEjected;
}

function check(backends: readonly Known[], whenAllDown: WhenAllDown): void {
  const { primaries, backups } = availableOf(backends, whenAllDown);
  const wanted = [...backends.keys()].filter((i) => isWanted(backends[i]?.facts ?? HEALTHY));
  const healthy = wanted.filter((i) => isHealthy(backends[i]?.facts ?? HEALTHY));
  const expected = healthy.length > 0 || whenAllDown === "refuse" ? healthy : wanted;
  assert.deepEqual(primaries, expected.filter((i) => backends[i]?.isBackup === false));
  assert.deepEqual(backups, expected.filter((i) => backends[i]?.isBackup === true));
}

Deno.test("of any two backends exactly those may be picked that are wanted and healthy, or wanted when none is", () => {
  assert.equal(EVERY_KIND.length, 96);
  for (const whenAllDown of WHEN_ALL_DOWN) {
    for (const one of EVERY_KIND) {
      check([one], whenAllDown);
      for (const other of EVERY_KIND) check([one, other], whenAllDown);
    }
  }
});

Deno.test("of any backends nobody may be picked who is not wanted, nor who is ill while somebody is healthy", () => {
  const backends = fc.array(fc.constantFrom(...EVERY_KIND), { maxLength: 12 });
  fc.assert(fc.property(backends, fc.constantFrom(...WHEN_ALL_DOWN), check));
});

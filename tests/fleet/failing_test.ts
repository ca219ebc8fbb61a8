import assert from "node:assert/strict";
import { whyFailing } from "../../lib/fleet/failing.ts";

Deno.test("sessions begin to fail when five have, one in a hundred, and twice the share of before", () => {
  const cases: [
    before: [ended: number, failed: number],
    now: [ended: number, failed: number],
    isFailing: boolean,
  ][] = [
    [[0, 0], [0, 0], false],
    [[0, 0], [4, 4], false],
    [[0, 0], [5, 5], true],
    [[1_000, 0], [500, 5], true],
    [[1_000, 0], [501, 5], false],
    [[1_000, 100], [100, 20], false],
    [[1_000, 100], [100, 21], true],
    [[100, 50], [100, 100], false],
    [[100, 49], [100, 100], true],
  ];
  for (const [before, now, isFailing] of cases) {
    const [one, other] = [before, now].map(([ended, failed]) => ({ ended, failed }));
    assert.ok(one !== undefined && other !== undefined);
    assert.equal(whyFailing(one, other) !== undefined, isFailing, JSON.stringify([before, now]));
  }
  assert.equal(
    whyFailing({ ended: 1_000, failed: 2 }, { ended: 40, failed: 10 }),
    "10 of 40 sessions have failed (25 %), and 0.2 % before",
  );
});

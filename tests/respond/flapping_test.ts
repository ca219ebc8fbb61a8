import assert from "node:assert/strict";
import { flapping } from "../../lib/respond/flapping.ts";
import { ManualTimers } from "../support/manual_timers.ts";

Deno.test("a server that flaps is up for its time, then down for its time, over and over, until it is ended", () => {
  const timers = new ManualTimers();
  const turns: string[] = [];
  const end = flapping({ upMs: 10_000, downMs: 5_000 }, timers.later, (to) => {
    turns.push(`${timers.nowMs} ${to}`);
  });
  timers.advance(9_999);
  assert.deepEqual(turns, []);
  timers.advance(30_001);
  assert.deepEqual(turns, ["10000 down", "15000 up", "25000 down", "30000 up", "40000 down"]);
  end();
  timers.advance(100_000);
  assert.equal(turns.length, 5);
});

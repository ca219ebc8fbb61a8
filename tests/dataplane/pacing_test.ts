/** When the bytes of a session may pass, with a clock and timers of the test. */

import assert from "node:assert/strict";
import { MOST_BYTES, type RateLimit, SessionPaces } from "../../lib/dataplane/pacing.ts";
import { Waits } from "../../lib/dataplane/waits.ts";
import { SharedByteBuckets } from "../../lib/pool/byte_rate.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { asRow } from "../support/rows.ts";

const NONE: RateLimit = { in: 0, out: 0, totalIn: 0, totalOut: 0 };

/** Timers that fire when the time of the test has come. */
class World {
  nowMs = 1_000;
  readonly timers = new Set<{ readonly dueMs: number; readonly call: () => void }>();
  readonly waits = new Waits((ms, call) => {
    const timer = { dueMs: this.nowMs + ms, call };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }, () => this.nowMs);
  readonly #buckets = new SharedByteBuckets(new Scoreboard().rateCells(asRow(1)), () => this.nowMs);

  session(limit: Partial<RateLimit>): SessionPaces {
    return new SessionPaces({ ...NONE, ...limit }, {
      buckets: this.#buckets,
      waits: this.waits,
      now: () => this.nowMs,
    });
  }

  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const [next] = [...this.timers].filter((it) => it.dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs);
      if (next === undefined) break;
      this.timers.delete(next);
      this.nowMs = next.dueMs;
      next.call();
    }
    this.nowMs = untilMs;
  }
}

/** Bytes that a session whose source always has some has passed on so far. */
function greedy(paces: SessionPaces): { bytes: number } {
  const pace = paces.out ?? assert.fail();
  const counted = { bytes: 0 };
  const go = (): void => {
    counted.bytes += pace.mostBytes;
    ask();
  };
  const ask = (): void => {
    while (pace.ask(pace.mostBytes, go)) counted.bytes += pace.mostBytes;
  };
  ask();
  return counted;
}

Deno.test("a direction without a limit has no pace, and a chunk is never more than a bucket", () => {
  const world = new World();
  assert.equal(world.session({ in: 1_024 }).out, undefined);
  const most = (limit: Partial<RateLimit>): number | undefined => world.session(limit).in?.mostBytes;
  assert.equal(most({ in: 1_024 }), 102);
  assert.equal(most({ in: 2 ** 30 }), MOST_BYTES);
  assert.equal(most({ totalIn: 1_024 }), 102);
  assert.equal(most({ totalIn: 2 ** 20 }), 10_485);
  assert.equal(most({ in: 65_536, totalIn: 2 ** 30 }), 6_553);
});

Deno.test("a session moves as much as its limit says, from its first byte on", () => {
  for (const rate of [1_024, 100_000, 2 ** 20, 2 ** 30]) {
    const world = new World();
    const counted = greedy(world.session({ out: rate }));
    assert.ok(counted.bytes > 0, "the first bytes pass at once");
    world.pass(2_000);
    assert.ok(counted.bytes > rate * 1.9 && counted.bytes <= rate * 2.1, `${counted.bytes} of ${rate}`);
  }
});

Deno.test("sessions share the limit of their listener evenly, and none passes its own", () => {
  const world = new World();
  const rate = 2 ** 20;
  const slow = greedy(world.session({ out: rate / 16, totalOut: rate }));
  const others = [1, 2, 3, 4].map(() => greedy(world.session({ totalOut: rate })));
  world.pass(2_000);
  const all = [slow, ...others].reduce((sum, { bytes }) => sum + bytes, 0);
  assert.ok(all > rate * 1.9 && all <= rate * 2.1, `${all} of ${rate}`);
  assert.ok(slow.bytes > rate / 16 * 1.7 && slow.bytes <= rate / 16 * 2.1, `${slow.bytes} for the slow one`);
  const shares = others.map(({ bytes }) => bytes);
  // The first of them found a full bucket.
  assert.ok(Math.max(...shares) - Math.min(...shares) <= rate / 10 + 10_485, String(shares));
});

Deno.test("a session that ends while it waits is let go at once, leaves no timer, and gives back what it took", () => {
  const world = new World();
  const [one, other] = [world.session({ totalIn: 1_000 }), world.session({ totalIn: 1_000 })];
  let resumed = 0;
  const ask = (it: SessionPaces, bytes: number): boolean | undefined => it.in?.ask(bytes, () => resumed++);
  assert.equal(ask(one, 100), true);
  assert.equal(one.isWaiting, false);
  assert.equal(ask(one, 100), false);
  assert.equal(one.isWaiting, true);
  one.release();
  assert.deepEqual([resumed, one.isWaiting, world.timers.size], [1, false, 0]);
  one.release();
  assert.equal(resumed, 1);
  assert.equal(ask(other, 40), false);
  world.pass(48);
  assert.deepEqual([resumed, other.isWaiting], [2, false]);
});

Deno.test("a thousand waits take few timers, and end in order", () => {
  const world = new World();
  const ended: number[] = [];
  for (let i = 0; i < 1_000; i++) world.waits.begin(i / 100, () => ended.push(i));
  assert.ok(world.timers.size <= 4, `${world.timers.size} timers`);
  world.pass(16);
  assert.deepEqual(ended, Array.from({ length: 1_000 }, (_, i) => i));
});

Deno.test("a datagram passes both limits or takes nothing of either, and what is dropped shows for a second", () => {
  const world = new World();
  const limit = { in: 10_000, totalIn: 20_000 };
  const passes = (it: SessionPaces, bytes: number): boolean | undefined => it.in?.passes(bytes);
  const [one, other] = [world.session(limit), world.session(limit)];
  assert.deepEqual([passes(one, 1_500), passes(one, 1_500)], [true, false], "its own limit");
  assert.deepEqual([passes(other, 400), passes(other, 400)], [true, true], "the other has its own");
  assert.deepEqual([passes(world.session(limit), 1), one.in?.dropped], [false, 1], "that of all");
  assert.deepEqual([one.isDropping, other.isDropping, one.isWaiting], [true, false, false]);
  world.pass(50);
  assert.equal(passes(one, 1_000), true);
  world.pass(949);
  assert.equal(one.isDropping, true);
  world.pass(1);
  assert.equal(one.isDropping, false);
});

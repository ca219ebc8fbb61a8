import assert from "node:assert/strict";
import { CoarseClock, type Watched } from "../../lib/core/coarse_clock.ts";

/** A clock that stands until the test moves it. */
function standingClock(): { clock: CoarseClock; moveTo(ms: number): void } {
  let now = 1_000;
  return { clock: new CoarseClock(() => now), moveTo: (ms) => void (now = ms) };
}

function recorder(): Watched & { readonly ticks: number[] } {
  const ticks: number[] = [];
  return { ticks, onTick: (nowMs) => void ticks.push(nowMs) };
}

Deno.test("the coarse time moves only with a tick, the exact time always", () => {
  const { clock, moveTo } = standingClock();
  assert.equal(clock.nowMs, 1_000);
  moveTo(1_050);
  assert.equal(clock.nowMs, 1_000);
  assert.equal(clock.exactMs(), 1_050);
  clock.tick();
  assert.equal(clock.nowMs, 1_050);
});

Deno.test("each tick tells the time to everything that is watched, once", () => {
  const { clock, moveTo } = standingClock();
  const [one, two] = [recorder(), recorder()];
  clock.watch(one);
  clock.watch(two);
  clock.watch(two);
  clock.tick();
  clock.unwatch(one);
  moveTo(1_100);
  clock.tick();
  assert.deepEqual(one.ticks, [1_000]);
  assert.deepEqual(two.ticks, [1_000, 1_100]);
});

Deno.test("a thing may unwatch itself during a tick, and the others are still told", () => {
  const { clock } = standingClock();
  let told = 0;
  const once: Watched = {
    onTick: () => {
      told++;
      clock.unwatch(once);
    },
  };
  const other = recorder();
  clock.watch(once);
  clock.watch(other);
  clock.tick();
  clock.tick();
  assert.equal(told, 1);
  assert.equal(other.ticks.length, 2);
});

Deno.test("a thing that another one unwatches during a tick is not told any more", () => {
  const { clock } = standingClock();
  const victim = recorder();
  clock.watch({ onTick: () => clock.unwatch(victim) });
  clock.watch(victim);
  clock.tick();
  assert.deepEqual(victim.ticks, []);
});

Deno.test("a thing that is watched during a tick is told at the next one at the latest", () => {
  const { clock, moveTo } = standingClock();
  const late = recorder();
  const inviter: Watched = {
    onTick: () => {
      clock.unwatch(inviter);
      clock.watch(late);
    },
  };
  clock.watch(inviter);
  clock.tick();
  moveTo(1_100);
  clock.tick();
  assert.equal(late.ticks.at(-1), 1_100);
});

Deno.test("to unwatch what is not watched is no fault", () => {
  const { clock } = standingClock();
  clock.unwatch(recorder());
  clock.tick();
});

Deno.test("once started it ticks by itself, and stopping leaves no timer, however often either is said", async () => {
  const clock = new CoarseClock();
  clock.start();
  clock.start();
  const begunMs = clock.nowMs;
  const toldMs = await new Promise<number>((resolve) => clock.watch({ onTick: resolve }));
  clock.stop();
  clock.stop();
  assert.ok(toldMs > begunMs);
  assert.equal(clock.nowMs, toldMs);
});

Deno.test("while the process stands still so does the time: nothing is judged by a silence that was our own", () => {
  const { clock, moveTo } = standingClock();
  const thing = recorder();
  clock.watch(thing);
  clock.start();
  moveTo(1_100);
  clock.tick();
  moveTo(16_100);
  clock.tick();
  moveTo(16_200);
  assert.equal(clock.exactMs(), 1_300);
  clock.tick();
  clock.stop();
  assert.deepEqual(thing.ticks, [1_100, 1_200, 1_300]);
});

Deno.test("a gap is left out once, however often the time is asked for", () => {
  const { clock, moveTo } = standingClock();
  clock.start();
  moveTo(11_000);
  assert.equal(clock.exactMs(), 1_100);
  assert.equal(clock.exactMs(), 1_100);
  clock.tick();
  clock.stop();
  assert.equal(clock.nowMs, 1_100);
});

Deno.test("a tick that is only late counts in full", () => {
  const { clock, moveTo } = standingClock();
  clock.start();
  moveTo(1_900);
  clock.tick();
  clock.stop();
  assert.equal(clock.nowMs, 1_900);
});

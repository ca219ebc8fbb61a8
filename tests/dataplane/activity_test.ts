import assert from "node:assert/strict";
import { Activity } from "../../lib/dataplane/activity.ts";

const KIB = 1_024;

Deno.test("what moved is stamped by the next tick, so that no silence is judged too long", () => {
  const activity = new Activity(1_000);
  assert.equal(activity.lastActiveMs, Infinity, "nothing can move before there is a backend");
  activity.lastActiveMs = 1_000;
  activity.moved("in", 3);
  activity.moved("out", 4);
  assert.deepEqual([activity.bytesIn, activity.bytesOut, activity.lastActiveMs], [3, 4, 1_000]);
  activity.onTick(1_100);
  assert.equal(activity.lastActiveMs, 1_100);
  activity.onTick(1_200);
  assert.equal(activity.lastActiveMs, 1_100);
});

Deno.test("the end of a direction counts as a byte that moved, and makes it half-closed", () => {
  const activity = new Activity(0);
  assert.equal(activity.halfClosed, false);
  activity.directionEnded("in", 50);
  activity.onTick(100);
  assert.deepEqual([activity.halfClosed, activity.lastActiveMs], [true, 100]);
});

Deno.test("a client is left to itself when its backend is gone and it was told the end, in whatever order", () => {
  const told = new Activity(0);
  told.directionEnded("out", 70);
  assert.equal(told.leftOverMs, Infinity);
  told.isBackendGone = true;
  assert.deepEqual([told.leftOverMs, told.halfClosed], [70, true]);

  const gone = new Activity(0);
  gone.isBackendGone = true;
  assert.equal(gone.leftOverMs, Infinity);
  gone.clientTold(90);
  assert.equal(gone.leftOverMs, 90);
});

Deno.test("after a large answer that moved lately, it may still have much to read", () => {
  const told = (bytes: number, quietMs: number): number => {
    const activity = new Activity(0);
    activity.moved("out", bytes);
    activity.onTick(100);
    activity.onTick(100 + quietMs);
    activity.isBackendGone = true;
    activity.clientTold(100 + quietMs);
    return activity.leftOverMs;
  };
  assert.equal(told(64 * KIB, 0), 100);
  assert.equal(told(64 * KIB + 1, 0), Infinity);
  assert.equal(told(64 * KIB + 1, 29_999), Infinity);
  assert.equal(told(64 * KIB + 1, 30_000), 30_100);
});

/** The arithmetic of rates, with clocks of the test. */

import assert from "node:assert/strict";
import { ByteBucket, SharedByteBuckets } from "../../lib/pool/byte_rate.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { asRow } from "../support/rows.ts";
import type { Taking } from "./taking_worker.ts";
import { within } from "./within.ts";

const GIB = 2 ** 30;

/** Asks for chunks, each as soon as the one before has passed, until so much time is over; gives the bytes that passed. */
function passed(take: (bytes: number, nowMs: number) => number, chunk: number, forMs: number): number {
  let bytes = 0;
  for (let nowMs = 0;;) {
    nowMs += take(chunk, nowMs);
    if (nowMs > forMs) return bytes;
    bytes += chunk;
  }
}

Deno.test("a full bucket lets pass at once what comes in within 100 ms, and then what comes in", () => {
  for (const rate of [1_024, 65_536, 1_048_576, GIB]) {
    const chunk = Math.max(1, Math.floor(rate / 1_000));
    const bucket = new ByteBucket(rate);
    const bytes = passed((it, nowMs) => bucket.take(it, nowMs), chunk, 2_000);
    assert.ok(bytes > rate * 2.09 && bytes <= rate * 2.1, `${bytes} of ${rate} a second`);
  }
});

Deno.test("a bucket holds no more after a long silence, and what is larger than it passes later", () => {
  const bucket = new ByteBucket(1_000);
  assert.equal(bucket.take(100, 0), 0);
  assert.equal(bucket.take(100, 3_600_000), 0);
  assert.equal(bucket.take(50, 3_600_000), 50);
  assert.equal(new ByteBucket(1_000).take(1_100, 0), 1_000);
});

function sharedCells(): BigInt64Array<SharedArrayBuffer> {
  return new Scoreboard().rateCells(asRow(3));
}

Deno.test("a shared bucket is one over all threads, in each direction", () => {
  const cells = sharedCells();
  let nowMs = 1_790_000_000_000;
  const threads = [0, 1, 2].map(() => new SharedByteBuckets(cells, () => nowMs));
  for (const rate of [1_024, GIB]) {
    for (const direction of ["in", "out"] as const) {
      const chunk = rate / 1_024;
      const [startMs, chunks] = [nowMs, 300];
      const ends: number[] = [];
      for (let i = 0; i < chunks; i++) {
        nowMs = startMs + i * 0.01;
        ends.push(nowMs + (threads[i % 3]?.take(direction, chunk, rate) ?? 0));
      }
      const expectedMs = startMs + chunks * chunk / rate * 1_000 - 100;
      const lateMs = (ends.at(-1) ?? NaN) - expectedMs;
      assert.ok(Math.abs(lateMs) < 0.01, `${lateMs} ms late`);
      assert.deepEqual(ends, ends.toSorted((a, b) => a - b), "in the order of asking");
      nowMs += 60_000;
    }
  }
});

Deno.test("three real workers at once take exactly what a bucket holds", async () => {
  const scoreboard = new Scoreboard();
  const begun = new SharedArrayBuffer(4);
  const order = { workers: 3, times: 50_000, bytesPerSecond: 1_000_000, nowMs: Date.now() };
  const passed = await Promise.all(Array.from({ length: order.workers }, async () => {
    const thread = new Worker(import.meta.resolve("./taking_worker.ts"), { type: "module" });
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    thread.onmessage = ({ data }): void => resolve(data);
    thread.onerror = ({ message }): void => reject(new Error(message));
    thread.postMessage({ ...order, scoreboard: scoreboard.buffer, begun } satisfies Taking);
    try {
      return await within(promise, "a thread that takes bytes");
    } finally {
      thread.terminate();
    }
  }));
  assert.equal(passed.reduce((sum, it) => sum + it), 100_000);
  const [, out = 0n] = scoreboard.rateCells(asRow(3));
  assert.equal(out, BigInt(order.nowMs) * 1_000_000n + 150_000n * 1_000n);
});

Deno.test("what is given back may pass for others", () => {
  const [nowMs, rate] = [1_000, 1_000];
  const buckets = new SharedByteBuckets(sharedCells(), () => nowMs);
  assert.equal(buckets.take("in", 100, rate), 0);
  assert.equal(buckets.take("in", 500, rate), 500);
  buckets.giveBack("in", 500, rate);
  assert.equal(buckets.take("in", 20, rate), 20);
});

Deno.test("a thread whose clock was set before the machine's clock was changed goes by that of the others", () => {
  const cells = sharedCells();
  let passedMs = 0;
  const ahead = new SharedByteBuckets(cells, () => 7_200_000 + passedMs);
  const behind = new SharedByteBuckets(cells, () => 3_600_000 + passedMs);
  const rate = 1_000;
  assert.equal(ahead.take("in", 100, rate), 0);
  assert.equal(behind.take("in", 100, rate), 100, "no hour of waiting");
  passedMs = 50;
  assert.equal(ahead.take("in", 10, rate), 60);
  assert.equal(behind.take("in", 10, rate), 70);
});

Deno.test("a datagram passes while the bucket is not empty, whatever its size, and one that does not takes nothing", () => {
  const cells = sharedCells();
  let nowMs = 1_790_000_000_000;
  const [a, b] = [0, 1].map(() => new SharedByteBuckets(cells, () => nowMs)) as [
    SharedByteBuckets,
    SharedByteBuckets,
  ];
  const rate = 10_000;
  assert.equal(a.takeNow("in", 65_507, rate), true);
  assert.equal(b.takeNow("out", 1, rate), true, "the other direction has its own");
  nowMs += 6_450;
  assert.deepEqual([a.takeNow("in", 1, rate), b.takeNow("in", 0, rate)], [false, false]);
  nowMs += 1;
  assert.deepEqual([b.takeNow("in", 1_400, rate), a.takeNow("in", 1, rate)], [true, false]);
});

Deno.test("datagrams of all threads together come to the rate, and to no more than a bucket and one of them above it", () => {
  const cells = sharedCells();
  let nowMs = 1_790_000_000_000;
  const threads = [0, 1, 2].map(() => new SharedByteBuckets(cells, () => nowMs));
  for (const rate of [16 * 1_024, 1_048_576]) {
    let [bytes, offered] = [0, 0];
    for (let ms = 0; ms < 10_000; ms++, nowMs++) {
      for (const [i, buckets] of threads.entries()) {
        const size = [64, 512, 1_400][(ms + i) % 3] as number;
        offered += size;
        if (buckets.takeNow("in", size, rate)) bytes += size;
      }
    }
    assert.ok(offered > rate * 12, `${offered} were offered`);
    assert.ok(bytes >= rate * 10 && bytes <= rate * 10.1 + 1_400, `${bytes} of ${rate} a second`);
    nowMs += 60_000;
  }
});

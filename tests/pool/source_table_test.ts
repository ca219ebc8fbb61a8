/** How many connections a source has, and how fast it opens them. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { SourceLedger } from "../../lib/pool/source_ledger.ts";
import { AT_LIMIT, NO_SLOT, SOURCE_SLOTS, SourceTable } from "../../lib/pool/source_table.ts";
import type { ListenerRow } from "../../lib/pool/row.ts";
import { asRow } from "../support/rows.ts";
import type { Counted, Counting } from "./counting_worker.ts";
import { within } from "./within.ts";

const WEB: ListenerRow = asRow(1);
const API: ListenerRow = asRow(2);

function source(...words: number[]): Uint32Array {
  return Uint32Array.from(words);
}

/** What two workers have in one table. */
function twoLedgers(): { table: SourceTable; one: SourceLedger; two: SourceLedger } {
  const table = new SourceTable();
  return { table, one: new SourceLedger(table), two: new SourceLedger(new SourceTable(table.buffer)) };
}

Deno.test("a source has as many connections as its limit, over all workers, and each listener its own", () => {
  const { table, one, two } = twoLedgers();
  const places = [one, two, one].map((it) => it.take(WEB, source(7), 1, 3));
  assert.ok(places.every((it) => it >= 0 && it === places[0]));
  assert.equal(two.take(WEB, source(7), 1, 3), AT_LIMIT);
  assert.ok(two.take(WEB, source(8), 1, 3) >= 0, "another source");
  assert.ok(two.take(WEB, source(7, 0), 2, 3) >= 0, "an IPv6 source with the same first word");
  assert.ok(two.take(API, source(7), 1, 3) >= 0, "another listener");
  assert.equal(table.count(WEB, source(7), 1), 3);
  one.giveBack(places[0] ?? NO_SLOT);
  assert.equal(table.count(WEB, source(7), 1), 2);
  assert.ok(two.take(WEB, source(7), 1, 3) >= 0);
  assert.equal(table.count(WEB, source(9), 1), 0, "one that was never there");
});

Deno.test("the sources with the most connections are known by their addresses, over all workers and listeners", () => {
  const { table, one, two } = twoLedgers();
  const take = (listener: ListenerRow, words: number[], times: number): void => {
    for (let i = 0; i < times; i++) {
      (i % 2 === 0 ? one : two).take(listener, source(...words), words.length, 0);
    }
  };
  for (let i = 100; i < 200; i++) take(WEB, [i], 1);
  take(WEB, [7], 5);
  take(API, [7], 3);
  take(WEB, [0x20010db8, 0], 4);
  take(API, [0x20010db8, 9], 6);
  const shown = (most: number, listeners: ListenerRow[]): unknown[] =>
    table.busiest(most, listeners).map((it) => [it.listener, [...it.source], it.count]);
  assert.deepEqual(shown(4, [WEB, API]), [
    [API, [0x20010db8, 9], 6],
    [WEB, [7], 5],
    [WEB, [0x20010db8, 0], 4],
    [API, [7], 3],
  ]);
  assert.deepEqual(shown(2, [WEB]), [[WEB, [7], 5]], "of those that are asked for");
  assert.deepEqual(new SourceTable().busiest(4, [WEB]), []);
});

Deno.test("when a worker is settled, what it had is given back once, whatever it does afterwards", () => {
  const { table, one, two } = twoLedgers();
  const place = one.take(WEB, source(7), 1, 0);
  one.take(WEB, source(7), 1, 0);
  two.take(WEB, source(7), 1, 0);
  one.take(WEB, source(8), 1, 0);
  new SourceLedger(table, one.buffer).settle();
  assert.deepEqual([7, 8].map((it) => table.count(WEB, source(it), 1)), [1, 0]);
  one.giveBack(place);
  one.take(WEB, source(7), 1, 0);
  assert.equal(table.count(WEB, source(7), 1), 1, "one that was given up counts nothing");
});

Deno.test("a bucket gives its burst at once, and then one an interval", () => {
  const { one, table } = twoLedgers();
  const place = one.take(WEB, source(7), 1, 0);
  const rate = { intervalUs: 100_000, burst: 3 };
  const nowUs = Date.now() * 1_000;
  const charged = (afterMs: number): boolean => table.charge(place, rate, nowUs + afterMs * 1_000);
  assert.deepEqual([0, 0, 0, 0, 99].map(charged), [true, true, true, false, false]);
  assert.deepEqual([100, 100, 199, 200].map(charged), [true, false, false, true]);
  // It was silent long enough for all of it, and no more than that is kept.
  assert.deepEqual([60_000, 60_000, 60_000, 60_000].map(charged), [true, true, true, false]);
});

Deno.test("whatever is asked when, a bucket gives no more than its burst and what was filled in since", () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 20 }),
    fc.integer({ min: 1, max: 50 }),
    fc.array(fc.nat({ max: 40 }), { maxLength: 200 }),
    (burst, intervalMs, pausesMs) => {
      const { one, table } = twoLedgers();
      const place = one.take(WEB, source(7), 1, 0);
      const rate = { intervalUs: intervalMs * 1_000, burst };
      let [nowMs, tokens] = [Date.now(), burst];
      for (const pauseMs of pausesMs) {
        nowMs += pauseMs;
        tokens = Math.min(burst, tokens + pauseMs / intervalMs);
        const isGiven = table.charge(place, rate, nowMs * 1_000);
        // Nothing hangs on the last digit of a sum of fractions.
        if (Math.abs(tokens - 1) > 1e-6) assert.equal(isGiven, tokens >= 1);
        if (isGiven) tokens -= 1;
      }
    },
  );
  fc.assert(property, { numRuns: 50 });
});

Deno.test("a clock that is set back, or a rate that changes, fills a bucket rather than closing it", () => {
  const { one, table } = twoLedgers();
  const place = one.take(WEB, source(7), 1, 0);
  const nowUs = Date.now() * 1_000;
  const slow = { intervalUs: 60_000_000, burst: 1 };
  assert.ok(table.charge(place, slow, nowUs));
  assert.ok(!table.charge(place, slow, nowUs + 1_000_000));
  assert.ok(table.charge(place, slow, nowUs - 3_600_000_000), "an hour earlier");
  assert.ok(table.charge(place, { intervalUs: 1_000, burst: 5 }, nowUs - 3_600_000_000), "a faster rate");
});

Deno.test("however many sources appear, those with connections keep their counts, and the memory is the same", () => {
  const { table, one, two } = twoLedgers();
  const bytes = table.buffer.byteLength;
  for (let i = 0; i < 1_000; i++) for (let n = 0; n < 3; n++) one.take(WEB, source(i), 1, 0);
  const rate = { intervalUs: 1_000_000, burst: 10 };
  const nowUs = Date.now() * 1_000;
  for (let i = 0; i < 1.2 * SOURCE_SLOTS; i++) {
    const place = two.take(WEB, source(0x20010db8, i), 2, 5);
    assert.ok(place >= 0);
    table.charge(place, rate, nowUs + i);
    two.giveBack(place);
  }
  for (let i = 0; i < 1_000; i++) assert.equal(table.count(WEB, source(i), 1), 3);
  assert.equal(table.buffer.byteLength, bytes);
});

Deno.test("of those that are idle, the one that has been so for longest is forgotten", () => {
  const { one, table } = twoLedgers();
  const rate = { intervalUs: 1_000_000, burst: 2 };
  const nowUs = Date.now() * 1_000;
  // So many that nearly all sets have been filled; the last come may still know what they have spent.
  const spend = (i: number, us: number): boolean => {
    const place = one.take(WEB, source(i), 1, 0);
    const isGiven = table.charge(place, rate, us);
    one.giveBack(place);
    return isGiven;
  };
  const sources = 600_000;
  for (let i = 0; i < sources; i++) spend(i, nowUs + i);
  let remembered = 0;
  for (let i = sources - 10_000; i < sources; i++) {
    spend(i, nowUs + sources);
    if (!spend(i, nowUs + sources)) remembered++;
  }
  assert.ok(remembered > 9_900, `${remembered} of the last 10,000`);
});

Deno.test("with connections of eight sources in a set, a ninth has no slot and is not limited", () => {
  const { one } = twoLedgers();
  let [counted, uncounted] = [0, 0];
  for (let i = 0; i < SOURCE_SLOTS; i++) {
    if (one.take(WEB, source(i), 1, 1) === NO_SLOT) uncounted++;
    else counted++;
  }
  // As many sources as slots: what is left over is the tail of a Poisson distribution with mean 8.
  assert.ok(counted / SOURCE_SLOTS > 0.84 && uncounted > 0, `${counted} of ${SOURCE_SLOTS}`);
});

const WORKERS = 3;

async function count(order: Counting): Promise<Counted> {
  const thread = new Worker(import.meta.resolve("./counting_worker.ts"), { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<Counted>();
  thread.onmessage = ({ data }): void => resolve(data);
  thread.onerror = ({ message }): void => reject(new Error(message));
  thread.postMessage(order);
  try {
    return await within(promise, "a thread that counts");
  } finally {
    thread.terminate();
  }
}

Deno.test("over three real workers at once limits and buckets are passed by two at most, and all is given back", async () => {
  const table = new SourceTable();
  const ledgers = Array.from({ length: WORKERS }, () => new SourceLedger(table));
  const [limit, sources] = [50, 5_000];
  const rate = { intervalUs: 1_000_000, burst: 20, nowUs: Date.now() * 1_000 };
  const begun = new SharedArrayBuffer(4);
  const outcomes = await Promise.all(ledgers.map((ledger) =>
    count({
      ...{ table: table.buffer, ledger: ledger.buffer, begun, workers: WORKERS, limit, sources, rate },
      tries: limit,
    })
  ));
  const sum = (what: "kept" | "charged", i: number): number =>
    outcomes.reduce((all, it) => all + (it[what][i] ?? 0), 0);
  let exact = 0;
  for (let i = 0; i < sources; i++) {
    const kept = sum("kept", i);
    assert.ok(kept >= limit && kept <= limit + WORKERS - 1, `${kept} of ${limit}`);
    if (kept === limit) exact++;
    assert.ok(sum("charged", i) <= rate.burst + WORKERS - 1, "a bucket");
  }
  assert.ok(exact > sources * 0.9, `${exact} of ${sources} are exact`);
  for (const ledger of ledgers) ledger.settle();
  for (let i = 0; i < sources; i++) assert.equal(table.count(WEB, source(i), 1), 0);
});

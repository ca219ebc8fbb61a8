// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { EventStreams, MAX_STREAMS, MAX_WAITING_BYTES } from "../../lib/admin/event_streams.ts";
import { historyEvent } from "../../lib/admin/news.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { text } from "../support/bytes.ts";
import { EventReader } from "./event_reader.ts";
import { fakeChange, FakeOperations, fakeSummary } from "./fake_operations.ts";
import { connectTo, requestBytes } from "./http_client.ts";
import { startTestAdmin, type TestAdmin } from "./test_admin.ts";

const EVENTS = { path: "/api/events" };

/** Resolves when it is so; the test times out when it never is. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

Deno.test("a reader gets the past in columns, then the last changes, then what happens", async () => {
  await using admin = await startTestAdmin();
  await using reader = await EventReader.open(admin.address);
  assert.deepEqual(await reader.take(2), [
    {
      event: "history",
      data: {
        times: [1, 2, 3],
        ...{ active: [1, 1, 1], sessions_per_s: [2, 2, 2] },
        ...{ bytes_in_per_s: [3, 3, 3], bytes_out_per_s: [4, 4, 4] },
        ...{ retries_per_s: [0, 0, 0], refused_per_s: {} },
        dial_ms: { "web/a": [null, 0.5, null] },
      },
    },
    { event: "change", data: fakeChange("backend_down") },
  ]);
  admin.operations.publish({ summary: fakeSummary(4) });
  admin.operations.publish({ change: fakeChange("reload", { text: 'line\nbreak "quoted" \u2028 ü' }) });
  assert.deepEqual(await reader.take(2), [
    { event: "summary", data: fakeSummary(4) },
    { event: "change", data: fakeChange("reload", { text: 'line\nbreak "quoted" \u2028 ü' }) },
  ]);
});

Deno.test("names that objects have by nature are names like others in the history", () => {
  const dial_ms = JSON.parse('{"__proto__":1,"constructor":2}');
  const event = historyEvent([fakeSummary(1), fakeSummary(2, dial_ms)]);
  assert.match(event, /"dial_ms":\{"__proto__":\[null,1\],"constructor":\[null,2\]\}\}\n\n$/);
});

Deno.test("readers are independent of each other, and when all are gone nobody listens any more", async () => {
  await using admin = await startTestAdmin();
  const one = await EventReader.open(admin.address);
  await using two = await EventReader.open(admin.address);
  await one.take(2);
  await two.take(2);
  assert.equal(admin.operations.hearers.size, 1);
  await one[Symbol.asyncDispose]();
  for (let second = 0; second < 20; second++) {
    admin.operations.publish({ summary: fakeSummary(second) });
    assert.equal((await two.take(1))[0]?.data.time, second);
  }
  await two[Symbol.asyncDispose]();
  await until(() => admin.operations.hearers.size === 0);
  await using three = await EventReader.open(admin.address);
  await three.take(2);
  assert.equal(admin.operations.hearers.size, 1);
});

Deno.test("what waits for a reader is bounded, and too much of it ends the stream", async () => {
  const operations = new FakeOperations();
  const streams = new EventStreams(operations);
  const gone = Promise.withResolvers<void>();
  const { body } = streams.open(gone.promise);
  const change = fakeChange("big", { text: "x".repeat(1_000) });
  let published = 0;
  while (operations.hearers.size > 0) {
    operations.publish({ change });
    published++;
  }
  assert.ok(published > 200 && published * 1_000 < MAX_WAITING_BYTES + 2_000, `${published} changes`);
  // What was put in before is still there for a reader that was only slow.
  let length = 0;
  for await (const chunk of body ?? []) length += chunk.length;
  assert.ok(length > published * 900 && length < MAX_WAITING_BYTES + 2_000);
  gone.resolve();
});

Deno.test("a long past does not count as what waits", async () => {
  const operations = new FakeOperations();
  operations.changesPast = Array.from({ length: 1_000 }, () => fakeChange("x", { text: "x".repeat(1_000) }));
  const streams = new EventStreams(operations);
  const gone = Promise.withResolvers<void>();
  const { body } = streams.open(gone.promise);
  operations.publish({ summary: fakeSummary(9) });
  assert.equal(operations.hearers.size, 1);
  gone.resolve();
  await gone.promise;
  const parts = await Array.fromAsync(body ?? [], (part) => text(part));
  assert.match(parts.join(""), /"x{1000}".*event: summary\n.*"time":9/s);
  assert.equal(operations.hearers.size, 0);
});

/** Opens a stream and never reads. */
async function openStalled(admin: TestAdmin): Promise<Deno.Conn> {
  const conn = await connectTo(admin.address);
  await writeAll(conn, requestBytes(admin.address, EVENTS));
  return conn;
}

Deno.test("a reader that stalls is dropped, and another one misses nothing", async () => {
  await using admin = await startTestAdmin();
  using _stalled = await openStalled(admin);
  await until(() => admin.operations.hearers.size === 1);
  await using reader = await EventReader.open(admin.address);
  await reader.take(2);
  // Well beyond what the kernel takes for the one who does not read.
  const filler = "x".repeat(10_000);
  for (let i = 0; i < 2_000; i++) {
    admin.operations.publish({ change: fakeChange("change", { i, filler }) });
    assert.equal((await reader.take(1))[0]?.data.fields.i, i);
  }
  await reader[Symbol.asyncDispose]();
  // Only the stalled one could listen still.
  await until(() => admin.operations.hearers.size === 0);
});

Deno.test("there are 16 readers at a time, and a reader that goes makes room", async () => {
  await using admin = await startTestAdmin();
  const readers = await Promise.all(
    Array.from({ length: MAX_STREAMS }, () => EventReader.open(admin.address)),
  );
  const refused = await admin.ask(EVENTS);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("content-type"), "application/problem+json");
  assert.equal((await admin.ask({ path: "/api/status" })).status, 200);
  await readers.pop()?.[Symbol.asyncDispose]();
  await assert.doesNotReject(async () => {
    for (;;) {
      try {
        return readers.push(await EventReader.open(admin.address));
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  });
  for (const reader of readers) await reader[Symbol.asyncDispose]();
});

Deno.test("a stalled reader keeps its place until it is gone: it holds a connection", () => {
  const operations = new FakeOperations();
  const streams = new EventStreams(operations);
  const gone = Array.from({ length: MAX_STREAMS }, () => Promise.withResolvers<void>());
  for (const { promise } of gone) streams.open(promise);
  const filler = "x".repeat(MAX_WAITING_BYTES);
  operations.publish({ change: fakeChange("too_big", { filler }) });
  assert.equal(operations.hearers.size, 0);
  assert.equal(streams.open(Promise.resolve()).status, 503);
});

Deno.test("a stop ends open streams promptly, stalled ones too", async () => {
  const admin = await startTestAdmin();
  await using reader = await EventReader.open(admin.address);
  await reader.take(2);
  const begin = performance.now();
  await admin.stop();
  assert.ok(performance.now() - begin < 500);
  assert.equal(await reader.next(), undefined);
  assert.equal(admin.operations.hearers.size, 0);

  const other = await startTestAdmin();
  using _stalled = await openStalled(other);
  await until(() => other.operations.hearers.size === 1);
  const change = fakeChange("change", { filler: "x".repeat(200_000) });
  while (other.operations.hearers.size > 0) {
    other.operations.publish({ change });
    await new Promise((resolve) => setTimeout(resolve));
  }
  const beginStalled = performance.now();
  await other.stop();
  assert.ok(performance.now() - beginStalled < 2_000);
});

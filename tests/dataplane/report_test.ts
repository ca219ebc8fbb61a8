import assert from "node:assert/strict";
import type { Endpoint } from "../../lib/core/endpoint.ts";
import type { FromWorker } from "../../lib/dataplane/messages.ts";
import { END_REASONS, type EndReason, type RecordedSessions } from "../../lib/dataplane/record.ts";
import * as tally from "../../lib/pool/tally.ts";
import { Report, type ReportOptions } from "../../lib/dataplane/report.ts";
import type { Session } from "../../lib/dataplane/session.ts";
import { type SharedPool, sharePool } from "../pool/shared_pool.ts";
import { FakeWorld } from "./fake_engine.ts";

/** The client of a flow. */
const FLOW: Endpoint = { transport: "udp", host: "192.0.2.8", port: 53 };

interface Reporting extends SharedPool {
  readonly report: Report;
  /** What was told, the oldest first. */
  readonly told: FromWorker[];
  /** A session that has ended after so many bytes. */
  ended(bytes: number, reason?: EndReason, peer?: Endpoint): Session;
}

function reporting(options: Partial<ReportOptions> = {}): Reporting {
  const shared = sharePool({ a: {} });
  const told: FromWorker[] = [];
  const report = new Report({
    recordSessions: true,
    tallySessions: false,
    tell: (message) => told.push(message),
    ...options,
  });
  const ended: Reporting["ended"] = (bytes, reason, peer) => {
    const { session, engine } = new FakeWorld(shared.one, {}, 0, undefined, peer);
    session.begin();
    engine.dialling.connect();
    engine.relaying.moved("in", bytes);
    if (reason !== undefined) session.end(reason);
    engine.relaying.finished();
    return session;
  };
  return { ...shared, report, told, ended };
}

/** How many records each message brought. */
function batches(told: readonly FromWorker[]): number[] {
  return told.flatMap((it) => it.type === "sessions" ? [it.records.length] : []);
}

Deno.test("records wait for the tick, and go together", () => {
  const { report, told, ended } = reporting();
  report.over(ended(1));
  report.over(ended(2));
  assert.equal(told.length, 0);
  report.onTick(0);
  assert.deepEqual(batches(told), [2]);
  const [first] = told;
  assert.ok(first?.type === "sessions");
  assert.deepEqual(first.records.map((it) => [it.id, it.bytes_in]), [["id-7", 1], ["id-7", 2]]);
  report.onTick(100);
  assert.equal(told.length, 1, "none is told twice");
});

Deno.test("of flows that fail the first of a second leave records, and the others are summed up by reason", () => {
  const { report, told, ended } = reporting({ tallySessions: true });
  const [forgotten, unserved] = [ended(1, "forgotten", FLOW), ended(1, "no_backend", FLOW)];
  const sums = (): unknown[] => told.flatMap((it) => it.type === "flow_sums" ? it.sums : []);
  report.onTick(0);
  for (let i = 0; i < 10; i++) report.over(forgotten);
  report.onTick(100);
  assert.deepEqual([batches(told), sums()], [[10], []]);
  for (let i = 0; i < 500; i++) report.over(forgotten);
  for (let i = 0; i < 30; i++) report.over(unserved);
  report.onTick(200);
  assert.deepEqual(batches(told), [10, 10]);
  assert.deepEqual(sums(), [
    { listener: "web", reason: "forgotten", count: 500, client: "192.0.2.8:53" },
    { listener: "web", reason: "no_backend", count: 20, client: "192.0.2.8:53" },
  ]);
  report.onTick(1_000);
  report.over(forgotten);
  report.flush();
  assert.deepEqual([batches(told), sums().length], [[10, 10, 1], 2], "another second has begun");
  const cell = tally.ENDS + END_REASONS.indexOf("forgotten");
  const counted = told.flatMap((it) => it.type === "tally" ? it.entries.map(({ cells }) => cells[cell]) : []);
  assert.equal(counted.reduce((sum = 0, it = 0) => sum + it, 0), 511, "all of them are counted");
});

Deno.test("flows that come to a regular end, and connections, leave a record each", () => {
  for (const [reason, peer] of [["done", FLOW], ["killed", FLOW], ["no_backend", undefined]] as const) {
    const { report, told, ended } = reporting();
    const session = ended(1, reason, peer);
    for (let i = 0; i < 30; i++) report.over(session);
    report.flush();
    assert.deepEqual(batches(told), [30], reason);
  }
});

Deno.test("flows that fail are summed up where no session leaves a record", () => {
  const { report, told, ended } = reporting({ recordSessions: false });
  report.over(ended(1, "idle_timeout", FLOW));
  report.onTick(0);
  assert.deepEqual(told.map(({ type }) => type), ["flow_sums"]);
});

Deno.test("as many records as fill a batch do not wait", () => {
  const { report, told, ended } = reporting();
  const session = ended(1);
  for (let i = 0; i < 1_100; i++) report.over(session);
  assert.deepEqual(batches(told), [512, 512]);
  report.flush();
  assert.deepEqual(batches(told), [512, 512, 76]);
});

Deno.test("which sessions leave a record is what was asked for", () => {
  const recorded = (recordSessions: RecordedSessions): number => {
    const { report, told, ended } = reporting({ recordSessions });
    report.over(ended(0));
    report.over(ended(5));
    report.flush();
    return batches(told)[0] ?? 0;
  };
  assert.deepEqual([recorded(true), recorded("served"), recorded(false)], [2, 1, 0]);
});

Deno.test("sums go four times a second, with the largest lag since the last time", () => {
  const { report, told, ended } = reporting({ tallySessions: true, recordSessions: false });
  const startMs = performance.now() + 1_000;
  report.onTick(startMs);
  const session = ended(3);
  report.countActive(session);
  told.length = 0;
  for (const atMs of [100, 240, 340, 440, 540]) report.onTick(startMs + atMs);
  const tallies = told.map((it) => it.type === "tally" ? [it.entries.length, Math.round(it.lagMs)] : it);
  assert.deepEqual(tallies, [[1, 40]]);
  report.onTick(startMs + 640);
  const last = told.at(-1);
  assert.ok(last?.type === "tally");
  assert.deepEqual([last.entries, Math.round(last.lagMs)], [[], 0], "nothing is told twice");
});

Deno.test("sums that are not wanted are neither kept nor told", () => {
  const { report, told, ended } = reporting({ recordSessions: false });
  const session = ended(3);
  report.countActive(session);
  report.over(session);
  report.onTick(0);
  report.flush();
  assert.deepEqual(told, []);
});

Deno.test("dials that lack something of this machine are told once in ten seconds, with their number", () => {
  const { report, told, ended, backend } = reporting();
  const session = ended(0);
  const lack = (): void => report.shortage(session, backend("a"), "no local port left");
  const dials = (): unknown[] => told.map((it) => it.type === "warning" ? it.fields.dials : it.type);
  report.onTick(1_000);
  for (let i = 0; i < 4; i++) lack();
  assert.deepEqual(dials(), [1]);
  report.onTick(10_900);
  lack();
  assert.deepEqual(dials(), [1]);
  report.onTick(11_000);
  lack();
  assert.deepEqual(dials(), [1, 5]);
  assert.deepEqual(told.at(-1), {
    type: "warning",
    event: "dials_short",
    fields: {
      ...{ pool: "web", backend: "a", address: "127.0.0.1:8001", reason: "no local port left" },
      dials: 5,
    },
  });
});

Deno.test("that open files keep connections out is told once a tick", () => {
  const { report, told } = reporting();
  for (let i = 0; i < 3; i++) report.wantFiles();
  assert.deepEqual(told, [{ type: "files_wanted" }]);
  report.onTick(0);
  report.wantFiles();
  assert.equal(told.length, 2);
});

Deno.test("a fault of our own is a warning with its reason", () => {
  const { report, told } = reporting();
  report.fault(new TypeError("broken"));
  assert.deepEqual(told, [{ type: "warning", event: "session_failed", fields: { reason: "broken" } }]);
});

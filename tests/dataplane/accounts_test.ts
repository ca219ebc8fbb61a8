import assert from "node:assert/strict";
import { Accounts } from "../../lib/dataplane/accounts.ts";
import { Activity } from "../../lib/dataplane/activity.ts";
import { END_REASONS } from "../../lib/dataplane/record.ts";
import type { Session } from "../../lib/dataplane/session.ts";
import type { Backend } from "../../lib/pool/backend.ts";
import { viewHistogram } from "../../lib/pool/histogram.ts";
import * as tally from "../../lib/pool/tally.ts";
import { asRow } from "../support/rows.ts";

const LISTENER = { name: "web" };
const POOL = { name: "apps" };

function backend(name: string): Backend {
  return { row: asRow(9), name, address: { transport: "tcp", host: "", port: 1 }, isBackup: false };
}

const [A, B] = [backend("a"), backend("b")];

/** What is counted of a session. */
function session(facts: Partial<Session> = {}): Session {
  const plain = {
    ...{ listener: LISTENER, pool: POOL, backend: A, activity: new Activity(0) },
    ...{ attempts: 1, failedDials: undefined, queuedMs: undefined },
    ...{ dialMs: 0, ageMs: 0, endReason: "done", newDrops: () => undefined },
  };
  return { ...plain, ...facts } as Session;
}

/** What was counted since the last time: by pool or backend, the cells that are not 0. */
function handOver(accounts: Accounts): Record<string, Record<number, number>> {
  return Object.fromEntries(
    accounts.handOver().map(({ key, cells }) => {
      assert.deepEqual([key.listener, key.pool], [LISTENER.name, POOL.name]);
      return [key.backend ?? key.pool, Object.fromEntries([...cells].entries().filter(([, it]) => it !== 0))];
    }),
  );
}

function ends(reason: Session["endReason"]): number {
  return tally.ENDS + END_REASONS.indexOf(reason);
}

Deno.test("each byte is counted once, however often it is asked", () => {
  const accounts = new Accounts();
  const one = session();
  one.activity.moved("in", 3);
  one.activity.moved("out", 4);
  accounts.countBytes(one);
  accounts.countBytes(one);
  one.activity.moved("in", 10);
  accounts.countBytes(one);
  assert.deepEqual(handOver(accounts), { a: { [tally.BYTES_IN]: 13, [tally.BYTES_OUT]: 4 } });
  accounts.countBytes(one);
  assert.deepEqual(handOver(accounts), {}, "nothing was added");
});

Deno.test("datagrams that were dropped are counted by why, also where no byte has moved", () => {
  const accounts = new Accounts();
  const one = session({ newDrops: () => ({ overLimit: 3, noRoom: 4 }) });
  accounts.countBytes(one);
  accounts.countBytes(one);
  assert.deepEqual(handOver(accounts), {
    a: { [tally.DROPPED_OVER_LIMIT]: 6, [tally.DROPPED_NO_ROOM]: 8 },
  });
});

Deno.test("a session that has ended is counted by its reason, with its last bytes and its times", () => {
  const accounts = new Accounts();
  const one = session({ endReason: "idle_timeout", dialMs: 30, ageMs: 2_000 });
  one.activity.moved("in", 5);
  accounts.countSession(one);
  const [entry] = accounts.handOver();
  const cells = entry?.cells ?? assert.fail();
  assert.deepEqual([cells[tally.BYTES_IN], cells[ends("idle_timeout")]], [5, 1]);
  assert.equal(viewHistogram(cells, tally.SESSION_SECONDS).sumSeconds, 2);
  assert.equal(viewHistogram(cells, tally.DIAL_SECONDS).sumSeconds, 0.03);
  assert.equal(viewHistogram(cells, tally.QUEUE_SECONDS).count, 0);
});

Deno.test("a session that reached no backend is counted by its pool, and has no dial time", () => {
  const accounts = new Accounts();
  accounts.countSession(session({ backend: undefined, endReason: "queue_timeout", queuedMs: 500 }));
  const [entry, ...others] = accounts.handOver();
  const cells = entry?.cells ?? assert.fail();
  assert.deepEqual([entry?.key.backend, others], [undefined, []]);
  assert.equal(cells[ends("queue_timeout")], 1);
  assert.equal(viewHistogram(cells, tally.DIAL_SECONDS).count, 0);
  assert.equal(viewHistogram(cells, tally.QUEUE_SECONDS).sumSeconds, 0.5);
});

Deno.test("the wait of a session is counted by its pool, even when a backend served it", () => {
  const accounts = new Accounts();
  accounts.countSession(session({ queuedMs: 0 }));
  const { a, apps } = handOver(accounts);
  assert.equal(a?.[ends("done")], 1);
  assert.deepEqual(apps, { [tally.QUEUE_SECONDS]: 1 });
});

Deno.test("failed dials count against the backends whose fault they are, retries for the one that served", () => {
  const accounts = new Accounts();
  const failedDials = [
    { backend: A, failure: "connection refused", isBackends: true },
    { backend: A, failure: "no local port left", isBackends: false },
  ];
  accounts.countSession(session({ backend: B, attempts: 3, failedDials }));
  const { a, b } = handOver(accounts);
  assert.deepEqual(a, { [tally.DIAL_FAILURES]: 1 });
  assert.deepEqual([b?.[tally.RETRIES], b?.[tally.DIAL_FAILURES]], [2, undefined]);
});

Deno.test("a dial for which this machine lacked something counts for its backend", () => {
  const accounts = new Accounts();
  accounts.countShortage(session({ backend: undefined }), B);
  assert.deepEqual(handOver(accounts), { b: { [tally.SHORT_DIALS]: 1 } });
});

// deno-lint-ignore-file no-await-in-loop -- the events of a session follow one another

/** Whatever happens in whatever order, a session holds what its phase says, and leaves nothing behind. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type SharedPool, sharePool } from "../pool/shared_pool.ts";
import { QUEUE } from "../pool/shared_pool.ts";
import { FakeWorld, settled } from "./fake_engine.ts";

const EVENTS = [
  ...["connect", "refuse", "no descriptor", "no port", "descriptor", "rest is over"],
  ...["time", "client gone", "backend gone", "client told", "bytes", "in ends", "out ends", "relay over"],
  ...["killed", "other leaves", "backend down", "backend up", "client half-closes", "member leaves"],
] as const;
type Event = typeof EVENTS[number];

/** Does what an event is, if it can happen now. */
function happen(event: Event, world: FakeWorld, shared: SharedPool, others: string[]): void {
  const { engine, session, client } = world;
  const dial = engine.dials.at(-1);
  const [rest, descriptor] = [engine.timers.at(-1), engine.waiting.at(-1)];
  const on = engine.relay_?.on;
  switch (event) {
    case "connect":
      return void (dial?.isPending && dial.connect());
    case "refuse":
      return void (dial?.isPending && dial.fail("ECONNREFUSED"));
    case "no descriptor":
      return void (dial?.isPending && dial.fail("EMFILE"));
    case "no port":
      return void (dial?.isPending && dial.fail("EADDRNOTAVAIL"));
    case "descriptor":
      return void (descriptor?.isPending && descriptor.run());
    case "rest is over":
      return void (rest?.isPending && rest.run());
    case "time":
      world.pass(400);
      return shared.one.queue?.onTick(world.nowMs);
    case "client gone":
      return client.reads?.clientGone();
    case "client half-closes":
      return client.endSending();
    case "killed":
      return session.end("killed");
    case "other leaves": {
      const name = others.pop();
      return name === undefined ? undefined : shared.one.release(shared.backend(name));
    }
    case "backend down":
      return shared.change("a", { isUp: false });
    case "backend up":
      return shared.change("a", { isUp: true });
    case "member leaves":
      return shared.one.adjust({ ...shared.one.options, backends: shared.backends.slice(0, 1) });
    case "relay over":
      return overOnce(world);
    case "backend gone":
      return on?.backendGone();
    case "client told":
      return on?.clientTold();
    case "bytes":
      return on?.moved("out", 1);
    case "in ends":
      return on?.directionEnded("in");
    case "out ends":
      return on?.directionEnded("out");
  }
}

/** A relay is over once. */
function overOnce({ engine, told }: FakeWorld): void {
  if (told.over === 0) engine.relay_?.on.finished();
}

/** What the counts have to be for the phase that the session is in. */
function assertHolds(world: FakeWorld, shared: SharedPool, others: readonly string[]): void {
  const { session, told } = world;
  const slots = shared.active().reduce((sum, count) => sum + count, 0) - others.length;
  const waits = shared.board.count(shared.one.options.row);
  const isOver = session.phase === "ended" && told.over === 1;
  const hasSlot = session.phase === "dialling" || session.phase === "relaying" ||
    (session.phase === "ended" && !isOver);
  assert.equal(slots, hasSlot ? 1 : 0, `slots while ${session.phase}`);
  assert.equal(waits, session.phase === "queued" ? 1 : 0, `in line while ${session.phase}`);
  assert.equal(told.left, told.over);
  assert.deepEqual(told.faults, []);
}

Deno.test("whatever happens, a session holds what its phase says, and in the end nothing", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...EVENTS), { maxLength: 40, size: "max" }),
      fc.nat(2),
      fc.nat(3),
      async (events, taken, retries) => {
        const shared = sharePool({ a: { maxConnections: 1 }, b: { maxConnections: 1 } }, {
          retries,
          dialTimeoutMs: 1_000,
          queue: { row: QUEUE, size: 5, timeoutMs: 3_000 },
        });
        const others = Array.from({ length: taken }, () => shared.one.take([], 0)?.name ?? assert.fail());
        const world = new FakeWorld(shared.one, { idleTimeoutMs: 2_000, halfCloseTimeoutMs: 900 });
        world.session.begin();
        for (const event of events) {
          happen(event, world, shared, others);
          await settled();
          assertHolds(world, shared, others);
        }
        world.session.end("shutdown");
        if (world.told.over === 0) world.engine.relaying.finished();
        await settled();
        assertHolds(world, shared, others);
        assert.ok(world.engine.isQuiet && world.client.isClosed);
        assert.equal(world.told.over, 1);
      },
    ),
    { numRuns: 400 },
  );
});

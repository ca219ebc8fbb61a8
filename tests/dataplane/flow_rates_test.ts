// deno-lint-ignore-file no-await-in-loop -- datagrams are sent in order

/** Rate limits of flows, over real sockets: a datagram that is above one is dropped, and all others pass whole. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { setTimeout as wait } from "node:timers/promises";
import { DROPPED_NO_ROOM, DROPPED_OVER_LIMIT } from "../../lib/pool/tally.ts";
import { pattern } from "../support/bytes.ts";
import { until } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";
import { type FlowPlane, startFlowPlane } from "../support/flow_plane.ts";
import { startNamedUdpBackend, startUdpBackend, UdpClient } from "../support/udp.ts";

const RATE = 512 * 1024;
const SIZE = 1_000;

/** How long a limit saves up, in ms: what a sender that is held up longer has not sent is not made up for. */
const SAVED_MS = 100;

interface Flood {
  readonly seconds: number;
  /** Without the time for which the machine held the sender up. */
  readonly sendingSeconds: number;
}

/** Sends three times the rate for a second. */
async function flood(clients: readonly UdpClient[], datagram: Uint8Array, perRound: number): Promise<Flood> {
  const startedMs = performance.now();
  let [roundMs, sendingMs] = [startedMs, 0];
  for (let round = 0; roundMs - startedMs < 1_000; round++) {
    for (let i = 0; i < perRound; i++) await clients[i % clients.length]?.send(datagram);
    await wait(Math.max(0, startedMs + (round + 1) * 10 - performance.now()));
    const nowMs = performance.now();
    sendingMs += Math.min(nowMs - roundMs, SAVED_MS);
    roundMs = nowMs;
  }
  return { seconds: (roundMs - startedMs) / 1_000, sendingSeconds: sendingMs / 1_000 };
}

function assertRate(bytes: number, { seconds, sendingSeconds }: Flood): void {
  // The last ones may be on their way.
  const most = RATE * (seconds + SAVED_MS / 1_000 + 0.1) + SIZE;
  const told = `${bytes} in ${seconds} s, of which it sent for ${sendingSeconds} s`;
  assert.ok(bytes > RATE * sendingSeconds * 0.9 && bytes <= most, told);
}

async function bytesOf(rig: FlowPlane, count: number): Promise<{ bytesIn: number; bytesOut: number }> {
  const records = await rig.waitForRecords(count);
  const sum = (of: (it: typeof records[number]) => number): number =>
    records.reduce((total, it) => total + of(it), 0);
  return { bytesIn: sum((it) => it.bytes_in), bytesOut: sum((it) => it.bytes_out) };
}

const limits = { idleTimeoutMs: 300 };

for (
  const [what, rateLimit, clientCount] of [
    ["a session moves `in` bytes a second", { in: RATE }, 1],
    ["all sessions together move `total_in` bytes a second", { totalIn: RATE }, 3],
  ] as const
) {
  onEachEngine(`${what} of datagrams, and the others are dropped`, async (engine) => {
    using sink = startUdpBackend(() => []);
    await using rig = await startFlowPlane(engine, { backends: [sink], rateLimit, limits });
    const clients = Array.from({ length: clientCount }, () => new UdpClient(rig.address));
    const flooded = await flood(clients, pattern(SIZE, 1), 16);
    const { bytesIn } = await bytesOf(rig, clientCount);
    assertRate(bytesIn, flooded);
    await until(() => sink.received.length * SIZE === bytesIn, "the backend has what was counted");
    assert.ok(sink.received.every(({ datagram }) => datagram.length === SIZE), "each is whole");
    for (const client of clients) client[Symbol.dispose]();
  });
}

for (const rateLimit of [{ out: RATE }, { totalOut: RATE }]) {
  onEachEngine(
    `answers are dropped above ${Object.keys(rateLimit)}, and what passes is whole`,
    async (engine) => {
      // Each is told from the others by its first byte.
      const answers = [1, 2, 3, 4].map((first) => pattern(SIZE, first));
      using backend = startUdpBackend(() => answers);
      await using rig = await startFlowPlane(engine, { backends: [backend], rateLimit, limits });
      using client = new UdpClient(rig.address);
      let received = 0;
      const reading = (async () => {
        for (;;) {
          const answer = await client.receiveWithin(1_500);
          if (answer === undefined) return;
          received += answer.length;
          const isWhole = answers.some((it) => Buffer.compare(it, answer) === 0);
          assert.ok(isWhole, "it is one of the answers");
        }
      })();
      const flooded = await flood([client], pattern(10, 1), 4);
      const { bytesOut } = await bytesOf(rig, 1);
      await reading;
      assertRate(bytesOut, flooded);
      assert.equal(received, bytesOut, "the client has what was counted");
    },
  );
}

onEachEngine(
  "a datagram that is larger than the bucket passes, the next is dropped, and the session says so",
  async (engine) => {
    using a = startNamedUdpBackend("a");
    const rateLimit = { in: 1_024, totalIn: 1_024 };
    await using rig = await startFlowPlane(engine, { backends: [a], rateLimit });
    using client = new UdpClient(rig.address);
    const question = "q".repeat(9_000);
    assert.equal(await client.ask(question), `a:${question}`);
    await client.send("dropped");
    await until(() => {
      rig.plane.listSessions(1, 1, {});
      return rig.of("live_sessions").at(-1)?.sessions[0]?.rate_limited === true;
    }, "it is above its limit");
    assert.equal(a.received.length, 1);
    await until(() => rig.tallied(DROPPED_OVER_LIMIT) === 1, "it is counted");
    assert.equal(rig.tallied(DROPPED_NO_ROOM), 0);
  },
);

onEachEngine("an answer that was dropped is no failure of the backend", async (engine) => {
  using backend = startUdpBackend(() => [pattern(9_000, 1)]);
  await using rig = await startFlowPlane(engine, {
    backends: [backend],
    rateLimit: { out: 1_024 },
    flows: { responses: 1 },
    limits,
    consecutiveFailures: 1,
  });
  using client = new UdpClient(rig.address);
  await client.send("1");
  await client.send("2");
  const [record] = await rig.waitForRecords(1);
  assert.deepEqual([record?.end, record?.bytes_out, rig.of("failing").length], ["done", 9_000, 0]);
});

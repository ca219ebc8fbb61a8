// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What a load says of servers that misbehave: counts are exact, since it is known by number which connections fail. */

import assert from "node:assert/strict";
import { type FailWay, GOOD } from "../../lib/core/misbehaviour.ts";
import type { ErrorCounts } from "../../lib/load/figures.ts";
import { failureOf } from "../../lib/respond/chance.ts";
import { onEachEngine } from "../support/engines.ts";
import { load } from "../support/load.ts";
import { startMisbehaving } from "../support/misbehaving_server.ts";

const NONE: ErrorCounts = { refused: 0, reset: 0, timed_out: 0, short: 0, corrupt: 0, other: 0 };

/** How many of the first connections fail at the rate that the tests have. */
function failures(connections: number): number {
  return Array.from({ length: connections }, (_, i) => failureOf(i + 1, { ...GOOD, failRate: 0.2, seed: 5 }))
    .filter((failure) => failure !== undefined).length;
}

const KINDS: readonly (readonly [FailWay, keyof ErrorCounts])[] = [
  ["refuse", "reset"],
  ["reset", "reset"],
  ["close-early", "short"],
  ["garbage", "corrupt"],
];

onEachEngine(
  "a load counts each way to fail as what it is, and as often as the seed says",
  async (engine) => {
    const requests = 60;
    assert.equal(failures(requests), 17);
    for (const [failHow, kind] of KINDS) {
      await using server = await startMisbehaving("echo", { failRate: 0.2, failHow, seed: 5 });
      const { figures } = await load(engine, server.address, {
        requests,
        connections: 4,
        newConnection: true,
        verify: true,
      });
      assert.deepEqual(figures.errors, { ...NONE, [kind]: failures(requests) }, failHow);
      assert.equal(figures.requests, requests - failures(requests), failHow);
    }
  },
);

onEachEngine("connections that hang time out, as many as the seed says", async (engine) => {
  await using server = await startMisbehaving("echo", { failRate: 0.2, failHow: "hang", seed: 5 });
  const { figures } = await load(engine, server.address, {
    requests: 20,
    connections: 10,
    newConnection: true,
    timeoutMs: 1_000,
  });
  assert.deepEqual(figures.errors, { ...NONE, timed_out: failures(20) });
  assert.equal(figures.requests, 20 - failures(20));
});

onEachEngine(
  "connections that are slow to read or to write are right at last, and many times slower",
  async (engine) => {
    for (const failHow of ["slow-read", "slow-write"] as const) {
      await using server = await startMisbehaving("echo", { failRate: 0.2, failHow, seed: 5 });
      const { figures } = await load(engine, server.address, {
        requests: 20,
        connections: 10,
        newConnection: true,
        verify: true,
        request: { text: "012\n" },
      });
      assert.deepEqual([figures.errors, figures.requests], [NONE, 20]);
      const { p50, max } = figures.latencies.statistics();
      // Four bytes, a tenth of a second apart; the first is written at once.
      assert.ok(max >= 290 && max > 2 * p50, `${failHow}: ${p50} and ${max}`);
    }
  },
);

onEachEngine("a server that answers a byte at a time does not keep a load from its end", async (engine) => {
  await using server = await startMisbehaving("echo", { failRate: 1, failHow: "slow-write" });
  const { figures, durationMs } = await load(engine, server.address, {
    durationMs: 300,
    timeoutMs: 500,
    request: { bytes: 64 * 1024 },
  });
  assert.deepEqual([figures.requests, figures.errors], [0, { ...NONE, timed_out: 1 }]);
  // Byte by byte it would be hours.
  assert.ok(durationMs >= 800 && durationMs < 5_000, String(durationMs));
});

onEachEngine("a server that closes after each answer ends each reply", async (engine) => {
  await using server = await startMisbehaving("echo", { closeAfter: 1 });
  const { figures } = await load(engine, server.address, { requests: 20, expect: { kind: "eof" } });
  assert.deepEqual(figures.errors, NONE);
  assert.deepEqual([figures.requests, figures.connects.count], [20, 20]);
});

onEachEngine("a delay is what a load measures, at the median and in the tail", async (engine) => {
  await using server = await startMisbehaving("echo", { delay: { kind: "p99", p99Ms: 60 } });
  const { figures } = await load(engine, server.address, { requests: 400, connections: 20 });
  const { p50, p99 } = figures.latencies.statistics();
  // Of 400 answers four take more than 60 ms, and half less than 9 ms; timers and the machine only add.
  assert.ok(p99 >= 50 && p50 >= 8 && p99 > 1.5 * p50, `p50 ${p50}, p99 ${p99}`);
  assert.deepEqual(figures.errors, NONE);
});

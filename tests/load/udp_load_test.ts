// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Loads of datagrams over real sockets, with either engine. */

import assert from "node:assert/strict";
import type { LoadResult } from "../../lib/load/run_load.ts";
import { onEachEngine } from "../support/engines.ts";
import { load } from "../support/load.ts";
import { freePort } from "../support/ports.ts";
import { startUdpBackend } from "../support/udp.ts";

const EXPECT = { kind: "datagrams", datagrams: 1 } as const;

function told({ figures: { requests, errors } }: LoadResult): Record<string, number> {
  const failed = Object.entries(errors).filter(([, count]) => count > 0);
  return { requests, ...Object.fromEntries(failed) };
}

onEachEngine("each datagram of a load is answered, and compared with what comes back", async (engine) => {
  using echo = startUdpBackend((datagram) => [datagram.slice()]);
  // A socket has no room for several of the largest.
  for (const [bytes, connections] of [[1, 4], [1_200, 4], [65_507, 1]] as const) {
    const plan = { requests: 200, connections, verify: true, request: { bytes }, expect: EXPECT };
    const result = await load(engine, `udp:${echo.address}`, plan);
    assert.deepEqual(told(result), { requests: 200 });
    assert.deepEqual([result.figures.sentBytes, result.figures.receivedBytes], [200 * bytes, 200 * bytes]);
    assert.equal(result.figures.connects.count, connections);
  }
  assert.equal(new Set(echo.received.map(({ from }) => from)).size, 4 + 4 + 1);
});

onEachEngine(
  "a request has a flow of its own where it is asked for, and replies say who has answered",
  async (engine) => {
    using named = startUdpBackend(() => ["one\n"]);
    const plan = { requests: 50, connections: 5, newConnection: true, expect: EXPECT };
    const result = await load(engine, `udp:${named.address}`, plan);
    assert.deepEqual(told(result), { requests: 50 });
    assert.deepEqual([...result.figures.backends], [["one", 50]]);
    assert.equal(result.figures.connects.count, 50);
    // The system may give a port again that was closed before.
    const ports = new Set(named.received.map(({ from }) => from)).size;
    assert.ok(ports > 45, `${ports} ports`);
  },
);

onEachEngine("an open loop sends its datagrams on schedule", async (engine) => {
  using echo = startUdpBackend((datagram) => [datagram.slice()]);
  const plan = { rate: 500, durationMs: 1_000, connections: 20, verify: true, expect: EXPECT };
  const result = await load(engine, `udp:${echo.address}`, plan);
  assert.deepEqual([told(result), result.unsent], [{ requests: 500 }, 0]);
});

onEachEngine(
  "a datagram that is lost has timed out, and the next one comes from another socket",
  async (engine) => {
    let asked = 0;
    using lossy = startUdpBackend((datagram) => ++asked % 10 === 5 ? [] : [datagram.slice()]);
    const plan = { requests: 50, timeoutMs: 100, verify: true, request: { bytes: 20 }, expect: EXPECT };
    assert.deepEqual(told(await load(engine, `udp:${lossy.address}`, plan)), { requests: 45, timed_out: 5 });
    // An answer that comes late finds no one.
    assert.equal(new Set(lossy.received.map(({ from }) => from)).size, 6);
  },
);

onEachEngine(
  "replies of several datagrams, of so many bytes and of other bytes are told apart",
  async (engine) => {
    using twice = startUdpBackend((datagram) => [datagram.slice(), datagram.slice()]);
    const common = { requests: 20, timeoutMs: 1_000 };
    const address = `udp:${twice.address}`;
    const two = await load(engine, address, { ...common, expect: { kind: "datagrams", datagrams: 2 } });
    assert.deepEqual(told(two), { requests: 20 });
    const bytes = await load(engine, address, { ...common, expect: { kind: "bytes", bytes: 6 } });
    assert.deepEqual(told(bytes), { requests: 20 });
    using other = startUdpBackend(() => ["ho\n"]);
    const wrong = await load(engine, `udp:${other.address}`, { ...common, verify: true, expect: EXPECT });
    assert.deepEqual(told(wrong), { requests: 0, corrupt: 20 });
  },
);

onEachEngine("datagrams without a reply are sent, and come", async (engine) => {
  using sink = startUdpBackend(() => []);
  const plan = { requests: 100, rate: 1_000, connections: 2, expect: { kind: "bytes", bytes: 0 } } as const;
  assert.deepEqual(told(await load(engine, `udp:${sink.address}`, plan)), { requests: 100 });
  const deadlineMs = performance.now() + 5_000;
  while (sink.received.length < 100 && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(sink.received.length, 100);
});

onEachEngine("where nothing listens datagrams are refused, as far as the engine is told", async (engine) => {
  const plan = { requests: 5, timeoutMs: 100, expect: EXPECT };
  const result = await load(engine, `udp:127.0.0.1:${freePort()}`, plan);
  assert.deepEqual(told(result), { requests: 0, [engine === "epoll" ? "refused" : "timed_out"]: 5 });
});

onEachEngine(
  "a datagram that the system does not take has failed, also where no reply is waited for",
  async (engine) => {
    const plan = { requests: 40, request: { bytes: 100 }, expect: { kind: "bytes", bytes: 0 } } as const;
    const { figures } = await load(engine, `udp:127.0.0.1:${freePort()}`, plan);
    // That nothing listens there is told by the send after the one that was refused, which the system then does not take.
    const { refused } = figures.errors;
    assert.deepEqual([figures.requests + refused, refused > 0], [40, engine === "epoll"]);
    assert.equal(figures.sentBytes, figures.requests * 100);
  },
);

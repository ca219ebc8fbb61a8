// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Loads over real sockets, with either engine. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { sleep } from "../../lib/core/sleep.ts";
import type { LoadResult } from "../../lib/load/run_load.ts";
import { startBackend, startResettingBackend, startSilentBackend } from "../support/backend.ts";
import { startTestBalancer } from "../support/balancer.ts";
import { readPair } from "../support/certificates.ts";
import { startSockbal } from "../support/command.ts";
import { onEachEngine } from "../support/engines.ts";
import { load, serve } from "../support/load.ts";
import { refusedPort } from "../support/ports.ts";
import { onEachEngineWithTls } from "../support/tls_certificates.ts";

function assertAllAnswered({ figures }: LoadResult, requests: number): void {
  assert.deepEqual([figures.requests, figures.errorCount, figures.reason], [requests, 0, undefined]);
}

onEachEngine("each request of a load is answered once, by every handler that answers", async (engine) => {
  await using echo = await serve("echo");
  await using upper = await serve("upper");
  await using http = await serve("http");
  const common = { requests: 500, connections: 8 };
  assertAllAnswered(
    await load(engine, echo.address, { ...common, verify: true, request: { bytes: 100 } }),
    500,
  );
  const lines = await load(engine, upper.address, { ...common, expect: { kind: "lines" } });
  assertAllAnswered(lines, 500);
  assert.deepEqual([lines.figures.sentBytes, lines.figures.receivedBytes], [1_500, 1_500]);
  assertAllAnswered(
    await load(engine, upper.address, { ...common, expect: { kind: "bytes", bytes: 3 } }),
    500,
  );
  const request = { text: "GET / HTTP/1.1\r\nHost: a\r\n\r\n" };
  const answered = await load(engine, http.address, { ...common, request, expect: { kind: "http" } });
  assertAllAnswered(answered, 500);
  assert.deepEqual([...answered.figures.backends], [["one", 500]]);
  assert.equal(answered.figures.connects.count, 8);
});

onEachEngine(
  "whatever its size and the length of the pipeline, every byte of an echo comes back",
  async (engine) => {
    await using echo = await serve("echo");
    for (
      const [bytes, pipeline, requests] of [[1, 1, 200], [1, 50, 2_000], [300_000, 1, 20], [
        70_000,
        7,
        60,
      ]] as const
    ) {
      const plan = { request: { bytes }, pipeline, requests, connections: 3, verify: true };
      const result = await load(engine, echo.address, plan);
      assertAllAnswered(result, requests);
      assert.equal(result.figures.receivedBytes, bytes * requests);
    }
  },
);

onEachEngine("a load through a balancer tells the share of each backend", async (engine) => {
  await using one = await serve("whoami", { name: "one" });
  await using two = await serve("whoami", { name: "two" });
  await using three = await serve("whoami", { name: "three" });
  const backends = [one.address, two.address, three.address];
  await using balancer = await startTestBalancer({ engine, backends, pool: { algorithm: "round_robin" } });
  const plan = { requests: 300, connections: 10, newConnection: true, expect: { kind: "eof" } } as const;
  const result = await load(engine, `127.0.0.1:${balancer.port}`, plan);
  assertAllAnswered(result, 300);
  assert.deepEqual([...result.figures.backends].sort(), [["one", 100], ["three", 100], ["two", 100]]);
  assert.equal(result.figures.connects.count, 300);
});

onEachEngine("several threads share the requests and the connections of a load", async (engine) => {
  await using echo = await serve("echo");
  const result = await load(engine, echo.address, { requests: 1_001, connections: 7, workers: 3 });
  assertAllAnswered(result, 1_001);
  assert.equal(result.figures.connects.count, 7);
});

onEachEngine("five thousand connections at once are opened, used and closed", async (engine) => {
  await using server = startSockbal("--role", "server", "--listen", "127.0.0.1:0");
  const address = (await server.sees(/listening address=(\S+)/))[1] ?? "";
  const plan = { requests: 10_000, connections: 5_000, rampMs: 1_000, verify: true, timeoutMs: 30_000 };
  assertAllAnswered(await load(engine, address, plan), 10_000);
  const stop = new AbortController();
  const held = await load(engine, address, {
    ...{ connections: 5_000, hold: true, timeoutMs: 30_000, stop: stop.signal },
    onSecond: ({ open }) => open === 5_000 && stop.abort(),
  });
  assert.deepEqual([held.figures.connects.count, held.figures.errorCount], [5_000, 0]);
});

onEachEngine(
  "a peer that refuses, resets, ends early, answers with something else or never is told apart, request by request",
  async (engine) => {
    const common = { requests: 5, connections: 1, timeoutMs: 300 };
    const errors = async (address: string): Promise<Record<string, number>> => {
      const { figures } = await load(engine, address, common);
      assert.equal(figures.requests, 0);
      return Object.fromEntries(Object.entries(figures.errors).filter(([, count]) => count > 0));
    };
    assert.deepEqual(await errors(`127.0.0.1:${refusedPort()}`), { refused: 5 });
    await using resetting = await startResettingBackend("asked");
    assert.deepEqual(await errors(resetting.address), { reset: 5 });
    const short = startBackend(async (conn) => {
      await conn.read(new Uint8Array(10));
      await writeAll(conn, new TextEncoder().encode("h"));
    });
    assert.deepEqual(await errors(short.address), { short: 5 });
    await short.stop();
    await using discard = await serve("discard");
    assert.deepEqual(await errors(discard.address), { timed_out: 5 });
    const silent = await startSilentBackend();
    assert.deepEqual(await errors(silent.address), { timed_out: 5 });
    silent.stop();
    await using upper = await serve("upper");
    const { figures } = await load(engine, upper.address, { ...common, verify: true });
    assert.equal(figures.errors.corrupt, 5);
    await using named = await serve("whoami");
    const request = { text: "GET / HTTP/1.1\r\nHost: a\r\n\r\n" };
    const http = await load(engine, named.address, { ...common, request, expect: { kind: "http" } });
    assert.equal(http.figures.errors.corrupt, 5);
  },
);

onEachEngine("what a peer does not take is not counted as sent", async (engine) => {
  const done = Promise.withResolvers<void>();
  const deaf = startBackend(() => done.promise);
  const bytes = 64 * 1024 * 1024;
  const plan = { request: { bytes }, requests: 1, timeoutMs: 300 };
  const { figures } = await load(engine, deaf.address, plan);
  assert.equal(figures.errors.timed_out, 1);
  assert.ok(figures.sentBytes > 0 && figures.sentBytes < bytes / 2, String(figures.sentBytes));
  done.resolve();
  await deaf.stop();
});

onEachEngine("a request that is over when it is sent loads a peer that never answers", async (engine) => {
  await using discard = await serve("discard");
  const plan = {
    request: { bytes: 128 * 1024 },
    requests: 800,
    connections: 2,
    expect: { kind: "bytes", bytes: 0 },
  } as const;
  const result = await load(engine, discard.address, plan);
  assertAllAnswered(result, 800);
  assert.equal(result.figures.sentBytes, 800 * 128 * 1024);
});

onEachEngine("connections that are held stay open and silent until the load is stopped", async (engine) => {
  let heard = 0;
  let open = 0;
  const backend = startBackend(async (conn) => {
    open++;
    for (let read = await conn.read(new Uint8Array(10)); read !== null;) {
      heard += read;
      read = await conn.read(new Uint8Array(10));
    }
    open--;
  });
  const stop = new AbortController();
  let openThen = 0;
  const onSecond = (): void => {
    openThen = open;
    stop.abort();
  };
  const result = await load(engine, backend.address, {
    connections: 20,
    hold: true,
    stop: stop.signal,
    onSecond,
  });
  assert.deepEqual([result.figures.connects.count, result.figures.errorCount], [20, 0]);
  assert.deepEqual([openThen, heard], [20, 0]);
  await backend.stop();
});

onEachEngine("a rate is kept, and the run ends when its last request is answered", async (engine) => {
  await using echo = await serve("echo");
  const result = await load(engine, echo.address, { rate: 500, requests: 500, connections: 20 });
  assertAllAnswered(result, 500);
  // The last one begins after 998 ms.
  assert.ok(result.durationMs >= 998 && result.durationMs < 1_500, String(result.durationMs));
});

onEachEngine("a stall of the server for a second shows in the tail of an open loop", async (engine) => {
  let requests = 0;
  await using stalling = await serve(async (connection) => {
    const buffer = new Uint8Array(100);
    for (let read = await connection.read(buffer); read !== null; read = await connection.read(buffer)) {
      // The whole server stands still: this is its only thread.
      const until = performance.now() + (++requests === 200 ? 1_000 : 0);
      while (performance.now() < until);
      await writeAll(connection, buffer.subarray(0, read));
    }
  });
  const result = await load(engine, stalling.address, { rate: 200, requests: 600, connections: 10 });
  assertAllAnswered(result, 600);
  const { latencies } = result.figures;
  // 200 requests were due during the stall: a third of all, which waited evenly between 0 and 1,000 ms, and then for their turn.
  for (const [percent, ms] of [[100, 960], [99, 950], [90, 690], [80, 390], [70, 90]] as const) {
    assert.ok(
      latencies.percentileMs(percent) >= ms,
      `p${percent} is ${latencies.percentileMs(percent)}, not ${ms}`,
    );
  }
});

onEachEngine(
  "a stall that outlasts the duration shows as well, and what it keeps from being sent is told",
  async (engine) => {
    let requests = 0;
    await using stalling = await serve(async (connection) => {
      const buffer = new Uint8Array(100);
      for (let read = await connection.read(buffer); read !== null; read = await connection.read(buffer)) {
        if (++requests === 40) await sleep(600);
        await writeAll(connection, buffer.subarray(0, read));
      }
    });
    const plan = { rate: 100, durationMs: 500 };
    const result = await load(engine, stalling.address, plan);
    assertAllAnswered(result, 50);
    assert.equal(result.unsent, 0);
    // The 40th was due at 390 ms, and the last, after 490 ms, waited for 500 ms of the stall.
    assert.ok(
      result.figures.latencies.percentileMs(80) >= 490,
      String(result.figures.latencies.percentileMs(80)),
    );
    assert.ok(result.durationMs >= 990, String(result.durationMs));
    await using silent = await serve("discard");
    const { figures, unsent, durationMs } = await load(engine, silent.address, { ...plan, timeoutMs: 300 });
    const { timed_out } = figures.errors;
    assert.deepEqual([figures.requests, timed_out + unsent, timed_out > 1, unsent > 1], [0, 50, true, true]);
    assert.ok(durationMs >= 800 && durationMs < 3_000, String(durationMs));
  },
);

onEachEngine("what a backend takes is measured to a twentieth of that", async (engine) => {
  const [usualMs, slowMs, requests] = [10, 100, 200];
  let n = 0;
  /** What it has really taken: a timer may be late. */
  const taken: number[] = [];
  await using backend = await serve(async (connection) => {
    const buffer = new Uint8Array(100);
    for (let read = await connection.read(buffer); read !== null; read = await connection.read(buffer)) {
      const startMs = performance.now();
      await sleep(n++ % 100 === 50 ? slowMs : usualMs);
      taken.push(performance.now() - startMs);
      await writeAll(connection, buffer.subarray(0, read));
    }
  });
  const off: string[] = [];
  for (let tries = 1; tries <= 3; tries++) {
    taken.length = n = 0;
    const result = await load(engine, backend.address, { requests });
    assertAllAnswered(result, requests);
    taken.sort((a, b) => a - b);
    const found = [50, 99.5].map((percent) => ({
      percent,
      ms: taken[Math.ceil(percent / 100 * requests) - 1] ?? NaN,
      told: result.figures.latencies.percentileMs(percent),
    }));
    for (const { percent, ms, told } of found) {
      assert.ok(told >= ms * 0.999, `p${percent} is ${told}, less than ${ms}`);
    }
    const late = found.filter(({ ms, told }) => told > ms * 1.05);
    if (late.length === 0) return;
    off.push(...late.map(({ percent, ms, told }) => `p${percent} is ${told}, not ${ms}`));
  }
  assert.fail(off.join("; "));
});

onEachEngineWithTls("a load speaks TLS, and says who it is before", async (engine, { a }) => {
  // TLS is always the runtime's.
  if (engine === "epoll") return;
  const tls = { pairs: [await readPair(a)], authorities: undefined };
  await using server = await serve("whoami", { tls, proxyProtocol: true });
  const plan = {
    requests: 20,
    connections: 4,
    newConnection: true,
    expect: { kind: "eof" },
    proxyProtocol: "v2",
    tls: {
      options: { serverName: "a.example", alpn: [], verify: false },
      keys: { pairs: [], authorities: undefined },
    },
  } as const;
  const result = await load(engine, server.address, plan);
  assertAllAnswered(result, 20);
  assert.deepEqual([...result.figures.backends], [["one", 20]]);
  const refused = await load(engine, server.address, {
    ...plan,
    requests: 2,
    tls: { ...plan.tls, options: { ...plan.tls.options, verify: true } },
  });
  assert.equal(refused.figures.errors.other, 2);
  assert.match(refused.figures.reason ?? "", /certificate/);
});

onEachEngine("a load says who it is by the PROXY protocol", async (engine) => {
  await using server = await serve("whoami", { proxyProtocol: true });
  for (const proxyProtocol of ["v1", "v2"] as const) {
    const plan = { requests: 20, newConnection: true, expect: { kind: "eof" }, proxyProtocol } as const;
    assertAllAnswered(await load(engine, server.address, plan), 20);
  }
});

onEachEngine("a load reaches a Unix socket", async (engine) => {
  const folder = await Deno.makeTempDir();
  const at = `unix:${folder}/s`;
  {
    await using echo = await serve("echo", { at });
    assertAllAnswered(await load(engine, echo.address, { requests: 300, connections: 5, verify: true }), 300);
  }
  await Deno.remove(folder, { recursive: true });
});

onEachEngine("a load that is stopped gives what was counted by then", async (engine) => {
  await using echo = await serve("echo");
  const stop = new AbortController();
  let told = 0;
  const onSecond = (): void => {
    told++;
    stop.abort();
  };
  const result = await load(engine, echo.address, { connections: 5, stop: stop.signal, onSecond });
  assert.ok(result.figures.requests > 0);
  assert.deepEqual([result.figures.errorCount, told >= 1], [0, true]);
  assert.ok(result.durationMs >= 1_000 && result.durationMs < 3_000, String(result.durationMs));
});

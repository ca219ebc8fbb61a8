// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Hostile datagrams and a flow that goes on, with the whole program. */

import assert from "node:assert/strict";
import { onEachEngine } from "../support/engines.ts";
import { startUdpBackend, udpAt, type UdpBackend, UdpClient } from "../support/udp.ts";
import { startUdpProgram } from "../support/udp_program.ts";

/** What strangers send, each from a port of its own: nothing, one byte, and now and then as much as a datagram can have. */
const BURST = [...Array.from({ length: 19 }, (_, i) => new Uint8Array(i % 2)), new Uint8Array(65_507)];

function startEcho(): UdpBackend {
  return startUdpBackend((datagram) => [datagram]);
}

onEachEngine(
  "four thousand strangers at a listener for a hundred flows do not stop a flow that goes on: all its answers arrive",
  async (engine) => {
    using backend = startEcho();
    await using balancer = await startUdpProgram(engine, {
      backends: { a: backend },
      listener: "max_flows: 100",
      more: "log: { sessions: false }\nshutdown_timeout: 100ms",
    });
    using client = new UdpClient(balancer.address);
    assert.equal(await client.ask("begin"), "begin");
    const ownPort = backend.received[0]?.from;
    for (let round = 0; round < 200; round++) {
      // As many as the buffer of a socket holds, so that none is lost there.
      for (const datagram of BURST) {
        using stranger = new UdpClient(balancer.address);
        await stranger.send(datagram);
      }
      assert.equal(await client.ask(`still ${round}`), `still ${round}`);
      assert.ok((await balancer.sessions()).length <= 100);
    }
    // It was one flow all the time.
    assert.equal(backend.received.filter(({ from }) => from === ownPort).length, 201);
    // All but the last hundred of 4,001 had to make room; a few strangers had the port of another one by chance.
    await balancer.hasMetric(/^sockbal_sessions_active\{listener="game"\} 100$/m);
    await balancer.hasMetric(/^sockbal_sessions_total\{.*end="forgotten"\} 38[5-9]\d$/m);
    const { status, stdout } = await balancer.status();
    assert.equal(status, 0);
    assert.match(stdout, /^game +udp:\S+ +game +100\/100 /m);
    balancer.command.kill("SIGTERM");
    await balancer.command.sees(/ stopped closed_sessions=100\n/);
    const { stderr } = await balancer.command.finished;
    assert.doesNotMatch(stderr, / error |Uncaught|internal_error/);
    const sums = [
      ...stderr.matchAll(
        / info {2}flows_unrecorded listener=game reason=forgotten count=(\d+) client=127\.0\.0\.1:\d+\n/g,
      ),
    ];
    const forgotten = sums.reduce((sum, [, count]) => sum + Number(count), 0);
    assert.ok(forgotten >= 3_850 && forgotten < 3_900, `${forgotten} are summed up in the log`);
  },
);

onEachEngine(
  "datagrams that no backend can be found for leave ten records a second of each worker, and a sum",
  async (engine) => {
    using backend = startEcho();
    await using balancer = await startUdpProgram(engine, {
      backends: { a: backend },
      more: "shutdown_timeout: 100ms",
    });
    await balancer.api("/api/pools/game/backends/a/disable", "POST");
    using client = new UdpClient(balancer.address);
    // As many as the buffer of a socket holds.
    for (let i = 0; i < 200; i++) await client.send("is anyone there");
    await balancer.hasMetric(/^sockbal_sessions_total\{.*end="no_backend"\} 200$/m);
    balancer.command.kill("SIGTERM");
    const { stderr } = await balancer.command.finished;
    const records = [...stderr.matchAll(/ warn {2}session .* end=no_backend\n/g)].length;
    const sums = stderr.matchAll(
      / warn {2}flows_unrecorded listener=game reason=no_backend count=(\d+) client=127\.0\.0\.1:\d+\n/g,
    );
    const summed = [...sums].reduce((sum, [, count]) => sum + Number(count), 0);
    assert.equal(records + summed, 200);
    assert.ok(summed >= 150, `${records} records`);
  },
);

onEachEngine(
  "datagrams of every size come whole: empty ones, and those of 65,507 bytes, both ways",
  async (engine) => {
    using backend = startEcho();
    await using balancer = await startUdpProgram(engine, { backends: { a: backend } });
    using client = new UdpClient(balancer.address);
    for (const size of [0, 1, 1_472, 1_473, 9_000, 65_506, 65_507]) {
      const sent = crypto.getRandomValues(new Uint8Array(size));
      await client.send(sent);
      assert.deepEqual(await client.receive(), sent);
    }
    const [session, ...others] = await balancer.sessions();
    assert.equal(others.length, 0);
    assert.equal(session?.bytes_in, session?.bytes_out);
  },
);

onEachEngine(
  "a stranger can neither answer in a backend's place nor speak for a client",
  async (engine) => {
    using backend = startEcho();
    await using balancer = await startUdpProgram(engine, { backends: { a: backend } });
    using client = new UdpClient(balancer.address);
    assert.equal(await client.ask("one"), "one");
    const upstream = backend.received[0]?.from ?? 0;
    using stranger = new UdpClient(udpAt(upstream));
    for (let i = 0; i < 20; i++) await stranger.send("forged answer");
    assert.equal(await client.ask("two"), "two");
    assert.deepEqual(backend.received.map(({ from }) => from), [upstream, upstream]);
  },
);

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Hostile datagrams and a flow that goes on, with the whole program. */

import assert from "node:assert/strict";
import { onEachEngine } from "../support/engines.ts";
import { startNamedUdp, startUdpProgram, UdpClient } from "../support/udp_program.ts";
import { UdpPeer } from "../support/udp_peer.ts";

/** What strangers send, each from a port of its own: nothing, one byte, and now and then as much as a datagram can have. */
const BURST = [...Array.from({ length: 19 }, (_, i) => new Uint8Array(i % 2)), new Uint8Array(65_507)];

onEachEngine(
  "four thousand strangers at a listener for a hundred flows do not stop a flow that goes on: all its answers arrive",
  async (engine) => {
    using backend = startNamedUdp("a");
    await using balancer = await startUdpProgram(engine, {
      backends: [backend],
      listener: "max_flows: 100",
      more: "log: { sessions: false }\nshutdown_timeout: 100ms",
    });
    using client = new UdpClient(balancer.port);
    assert.equal(await client.ask("begin"), "a begin");
    const [ownPort] = backend.ports.keys();
    for (let round = 0; round < 200; round++) {
      // As many as the buffer of a socket holds, so that none is lost there.
      for (const datagram of BURST) {
        using stranger = new UdpPeer();
        await stranger.send(datagram, balancer);
      }
      assert.equal(await client.ask(`still ${round}`), `a still ${round}`);
      assert.ok((await balancer.sessions()).length <= 100);
    }
    // It was one flow all the time.
    assert.equal(backend.ports.get(ownPort ?? 0), 201);
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
  },
);

onEachEngine(
  "datagrams of every size come whole: empty ones, and those of 65,507 bytes, both ways",
  async (engine) => {
    using echo = new UdpPeer();
    echo.onDatagram = ({ bytes, from }) => {
      echo.received.length = 0;
      void echo.send(bytes, { port: from.port });
    };
    const backend = { name: "a", member: `"127.0.0.1:${echo.address.port}"`, ports: new Map() };
    await using balancer = await startUdpProgram(engine, {
      backends: [{ ...backend, [Symbol.dispose]: () => {} }],
    });
    using client = new UdpPeer();
    for (const size of [0, 1, 1_472, 1_473, 9_000, 65_506, 65_507]) {
      const sent = crypto.getRandomValues(new Uint8Array(size));
      await client.send(sent, balancer);
      assert.deepEqual((await client.next()).bytes, sent);
    }
    const [session, ...others] = await balancer.sessions();
    assert.equal(others.length, 0);
    assert.equal(session?.bytes_in, session?.bytes_out);
  },
);

onEachEngine(
  "a stranger can neither answer in a backend's place nor speak for a client",
  async (engine) => {
    using backend = startNamedUdp("a");
    await using balancer = await startUdpProgram(engine, { backends: [backend] });
    using client = new UdpClient(balancer.port);
    assert.equal(await client.ask("one"), "a one");
    const [upstream = 0] = backend.ports.keys();
    using stranger = new UdpPeer();
    for (let i = 0; i < 20; i++) await stranger.send("forged answer", { port: upstream });
    assert.equal(await client.ask("two"), "a two");
    assert.deepEqual([...backend.ports], [[upstream, 2]]);
  },
);

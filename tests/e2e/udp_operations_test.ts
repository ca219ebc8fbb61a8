// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Flows through reloads, the hands of an operator and the end of the program. */

import assert from "node:assert/strict";
import { onEachEngine } from "../support/engines.ts";
import { freePort } from "../support/ports.ts";
import { startNamedUdpBackend, udpAt, type UdpBackend, UdpClient } from "../support/udp.ts";
import { startUdpProgram } from "../support/udp_program.ts";

/** From where its flows come: a port each. */
function portsOf({ received }: UdpBackend): Set<number> {
  return new Set(received.map(({ from }) => from));
}

/** As sessions name it. */
function nameOf({ port }: UdpClient): string {
  return `127.0.0.1:${port}`;
}

onEachEngine(
  "reloads keep the flows that there are, from the same ports to the same backends; new ones go by the new configuration",
  async (engine) => {
    using a = startNamedUdpBackend("a");
    using b = startNamedUdpBackend("b");
    using c = startNamedUdpBackend("c");
    await using balancer = await startUdpProgram(engine, { backends: { a } });
    const clients: UdpClient[] = [];
    const begin = async (backend: string): Promise<void> => {
      for (let i = 0; i < 8; i++) {
        const client = new UdpClient(balancer.address);
        clients.push(client);
        assert.equal(await client.ask("begin"), `${backend}:begin`);
      }
    };
    const allGoOn = async (): Promise<void> => {
      for (const [i, client] of clients.entries()) {
        assert.equal(await client.ask("on"), `${"abc"[Math.floor(i / 8)]}:on`);
      }
    };
    await begin("a");
    for (const [i, [name, backend]] of Object.entries({ b, c }).entries()) {
      await balancer.write({ backends: { [name]: backend } });
      await balancer.reload(i + 2);
      await allGoOn();
      await begin(name);
    }
    await allGoOn();
    // One port for each flow, from its beginning on.
    for (const backend of [a, b, c]) assert.equal(portsOf(backend).size, 8);
    assert.equal((await balancer.sessions()).length, 24);
    for (const client of clients) client[Symbol.dispose]();
  },
);

onEachEngine(
  "a generation that was replaced is drained when its flows have been silent for idle_timeout",
  async (engine) => {
    using a = startNamedUdpBackend("a");
    using b = startNamedUdpBackend("b");
    await using balancer = await startUdpProgram(engine, { backends: { a }, listener: "idle_timeout: 1s" });
    using client = new UdpClient(balancer.address);
    assert.equal(await client.ask("begin"), "a:begin");
    await balancer.write({ backends: { b }, listener: "idle_timeout: 1s" });
    await balancer.reload(2);
    await balancer.command.sees(/ session .* backend=a .* end=done\n/);
    await balancer.command.sees(/ generation_drained generation=1\b/);
    assert.equal(await client.ask("again"), "b:again");
  },
);

onEachEngine(
  "a listener that is gone from the configuration serves the flows that it has, and begins none, until it is back",
  async (engine) => {
    using a = startNamedUdpBackend("a");
    using b = startNamedUdpBackend("b");
    await using balancer = await startUdpProgram(engine, { backends: { a } });
    using client = new UdpClient(balancer.address);
    assert.equal(await client.ask("begin"), "a:begin");
    const port = freePort();
    await balancer.write({ backends: { a }, port });
    await balancer.reload(2);
    using late = new UdpClient(balancer.address);
    await late.send("too late");
    for (let i = 0; i < 5; i++) assert.equal(await client.ask(`${i}`), `a:${i}`);
    using next = new UdpClient(udpAt(port));
    assert.equal(await next.ask("begin"), "a:begin");
    assert.deepEqual(
      (await balancer.sessions()).map((it) => it.client).sort(),
      [nameOf(client), nameOf(next)].sort(),
    );
    // It comes back: its flows stay where they are, and others begin beside them.
    await balancer.write({ backends: { b } });
    await balancer.reload(3);
    for (let i = 0; i < 16; i++) {
      assert.equal(await client.ask(`${i}`), `a:${i}`);
      using other = new UdpClient(balancer.address);
      assert.equal(await other.ask("begin"), "b:begin");
    }
    assert.equal(portsOf(a).size, 2);
  },
);

onEachEngine(
  "an operator sees flows, ends one, and takes backends out of the rotation",
  async (engine) => {
    using a = startNamedUdpBackend("a");
    using b = startNamedUdpBackend("b");
    await using balancer = await startUdpProgram(engine, { backends: { a, b } });
    using one = new UdpClient(balancer.address);
    using two = new UdpClient(balancer.address);
    assert.deepEqual([await one.ask("begin"), await two.ask("begin")], ["a:begin", "b:begin"]);
    const [listed, ...others] = await balancer.sessions(`&client=${nameOf(one)}`);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [listed?.listener, listed?.pool, listed?.backend, listed?.bytes_in, listed?.bytes_out],
      ["game", "game", "a", 5, 7],
    );

    // Draining keeps the flow, and begins none there.
    await balancer.api("/api/pools/game/backends/a/drain", "POST");
    assert.equal(await one.ask("still"), "a:still");
    for (let i = 0; i < 4; i++) {
      using other = new UdpClient(balancer.address);
      assert.equal(await other.ask("new"), "b:new");
    }

    // The next datagram of a client whose flow was ended begins another one.
    await balancer.api(`/api/sessions/${listed?.id}/kill`, "POST");
    await balancer.command.sees(/ session .* backend=a .* end=killed\n/);
    assert.equal(await one.ask("again"), "b:again");

    await balancer.api("/api/pools/game/backends/a/enable", "POST");
    await balancer.api("/api/pools/game/backends/b/disable", "POST");
    using last = new UdpClient(balancer.address);
    assert.equal(await last.ask("begin"), "a:begin");

    const { status, stdout } = await balancer.status();
    assert.equal(status, 0);
    assert.match(stdout, /\nPOOL game: 1 of 2 available, round_robin\n/);
    assert.match(stdout, /\nb +disabled +1 +6 /);
    await balancer.hasMetric(/^sockbal_sessions_total\{.*backend="a",end="killed"\} 1$/m);
    await balancer.hasMetric(/^sockbal_bytes_in_total\{listener="game",pool="game",backend="a"\} 15$/m);
  },
);

onEachEngine(
  "at the end of the program flows go on until they are silent for idle_timeout, and none begins",
  async (engine) => {
    using a = startNamedUdpBackend("a");
    await using balancer = await startUdpProgram(engine, { backends: { a }, listener: "idle_timeout: 3s" });
    using client = new UdpClient(balancer.address);
    assert.equal(await client.ask("begin"), "a:begin");
    balancer.command.kill("SIGTERM");
    await balancer.command.sees(/ stopping .*\n/);
    // It says so before its workers know.
    const begins = async (): Promise<boolean> => {
      using late = new UdpClient(balancer.address);
      await late.send("late");
      assert.equal(await client.ask("on"), "a:on");
      return (await balancer.sessions()).some((it) => it.client === nameOf(late));
    };
    while (await begins());
    const flows = portsOf(a).size;
    for (let i = 0; i < 5; i++) assert.equal(await begins(), false);
    await balancer.command.sees(/ session .* end=done\n/);
    const { status, stderr } = await balancer.command.finished;
    assert.equal(status, 0);
    assert.match(stderr, / stopped closed_sessions=0\n$/);
    assert.equal(portsOf(a).size, flows);
  },
);

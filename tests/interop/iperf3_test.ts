/** iperf3 through a balancer: its datagrams by a listener for UDP, and the connection by which it speaks of them at the same port number. */

import assert from "node:assert/strict";
import { startTestBalancer } from "../support/balancer.ts";
import { runCommand, RunningCommand } from "../support/command.ts";
import { findProgram, pathOf } from "../support/packages.ts";
import { onEachEngineWith } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";

const IPERF = await findProgram("iperf3", "iperf3");

/** What is read of its report. */
interface Report {
  readonly error?: string;
  readonly end: {
    readonly sum: { readonly packets: number; readonly lost_packets: number; readonly jitter_ms: number };
    readonly streams: readonly { readonly udp: { readonly out_of_order: number } }[];
  };
}

for (const { direction, flags } of [{ direction: "up", flags: [] }, { direction: "down", flags: ["-R"] }]) {
  onEachEngineWith(
    [IPERF],
    `iperf3 --udp sends ${direction} through a balancer, in two flows, without loss and in order`,
    async (engine) => {
      const [behind, port] = [freePort(), freePort()];
      await using server = new RunningCommand([
        pathOf(IPERF),
        ...["-s", "-B", "127.0.0.1", "-p", String(behind), "--one-off", "--forceflush"],
      ]);
      await server.sees(/Server listening/, "stdout");
      const backends = [`127.0.0.1:${behind}`];
      await using _balancer = await startTestBalancer({
        engine,
        backends,
        listener: { name: "iperf", listen: `udp:127.0.0.1:${port}` },
        otherListeners: [{ name: "iperf-tcp", listen: `127.0.0.1:${port}`, pool: "tcp" }],
        shutdownTimeout: "1s",
        otherPools: { tcp: { backends } },
      });
      // 400 datagrams a second: those of half a second fit into the buffer of a socket, however busy the machine is.
      const { stdout } = await runCommand([
        ...[pathOf(IPERF), "-c", "127.0.0.1", "-p", String(port), "-u", "-b", "400K", "-l", "250", "-t", "2"],
        ...["-P", "2", "--json", ...flags],
      ]);
      const { error, end } = JSON.parse(stdout) as Report;
      assert.equal(error, undefined);
      assert.ok(end.sum.packets >= 700, `${end.sum.packets} datagrams`);
      assert.equal(end.sum.lost_packets, 0);
      assert.ok(Number.isFinite(end.sum.jitter_ms), `jitter ${end.sum.jitter_ms} ms`);
      assert.deepEqual(end.streams.map(({ udp }) => udp.out_of_order), [0, 0]);
    },
  );
}

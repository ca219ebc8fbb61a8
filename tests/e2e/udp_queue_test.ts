/** The queue of a pool whose backends are full of flows. */

import assert from "node:assert/strict";
import { startTestBalancer, until } from "../support/balancer.ts";
import { text } from "../support/bytes.ts";
import { onEachEngine } from "../support/engines.ts";
import { startNamedUdpBackend, udpAt, UdpClient } from "../support/udp.ts";

onEachEngine("a flow waits in line while all backends are full, and keeps its datagrams", async (engine) => {
  using a = startNamedUdpBackend("a");
  await using balancer = await startTestBalancer({
    engine,
    workers: 1,
    backends: [{ address: a.address, max_connections: 1 }],
    pool: { queue: { size: 1, timeout: "60s" } },
    listener: { listen: "udp:127.0.0.1:0" },
    shutdownTimeout: "0s",
  });
  const { generations } = balancer.balancer;
  const address = udpAt(balancer.port);
  using first = new UdpClient(address);
  using second = new UdpClient(address);
  using third = new UdpClient(address);
  assert.equal(await first.ask("1"), "a:1");
  await second.send("1");
  await second.send("2");
  await until(() => balancer.queued() === 1, "it waits");
  await third.send("1");
  assert.equal((await balancer.recordOf(third.port)).end, "queue_full");
  const [held] = await generations.sessions(1, { client: `127.0.0.1:${first.port}` });
  assert.ok(held !== undefined && await generations.endSession(held.id, "killed"));
  assert.deepEqual([text(await second.receive()), text(await second.receive())], ["a:1", "a:2"]);
  assert.equal(balancer.active(0), 1);
});

/** A worker of one kind that hangs at a reload, beside workers of another kind. */

import assert from "node:assert/strict";
import { startNamedBackend } from "../support/backend.ts";
import { startTestBalancer, type TestBalancerOptions, testConfig } from "../support/balancer.ts";
import { readExactly } from "../support/bytes.ts";
import { onEachEngine } from "../support/engines.ts";
import { startNamedUdpBackend, udpAt, UdpClient } from "../support/udp.ts";

onEachEngine(
  "a worker for connections that hangs at a reload does not keep datagrams from the next workers",
  async (engine) => {
    await using web = startNamedBackend("web");
    using before = startNamedUdpBackend("before");
    using after = startNamedUdpBackend("after");
    const options = (dns: string, ports = [0, 0]): TestBalancerOptions => ({
      engine,
      workers: 1,
      backends: [web.member],
      listener: { listen: `127.0.0.1:${ports[0]}` },
      otherListeners: [{ name: "dns", listen: `udp:127.0.0.1:${ports[1]}`, pool: "dns" }],
      otherPools: { dns: { backends: [dns] } },
      shutdownTimeout: "500ms",
    });
    using channel = closing(new BroadcastChannel("stubborn_crew_worker"));
    const [held, closed] = [Promise.withResolvers<string>(), Promise.withResolvers<void>()];
    channel.onmessage = ({ data: { from, says } }) => {
      if (from === undefined) return;
      // The first worker is the one for connections.
      if (says === "closed" && from === "data-plane-0") return held.resolve(from);
      channel.postMessage({ to: from, order: "go" });
      if (says === "closed") closed.resolve();
    };
    await using balancer = await startTestBalancer({
      ...options(before.address),
      workerEntry: import.meta.resolve("../support/workers/stubborn_crew_worker.ts"),
      patience: { listenMs: 20_000, closeMs: 20_000, hangMs: 30_000 },
    });
    // With a session it does not end by itself.
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    await readExactly(conn, 1);
    const address = udpAt(balancer.ports[1] ?? assert.fail());
    using old = new UdpClient(address);
    assert.equal(await old.ask("1"), "before:1");
    const reloading = balancer.balancer.reload(testConfig(options(after.address, [...balancer.ports])));
    const [worker] = await Promise.all([held.promise, closed.promise]);
    using young = new UdpClient(address);
    assert.equal(await young.ask("1"), "after:1");
    assert.equal(await old.ask("2"), "before:2");
    channel.postMessage({ to: worker, order: "go" });
    assert.equal(await reloading, "replaced");
  },
);

function closing(channel: BroadcastChannel): BroadcastChannel & Disposable {
  return Object.assign(channel, { [Symbol.dispose]: () => channel.close() });
}

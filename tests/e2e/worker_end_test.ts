/** What the peers of a session see when its worker is no more: part of an answer is not to look like all of it. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { bytes, readExactly, text } from "../support/bytes.ts";
import { startTestBalancer, testConfig } from "../support/balancer.ts";
import { onEachEngine, readUntilCut } from "../support/engines.ts";
import { startNodeBackend } from "../support/node_backend.ts";

/** How the worker of a session ends. */
type End = "dies" | "is given up";

async function endUnderSession(engine: EngineName, how: End): Promise<void> {
  const seen = Promise.withResolvers<string>();
  const backend = await startNodeBackend((socket) => {
    socket.write("part");
    socket.resume();
    socket.once("end", () => seen.resolve("end")).once("error", (error) => seen.resolve(String(error)));
  });
  const orders = new BroadcastChannel("stubborn_end_worker");
  let isOld = true;
  // The old worker is not let answer that it accepts no more.
  orders.onmessage = ({ data: { from, says } }) => {
    if (from === undefined) return;
    const isHeld = says === "closed" && isOld;
    if (isHeld) isOld = false;
    orders.postMessage({ to: from, order: isHeld ? "hold" : "go" });
  };
  const options = { engine, backends: [`127.0.0.1:${backend.port}`], workers: 1, shutdownTimeout: "500ms" };
  {
    await using balancer = await startTestBalancer({
      ...options,
      workerEntry: import.meta.resolve("../support/workers/stubborn_end_worker.ts"),
      patience: { listenMs: 20_000, closeMs: 100, hangMs: 300 },
    });
    using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    await writeAll(client, bytes("question"));
    assert.equal(text(await readExactly(client, 4)), "part");
    if (how === "dies") orders.postMessage({ to: "data-plane-0", order: "die" });
    else {
      const listener = { listen: `127.0.0.1:${balancer.port}`, idle_timeout: "1m" };
      const config = { ...testConfig({ ...options, listener }), shutdownTimeoutMs: 500 };
      assert.equal(await balancer.balancer.reload(config), "replaced");
    }
    assert.equal(text(await readUntilCut(client, engine)), "");
    assert.match(await seen.promise, engine === "epoll" ? /ECONNRESET/ : /^end$/);
    const { fields } = await balancer.log.waitFor("worker_died");
    assert.equal(fields.sessions, 1);
    isOld = false;
  }
  orders.close();
  await backend.stop();
}

for (const how of ["dies", "is given up"] as const) {
  onEachEngine(
    `the client and the backend of a worker that ${how} see a reset where that can be told`,
    (engine) => endUnderSession(engine, how),
  );
}

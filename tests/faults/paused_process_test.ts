// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** A balancer whose process stands still for a while: SIGSTOP, or a machine that was paused. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend } from "../support/backend.ts";
import { bytes, readExactly, text } from "../support/bytes.ts";
import { RunningCommand, sockbalOn } from "../support/command.ts";
import { onEachEngine } from "../support/engines.ts";
import { refusedPort } from "../support/ports.ts";

onEachEngine(
  "a pause that is longer than every timeout cuts no session, and takes no backend down",
  async (engine) => {
    const backend = startBackend(async (conn) => {
      const buffer = new Uint8Array(64);
      for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
        await writeAll(conn, buffer.subarray(0, n));
      }
    });
    const file = await Deno.makeTempFile({ suffix: ".yaml" });
    const port = refusedPort();
    await Deno.writeTextFile(
      file,
      `listeners: [{ listen: "127.0.0.1:${port}", pool: p, idle_timeout: 2s, half_close_timeout: 2s }]
pools:
  p:
    backends: ["${backend.address}"]
    health_check: { interval: 200ms, timeout: 500ms, fall: 1 }
`,
    );
    await using balancer = new RunningCommand([...sockbalOn(engine), "--role", "balancer", "--config", file]);
    await balancer.sees(/ ready /);
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
    );
    for (const client of clients) {
      await writeAll(client, bytes("before"));
      assert.equal(text(await readExactly(client, 6)), "before");
    }
    balancer.kill("SIGSTOP");
    // These arrive while nothing runs.
    for (const client of clients) await writeAll(client, bytes("during"));
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    balancer.kill("SIGCONT");
    for (const client of clients) {
      assert.equal(text(await readExactly(client, 6)), "during");
      await writeAll(client, bytes("after!"));
      assert.equal(text(await readExactly(client, 6)), "after!");
    }
    for (const client of clients) client.close();
    balancer.kill("SIGTERM");
    const { stderr } = await balancer.finished;
    assert.doesNotMatch(stderr, /idle_timeout|half_close_timeout|backend_down/);
    assert.equal(stderr.match(/ end=done\n/g)?.length, 20);
    await backend.stop();
    await Deno.remove(file);
  },
);

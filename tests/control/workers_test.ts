// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend } from "../support/backend.ts";
import { startTestBalancer, type TestBalancer, testConfig } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";
import { refusedPort } from "../support/ports.ts";
import { startUdpEcho, UdpPeer } from "../support/udp.ts";
import { memoryLog } from "../support/memory_log.ts";
import { startBalancer } from "../../lib/control/balancer.ts";
import { RunError } from "../../lib/core/errors.ts";
import { ask, bytes, readAll, readExactly, text } from "../support/bytes.ts";

function echoBackend(): ReturnType<typeof startBackend> {
  return startBackend(async (conn) => {
    await writeAll(conn, await readAll(conn));
  });
}

/** Echoes what one client sends. */
function startUnixBackend(path: string): { stop(): Promise<void> } {
  const listener = Deno.listen({ transport: "unix", path });
  const serving = (async () => {
    for await (const conn of listener) {
      await writeAll(conn, await readAll(conn));
      conn.close();
    }
  })();
  return {
    stop: async () => {
      listener.close();
      await serving;
    },
  };
}

/** All that the worker of the test tries. */
const FORBIDDEN = [
  "dial",
  "listen",
  "take datagrams",
  "send datagrams",
  "read",
  "write",
  "env",
  "run",
  "sys",
];

async function assertAllRefused({ log }: TestBalancer): Promise<void> {
  await log.waitFor("attempted", (fields) => fields.what === "sys");
  const outcomes = log.events.filter((it) => it.event === "attempted").map((it) => it.fields);
  assert.deepEqual(outcomes, FORBIDDEN.map((what) => ({ what, outcome: "NotCapable" })));
}

onEachEngine(
  "the runtime refuses a worker every dial, port, file, variable and command that is not its own",
  async (engine) => {
    const backend = echoBackend();
    await using balancer = await startTestBalancer({
      engine,
      backends: [backend.address],
      workers: 1,
      workerEntry: import.meta.resolve("../support/workers/nosy_worker.ts"),
    });
    await assertAllRefused(balancer);
    assert.equal(text(await ask(balancer.port, bytes("and it works"))), "and it works");
    await backend.stop();
  },
);

onEachEngine("a worker with Unix sockets is refused every path that is not its own", async (engine) => {
  const folder = await Deno.makeTempDir();
  const backend = startUnixBackend(`${folder}/backend.sock`);
  using _other = Deno.listen({ transport: "unix", path: `${folder}/other.sock` });
  await Deno.writeTextFile(`${folder}/file`, "precious");
  const path = `${folder}/web.sock`;
  {
    await using balancer = await startTestBalancer({
      engine,
      backends: [`unix:${folder}/backend.sock`],
      listener: { listen: `unix:${path}`, mode: "0660", group: Deno.gid() },
      workers: 1,
      workerEntry: import.meta.resolve("../support/workers/nosy_unix_worker.ts"),
    });
    await balancer.log.waitFor("attempted", (fields) => fields.what === "read the groups");
    const outcomes = balancer.log.events.filter((it) => it.event === "attempted").map((it) => it.fields);
    assert.equal(outcomes.length, 9);
    for (const { what, outcome } of outcomes) assert.equal(outcome, "NotCapable", String(what));
    using conn = await Deno.connect({ transport: "unix", path });
    await writeAll(conn, bytes("and it works"));
    await conn.closeWrite();
    assert.equal(text(await readAll(conn)), "and it works");
  }
  await backend.stop();
  assert.equal(await Deno.readTextFile(`${folder}/file`), "precious");
  await Deno.remove(folder, { recursive: true });
});

onEachEngine(
  "the runtime refuses a worker for datagrams the same, and every address that is no client's and no backend's",
  async (engine) => {
    using backend = startUdpEcho();
    await using balancer = await startTestBalancer({
      engine,
      backends: [`127.0.0.1:${backend.address.port}`],
      listener: { listen: "udp:127.0.0.1:0", allow: ["127.3.0.0/16"], idle_timeout: "1s" },
      workers: 1,
      workerEntry: import.meta.resolve("../support/workers/nosy_worker.ts"),
    });
    await assertAllRefused(balancer);
    using client = new UdpPeer("127.3.0.1");
    await client.send("and it works", balancer);
    assert.equal(await client.nextText(), "and it works");
  },
);

onEachEngine(
  "a worker that dies is replaced, the other's sessions go on, and its slots are given back",
  async (engine) => {
    const backend = startBackend(async (conn) => {
      await writeAll(conn, bytes("!"));
      await writeAll(conn, await readAll(conn));
    });
    await using balancer = await startTestBalancer({
      engine,
      backends: [backend.address],
      workers: 2,
      workerEntry: import.meta.resolve("../support/workers/mortal_worker.ts"),
    });
    const clients = await Promise.all(
      Array.from({ length: 40 }, () => Deno.connect({ hostname: "127.0.0.1", port: balancer.port })),
    );
    for (const client of clients) await readExactly(client, 1);
    assert.equal(balancer.active(0), 40);

    const orders = new BroadcastChannel("mortal_worker");
    orders.postMessage("data-plane-1");
    const { fields } = await balancer.log.waitFor("worker_died");
    assert.equal(fields.worker, 1);
    assert.equal(fields.reason, "told to die");
    assert.equal(fields.restart_in_ms, 50);
    assert.equal(fields.sessions, 40 - balancer.active(0));
    await balancer.log.waitFor("worker_restarted");
    orders.close();

    const echoes = await Promise.all(clients.map(async (client) => {
      try {
        await writeAll(client, bytes("still there?"));
        await client.closeWrite();
        return text(await readAll(client));
      } catch {
        return "lost";
      }
    }));
    const survivors = echoes.filter((echo) => echo === "still there?").length;
    const records = await balancer.waitForRecords(survivors);
    assert.ok(records.every((record) => record.end === "done"));
    assert.equal(balancer.active(0), 0);
    for (let i = 0; i < 20; i++) assert.equal(text(await ask(balancer.port, bytes("again"))), "!again");
    for (const client of clients) client.close();
    await backend.stop();
  },
);

Deno.test("a port that is taken is named, and nothing is left running", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const config = testConfig({
    backends: [`127.0.0.1:${refusedPort()}`],
    listener: { listen: `127.0.0.1:${taken.addr.port}` },
  });
  await assert.rejects(startBalancer({ config, log: memoryLog().log }), (error: unknown) => {
    assert.ok(error instanceof RunError);
    const { port } = taken.addr;
    assert.equal(
      error.message,
      `cannot listen on 127.0.0.1:${port}: port ${port} is in use, by another program or by another listener`,
    );
    return true;
  });
  taken.close();
});

onEachEngine("host names in addresses are resolved before the data plane starts", async (engine) => {
  const backend = echoBackend();
  await using balancer = await startTestBalancer({
    engine,
    backends: [`localhost:${backend.port}`],
    listener: { listen: "localhost:0" },
  });
  assert.match(balancer.balancer.addresses[0] ?? "", /^(127\.0\.0\.1|\[::1\]):\d+$/);
  assert.equal(text(await ask(balancer.port, bytes("hi"))), "hi");
  await backend.stop();
});

Deno.test("the name of a listener that does not exist is named in one sentence", async () => {
  const config = testConfig({ backends: ["127.0.0.1:80"], listener: { listen: "no-such-host.invalid:0" } });
  await assert.rejects(startBalancer({ config, log: memoryLog().log }), {
    name: "RunError",
    message: /^cannot resolve the name "no-such-host.invalid": /,
  });
});

onEachEngine(
  "a worker that cannot be replaced yet is replaced when it can be, and all others go on",
  async (engine) => {
    const backend = echoBackend();
    await using balancer = await startTestBalancer({
      engine,
      backends: [backend.address],
      workers: 2,
      workerEntry: import.meta.resolve("../support/workers/mortal_worker.ts"),
    });
    let refusals = 0;
    const { openFiles } = balancer.balancer;
    const check = openFiles.check.bind(openFiles);
    openFiles.check = (workers, listeners) => {
      if (++refusals <= 1) throw new RunError("not enough open files to start a worker");
      check(workers, listeners);
    };
    const orders = new BroadcastChannel("mortal_worker");
    orders.postMessage("data-plane-1");
    const { fields } = await balancer.log.waitFor("worker_not_restarted");
    assert.deepEqual([fields.worker, fields.reason], [1, "not enough open files to start a worker"]);
    assert.equal(text(await ask(balancer.port, bytes("served"))), "served");
    await balancer.log.waitFor("worker_restarted");
    assert.equal(text(await ask(balancer.port, bytes("again"))), "again");
    orders.close();
    await backend.stop();
  },
);

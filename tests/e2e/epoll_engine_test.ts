// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What sessions on the engine epoll have, and those on the runtime's sockets cannot have. */

import assert from "node:assert/strict";
import { connect as connectSocket } from "node:net";
import { once } from "node:events";
import { writeAll } from "../../lib/core/connection.ts";
import {
  startBackend,
  startNamedBackend,
  startResettingBackend,
  startSilentBackend,
  visit,
} from "../support/backend.ts";
import { localPort, startTestBalancer } from "../support/balancer.ts";
import { bytes, pattern, readExactly, text } from "../support/bytes.ts";
import { RunningCommand } from "../support/command.ts";

const engine = "epoll";
const ignore = Deno.build.os !== "linux";

Deno.test({
  name: "a client that resets while its backend is dialled is noticed at once, though it has sent something",
  ignore,
  fn: async () => {
    const silent = await startSilentBackend();
    await using balancer = await startTestBalancer({
      engine,
      backends: [silent.address],
      pool: { dial_timeout: "1m" },
    });
    const client = connectSocket({ host: "127.0.0.1", port: balancer.port });
    await once(client, "connect");
    const port = client.localPort ?? assert.fail();
    await new Promise((resolve) => client.write("hello", resolve));
    client.resetAndDestroy();
    const record = await balancer.recordOf(port);
    assert.equal(record.end, "client_reset");
    assert.ok(record.duration_ms < 30_000);
    assert.equal(balancer.active(0), 0);
    silent.stop();
  },
});

Deno.test({
  name: "a client that only writes hears at once that its backend has gone",
  ignore,
  fn: async () => {
    const resetting = await startResettingBackend("asked");
    await using balancer = await startTestBalancer({ engine, backends: [resetting.address] });
    using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    await assert.rejects(async () => {
      for (;;) {
        await writeAll(client, bytes("on and on"));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    });
    const record = await balancer.recordOf(localPort(client));
    assert.equal(record.end, "backend_reset");
    // The runtime lets the client be for half a second.
    assert.ok(record.duration_ms < 400, `it took ${record.duration_ms} ms`);
  },
});

const SLOW_READER = `
import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
s.connect(("127.0.0.1", int(sys.argv[1])))
left = int(sys.argv[2])
while left > 0:
    got = len(s.recv(min(left, 96 * 1024)))
    if got == 0: break
    left -= got
    time.sleep(0.03)
s.sendall(b"more")
print("left", left, "then", s.recv(16).decode(), flush=True)
`;

Deno.test({
  name: "a client that reads slowly what the system still holds for it is not idle",
  ignore: ignore ||
    await new Deno.Command("python3", { args: ["-V"], stdout: "null", stderr: "null" }).output()
      .then(({ success }) => !success, () => true),
  fn: async () => {
    const answer = pattern(3 * 2 ** 20);
    const backend = startBackend(async (conn) => {
      await writeAll(conn, answer);
      assert.equal(text(await readExactly(conn, 4)), "more");
      await writeAll(conn, bytes("there is"));
    });
    await using balancer = await startTestBalancer({
      engine,
      backends: [backend.address],
      listener: { idle_timeout: "500ms" },
    });
    await using reader = new RunningCommand([
      "python3",
      "-c",
      SLOW_READER,
      `${balancer.port}`,
      `${answer.length}`,
    ]);
    const { stdout } = await reader.finished;
    assert.equal(stdout.trim(), "left 0 then there is");
    const [record] = await balancer.waitForRecords(1);
    assert.ok((record?.duration_ms ?? 0) > 800, `it was over after ${record?.duration_ms} ms`);
    await backend.stop();
  },
});

Deno.test({
  name: "the death of all workers at once refuses no connection, neither by TCP nor by a Unix socket",
  ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    await using a = startNamedBackend("a");
    for (const listen of ["127.0.0.1:0", `unix:${folder}/in.sock`]) {
      await using balancer = await startTestBalancer({
        engine,
        backends: [a.member],
        listener: { listen },
        workers: 2,
        workerEntry: import.meta.resolve("../support/workers/mortal_epoll_worker.ts"),
      });
      const open = (): Promise<Deno.Conn> =>
        listen.startsWith("unix:")
          ? Deno.connect({ transport: "unix", path: `${folder}/in.sock` })
          : Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
      const orders = new BroadcastChannel("mortal_epoll_worker");
      for (const number of [0, 1]) orders.postMessage(`data-plane-${number}`);
      await balancer.log.waitFor("worker_died", () => {
        return balancer.log.events.filter((it) => it.event === "worker_died").length === 2;
      });
      orders.close();
      for (let i = 0; i < 5; i++) {
        using conn = await open();
        assert.equal(text(await readExactly(conn, 1)), "a");
      }
      await balancer.stop();
    }
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "all workers serve a Unix listener",
  ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    await using a = startNamedBackend("a");
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member],
      listener: { listen: `unix:${folder}/in.sock` },
      workers: 2,
    });
    const conns = await Promise.all(
      Array.from({ length: 200 }, () => Deno.connect({ transport: "unix", path: `${folder}/in.sock` })),
    );
    for (const conn of conns) assert.equal(text(await readExactly(conn, 1)), "a");
    for (const conn of conns) conn.close();
    const workers = new Set((await balancer.waitForRecords(200)).map(({ id }) => id.split("-")[1]));
    assert.equal(workers.size, 2);
    await balancer.stop();
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "what a worker that died had open is closed soon, so that its peers notice",
  ignore,
  fn: async () => {
    await using a = startNamedBackend("a");
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member],
      workers: 1,
      workerEntry: import.meta.resolve("../support/workers/mortal_epoll_worker.ts"),
    });
    using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    assert.equal(text(await readExactly(client, 2)), "a\n");
    const orders = new BroadcastChannel("mortal_epoll_worker");
    orders.postMessage("data-plane-0");
    await balancer.log.waitFor("worker_restarted");
    orders.close();
    assert.equal(await client.read(new Uint8Array(1)).catch(() => null), null);
    assert.equal(await visit(balancer.port), "a");
  },
});

Deno.test({
  name: "connections that come one by one and stay are shared by the workers",
  ignore,
  fn: async () => {
    await using a = startNamedBackend("a");
    await using balancer = await startTestBalancer({ engine, backends: [a.member], workers: 2 });
    const conns: Deno.Conn[] = [];
    for (let i = 0; i < 20; i++) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
      assert.equal(text(await readExactly(conn, 1)), "a");
      conns.push(conn);
    }
    for (const conn of conns) conn.close();
    const counts = new Map<string, number>();
    for (const { id } of await balancer.waitForRecords(20)) {
      const worker = id.split("-")[1] ?? "";
      counts.set(worker, (counts.get(worker) ?? 0) + 1);
    }
    const [least = 0] = [...counts.values()].sort((a, b) => a - b);
    assert.ok(counts.size === 2 && least >= 5, [...counts.values()].join());
  },
});

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Unix sockets through reloads: a path that is ours is handed over, any other is left alone. */

import assert from "node:assert/strict";
import { startNamedBackend } from "../support/backend.ts";
import { startTestBalancer, type TestBalancerOptions, testConfig, until } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";
import { readExactly, text } from "../support/bytes.ts";

async function nameAt(path: string): Promise<string> {
  using conn = await Deno.connect({ transport: "unix", path });
  return text(await readExactly(conn, 1));
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), (it) => it.name)).sort();
}

onEachEngine(
  "a Unix socket is handed over without a moment in which nobody listens, and removed when it is not wanted",
  async (engine) => {
    const folder = await Deno.makeTempDir();
    await using a = startNamedBackend("a");
    const path = `${folder}/web.sock`;
    const listener = { listen: `unix:${path}` };
    await using balancer = await startTestBalancer({ engine, backends: [a.member], listener });
    let isOver = false;
    let served = 0;
    const load = (async () => {
      while (!isOver) {
        assert.equal(await nameAt(path), "a");
        served++;
      }
    })();
    for (let i = 1; i <= 5; i++) {
      const config = testConfig({ backends: [a.member], listener: { ...listener, idle_timeout: `${i}s` } });
      assert.equal(await balancer.balancer.reload(config), "replaced");
    }
    isOver = true;
    await load;
    assert.ok(served > 5, `${served} sessions`);
    assert.deepEqual(await namesIn(folder), ["web.sock"]);
    await balancer.balancer.reload(testConfig({ backends: [a.member] }));
    assert.deepEqual(await namesIn(folder), []);
    await balancer.stop();
    await Deno.remove(folder, { recursive: true });
  },
);

onEachEngine(
  "a reload neither takes the socket of another program nor overwrites a file, and leaves its own sockets alone",
  async (engine) => {
    const folder = await Deno.makeTempDir();
    await using a = startNamedBackend("a");
    const own = `${folder}/own.sock`;
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member],
      listener: { listen: `unix:${own}` },
    });
    const other = `${folder}/other.sock`;
    const stranger = Deno.listen({ transport: "unix", path: other });
    const precious = `${folder}/precious.txt`;
    await Deno.writeTextFile(precious, "precious");
    // Where the runtime's engine makes the socket of such a path.
    const beside = `${folder}/beside.sock`;
    await Deno.writeTextFile(`${beside}.new`, "precious");
    const config = testConfig({ backends: [a.member], listener: { listen: `unix:${own}`, backlog: 7 } });
    const [web] = config.listeners;
    assert.ok(web !== undefined);
    const foreign = [other, precious, `${folder}/nowhere/x.sock`, ...(engine === "runtime" ? [beside] : [])];
    for (const path of foreign) {
      const more = { ...web, name: "more", listen: { transport: "unix", path } as const };
      await assert.rejects(
        balancer.balancer.reload({ ...config, listeners: [web, more] }),
        /cannot listen on/,
      );
      assert.equal(await nameAt(own), "a");
    }
    assert.equal(await Deno.readTextFile(precious), "precious");
    assert.equal(await Deno.readTextFile(`${beside}.new`), "precious");
    assert.deepEqual(await namesIn(folder), [
      "beside.sock.new",
      "other.sock",
      "own.sock",
      "precious.txt",
    ]);
    stranger.close();
    await balancer.stop();
    await Deno.remove(folder, { recursive: true });
  },
);

onEachEngine(
  "a socket whose file was removed comes back with a reload, also one that has nothing new for workers",
  async (engine) => {
    const folder = await Deno.makeTempDir();
    await using a = startNamedBackend("a");
    const path = `${folder}/web.sock`;
    const options = (listener = {}): TestBalancerOptions => {
      return {
        engine,
        backends: [a.member],
        listener: { listen: `unix:${path}`, mode: "0660", ...listener },
      };
    };
    await using balancer = await startTestBalancer(options());
    const before = await Deno.connect({ transport: "unix", path });
    for (const listener of [{ idle_timeout: "7s" }, { idle_timeout: "7s" }, {}]) {
      await Deno.remove(path);
      assert.equal(await balancer.balancer.reload(testConfig(options(listener))), "replaced");
      assert.equal(await nameAt(path), "a");
      assert.equal(((await Deno.lstat(path)).mode ?? 0) & 0o777, 0o660);
    }
    assert.equal(await balancer.balancer.reload(testConfig(options())), "kept");
    assert.equal(text(await readExactly(before, 1)), "a", "a session goes on");
    before.close();
    await balancer.stop();
    assert.deepEqual(await namesIn(folder), []);
    await Deno.remove(folder, { recursive: true });
  },
);

onEachEngine(
  "a path that another program has taken meanwhile is its own, and the reload says so",
  async (engine) => {
    const folder = await Deno.makeTempDir();
    await using a = startNamedBackend("a");
    const path = `${folder}/web.sock`;
    const options = { engine, backends: [a.member], listener: { listen: `unix:${path}` } };
    await using balancer = await startTestBalancer(options);
    await Deno.remove(path);
    const stranger = Deno.listen({ transport: "unix", path });
    for (const listener of [options.listener, { ...options.listener, idle_timeout: "7s" }]) {
      await assert.rejects(
        balancer.balancer.reload(testConfig({ ...options, listener })),
        /cannot listen on unix:.*: the path is in use/,
      );
    }
    await Deno.utime(path, 0, 0);
    stranger.close();
    assert.equal(await balancer.balancer.reload(testConfig(options)), "replaced");
    assert.equal(await nameAt(path), "a");
    await Deno.utime(path, 0, 0);
    assert.equal(await balancer.balancer.reload(testConfig(options)), "kept", "it is the same file");
    await balancer.stop();
    assert.deepEqual(await namesIn(folder), []);
    await Deno.remove(folder, { recursive: true });
  },
);

onEachEngine(
  "clients that wait for a place at a Unix socket are served although it is handed over",
  async (engine) => {
    const folder = await Deno.makeTempDir();
    await using a = startNamedBackend("a");
    const listener = { listen: `unix:${folder}/web.sock`, max_connections: 3 };
    const options = { engine, backends: [a.member], listener, workers: 1 };
    await using balancer = await startTestBalancer(options);
    const connect = (): Promise<Deno.UnixConn> =>
      Deno.connect({ transport: "unix", path: `${folder}/web.sock` });
    const held = [await connect(), await connect(), await connect()];
    for (const conn of held) assert.equal(text(await readExactly(conn, 1)), "a");
    const waiting = [await connect(), await connect(), await connect()];
    const config = testConfig({ ...options, listener: { ...listener, idle_timeout: "7s" } });
    const reloading = balancer.balancer.reload(config);
    await until(() => balancer.balancer.generations.started === 2, "new workers accept");
    for (const conn of held) conn.close();
    for (const conn of waiting) {
      assert.equal(text(await readExactly(conn, 1)), "a");
      conn.close();
    }
    assert.equal(await reloading, "replaced");
    await balancer.stop();
    await Deno.remove(folder, { recursive: true });
  },
);

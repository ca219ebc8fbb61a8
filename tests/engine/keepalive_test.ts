// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Keepalive as the system has it: what is set on real sockets, and what becomes of a peer that vanishes. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import {
  addressBytes,
  addressLength,
  endpointOf,
  hostCell,
  portCell,
} from "../../lib/engine/epoll/endpoint_cell.ts";
import { type Libc, openLibc } from "../../lib/engine/epoll/libc.ts";
import {
  IPPROTO_TCP,
  SO_KEEPALIVE,
  SOL_SOCKET,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_USER_TIMEOUT,
} from "../../lib/engine/epoll/linux.ts";
import { startBackend, type TestBackend } from "../support/backend.ts";
import { readAll, readExactly } from "../support/bytes.ts";
import { startTestBalancer, testConfig, until } from "../support/balancer.ts";
import { SOCKBAL_EPOLL } from "../support/command.ts";
import { Namespace, skipped } from "../support/namespace.ts";

const isLinux = Deno.build.os === "linux";

function startEcho(): TestBackend {
  return startBackend(async (conn) => {
    await writeAll(conn, await readExactly(conn, 1));
    await readAll(conn);
  });
}

/** The descriptors of this process that are connected to this port. Other test files open thousands of them meanwhile. */
function connectedTo(libc: Libc, port: number): number[] {
  const descriptors = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => Number(name));
  return descriptors.filter((fd) => {
    addressLength[0] = addressBytes.length;
    if (libc.getpeername(fd, addressBytes, addressLength) !== 0) return false;
    const peer = endpointOf(hostCell(), portCell());
    return peer.transport === "tcp" && peer.port === port;
  });
}

function option(libc: Libc, fd: number, level: number, name: number): number {
  const value = new Int32Array(1);
  assert.equal(libc.getsockopt(fd, level, name, value, new Int32Array([4])), 0);
  return value[0] ?? -1;
}

/** Whether it is on, and its times, in the units of the system. */
function keepaliveOf(libc: Libc, fd: number): number[] {
  return [
    option(libc, fd, SOL_SOCKET, SO_KEEPALIVE),
    ...[TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT].map((name) =>
      option(libc, fd, IPPROTO_TCP, name)
    ),
  ];
}

Deno.test({
  name:
    "with the engine epoll, clients and backends have the keepalive of their listener, and after a reload the new one",
  ignore: !isLinux,
  fn: async () => {
    const libc = openLibc();
    const echo = startEcho();
    const options = { engine: "epoll", backends: [echo.address], workers: 1 } as const;
    const keepalive = { idle: "7s", interval: "3s", count: 4 };
    const balancer = await startTestBalancer({ ...options, listener: { keepalive } });
    const connect = (): Promise<Deno.TcpConn> => Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    const optionsOf = async (port: number, count: number): Promise<number[][]> => {
      await until(() => connectedTo(libc, port).length === count, `${count} connections`);
      return connectedTo(libc, port).map((fd) => keepaliveOf(libc, fd));
    };
    const first = await connect();
    assert.deepEqual(await optionsOf(first.localAddr.port, 1), [[1, 7, 3, 4, 19_000]]);
    await until(() => connectedTo(libc, echo.port).some((fd) => keepaliveOf(libc, fd)[0] === 1), "it is on");
    assert.deepEqual(await optionsOf(echo.port, 1), [[1, 7, 3, 4, 19_000]]);
    first.close();

    const next = testConfig({ ...options, listener: { listen: `127.0.0.1:0`, keepalive: { idle: "0s" } } });
    await balancer.balancer.reload(next);
    const second = await connect();
    const [[isOn, , , , userTimeout] = []] = await optionsOf(second.localAddr.port, 1);
    assert.deepEqual([isOn, userTimeout], [0, 0]);
    second.close();
    await balancer.stop();
    await echo.stop();
    libc.unload();
  },
});

Deno.test({
  name:
    "with the engine runtime, clients and backends are asked for signs of life at the times of the system",
  ignore: !isLinux,
  fn: async () => {
    const libc = openLibc();
    const echo = startEcho();
    const balancer = await startTestBalancer({ engine: "runtime", backends: [echo.address], workers: 1 });
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    for (const port of [conn.localAddr.port, echo.port]) {
      const isOn = (fd: number): boolean => keepaliveOf(libc, fd)[0] === 1;
      await until(() => connectedTo(libc, port).some(isOn), `the connection to port ${port} has it`);
    }
    conn.close();
    await balancer.stop();
    await echo.stop();
    libc.unload();
  },
});

Deno.test({
  name: "a Unix socket has no keepalive, and its sessions go on without",
  ignore: !isLinux,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/in.sock`;
    const echo = startEcho();
    for (const engine of ["runtime", "epoll"] as const) {
      const balancer = await startTestBalancer({
        engine,
        backends: [echo.address],
        listener: { listen: `unix:${path}` },
      });
      const conn = await Deno.connect({ transport: "unix", path });
      await new Promise((resolve) => setTimeout(resolve, 300));
      await conn.write(new Uint8Array([1]));
      assert.equal(await conn.read(new Uint8Array(8)), 1);
      conn.close();
      await balancer.stop();
    }
    await echo.stop();
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: `a client and a backend that vanish end their sessions, after the time that keepalive says${skipped}`,
  ignore: skipped !== "",
  fn: async () => {
    await using space = await Namespace.make(`
      mount -t tmpfs none /run
      ip netns add peer
      ip link add here type veth peer name there
      ip link set there netns peer
      ip address add 10.9.9.1/24 dev here
      ip link set here up
      ip netns exec peer ip link set lo up
      ip netns exec peer ip address add 10.9.9.2/24 dev there
      ip netns exec peer ip link set there up`);
    const server = ["--role", "server", "--listen"];
    await using near = space.sockbal(...server, "127.0.0.1:8001");
    await using far = space.start([
      "ip",
      "netns",
      "exec",
      "peer",
      ...SOCKBAL_EPOLL,
      ...server,
      "10.9.9.2:8001",
    ]);
    await near.sees(/ ready /);
    await far.sees(/ ready /);
    const folder = await Deno.makeTempDir();
    const file = `${folder}/balancer.yaml`;
    const keepalive = "{ idle: 1s, interval: 1s, count: 2 }";
    await Deno.writeTextFile(
      file,
      `listeners:
  - { name: near, listen: 10.9.9.1:9000, pool: near, keepalive: ${keepalive} }
  - { name: far, listen: 127.0.0.1:9001, pool: far, keepalive: ${keepalive} }
pools: { near: { backends: [127.0.0.1:8001] }, far: { backends: [10.9.9.2:8001] } }
workers: 1
engine: epoll
`,
    );
    await using balancer = space.start([...SOCKBAL_EPOLL, "--role", "balancer", "--config", file]);
    await balancer.sees(/ ready .*engine=epoll/);
    // A pipe that is opened for both sides never ends.
    const client = (name: string, address: string): string =>
      `mkfifo '${folder}/${name}'; exec 0<>'${folder}/${name}'; echo hi >&0; ` +
      `exec '${SOCKBAL_EPOLL.join("' '")}' --role client --connect ${address}`;
    const peer = ["ip", "netns", "exec", "peer"];
    await using fromFar = space.start([...peer, "sh", "-c", client("a", "10.9.9.1:9000")]);
    await using fromNear = space.start(["sh", "-c", client("b", "127.0.0.1:9001")]);
    await fromFar.sees(/hi/, "stdout");
    await fromNear.sees(/hi/, "stdout");
    await space.run("ip netns exec peer ip address del 10.9.9.2/24 dev there");
    const startedMs = performance.now();
    await balancer.sees(/ session .*listener=near .*end=client_reset/);
    await balancer.sees(/ session .*listener=far .*end=backend_reset/);
    assert.ok(performance.now() - startedMs < 15_000);
    await Deno.remove(folder, { recursive: true });
  },
});

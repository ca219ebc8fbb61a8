// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What the program does for systemd: it listens with its sockets, and tells it how it goes. */

import assert from "node:assert/strict";
import { startNamedBackend, visit } from "../support/backend.ts";
import { until } from "../support/balancer.ts";
import { text } from "../support/bytes.ts";
import { RunningCommand, SOCKBAL_EPOLL, sockbalOn } from "../support/command.ts";
import { onEachEngine } from "../support/engines.ts";
import { findProgram, pathOf, skipWithout } from "../support/packages.ts";
import { freePort, refusedPort } from "../support/ports.ts";
import { startUdpBackend, udpAt, UdpClient } from "../support/udp.ts";

const activate = await findProgram("systemd-socket-activate", "systemd");
const needsActivate = skipWithout(activate);

/** A socket that hears what a service manager is told. */
class Manager implements Disposable {
  readonly #socket: Deno.DatagramConn;

  constructor(path: string) {
    this.#socket = Deno.listenDatagram({ transport: "unixpacket", path });
  }

  /** The lines of the next message. */
  async told(): Promise<string[]> {
    const [message] = await this.#socket.receive();
    return text(message).split("\n");
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

async function writeConfig(folder: string, backend: string, listen: string): Promise<string> {
  const file = `${folder}/balancer.yaml`;
  await Deno.writeTextFile(
    file,
    `listeners: [${listen}]
pools: { web: { backends: ["${backend}"] } }
workers: 1
shutdown_timeout: 5s
`,
  );
  return file;
}

onEachEngine("the service manager is told of the start, of reloads and of the end", async (engine) => {
  const folder = await Deno.makeTempDir();
  await using a = startNamedBackend("a");
  const file = await writeConfig(folder, a.member.address, '{ listen: "127.0.0.1:0", pool: web }');
  // An abstract address, and a path.
  const address = engine === "epoll" ? `\0sockbal-test-${crypto.randomUUID()}` : `${folder}/notify.sock`;
  using manager = new Manager(address);
  await using balancer = new RunningCommand(
    [...sockbalOn(engine), "--role", "balancer", "--config", file, "--engine", engine],
    { env: { NOTIFY_SOCKET: address.replace("\0", "@") } },
  );
  assert.deepEqual(await manager.told(), ["READY=1", "STATUS=Serves"]);

  balancer.kill("SIGHUP");
  const [reloading, time] = await manager.told();
  assert.equal(reloading, "RELOADING=1");
  if (engine === "epoll") assert.match(time ?? "", /^MONOTONIC_USEC=\d+$/);
  assert.deepEqual(await manager.told(), ["READY=1", "STATUS=Serves"]);

  await Deno.writeTextFile(file, "listeners: nonsense\n");
  balancer.kill("SIGHUP");
  assert.equal((await manager.told())[0], "RELOADING=1");
  const [ready, status] = await manager.told();
  assert.equal(ready, "READY=1");
  assert.match(status ?? "", /^STATUS=Not reloaded: .*balancer\.yaml:1:1 pools: missing/);

  balancer.kill("SIGTERM");
  assert.deepEqual(await manager.told(), ["STOPPING=1", "STATUS=Lets sessions finish"]);
  assert.equal((await balancer.finished).status, 0);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("after a take-over the service manager is told which process is the service", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const folder = await Deno.makeTempDir();
  await using a = startNamedBackend("a");
  const file = await writeConfig(folder, a.member.address, '{ listen: "127.0.0.1:0", pool: web }');
  const admin = `admin: { listen: "unix:${folder}/admin.sock" }\n`;
  await Deno.writeTextFile(file, await Deno.readTextFile(file) + admin);
  using manager = new Manager(`${folder}/notify.sock`);
  const start = (...args: string[]): RunningCommand =>
    new RunningCommand([...SOCKBAL_EPOLL, "--role", "balancer", "--config", file, ...args], {
      env: { NOTIFY_SOCKET: `${folder}/notify.sock` },
    });
  await using first = start();
  assert.deepEqual(await manager.told(), ["READY=1", "STATUS=Serves"]);
  await using second = start("--take-over");
  assert.deepEqual(await manager.told(), [`MAINPID=${second.pid}`, "READY=1", "STATUS=Serves"]);
  assert.equal((await first.finished).status, 0);
  second.kill("SIGTERM");
  assert.deepEqual((await manager.told())[0], "STOPPING=1", "the first has said nothing of that kind");
  await second.finished;
  await Deno.remove(folder, { recursive: true });
});

/** Runs a program with the same sockets twice, as a service manager does; says on stderr which process it is. */
const TWICE = `for run in 1 2; do bash -c 'echo "process $$" >&2; LISTEN_PID=$$ exec "$@"' run "$@"; done`;

Deno.test(
  `with the sockets of systemd a restart loses no connection${needsActivate.why}`,
  needsActivate,
  async () => {
    const folder = await Deno.makeTempDir();
    await using a = startNamedBackend("a");
    const [port, unused, local] = [refusedPort(), refusedPort(), `${folder}/in.sock`];
    const file = await writeConfig(
      folder,
      a.member.address,
      `{ listen: "127.0.0.1:${port}", pool: web }, { listen: "unix:${local}", pool: web }`,
    );
    await using manager = new RunningCommand([
      ...[pathOf(activate), "--fdname=web:local:unused"],
      ...["-l", `127.0.0.1:${port}`, "-l", local, "-l", `127.0.0.1:${unused}`],
      ...["bash", "-c", TWICE, "twice", ...SOCKBAL_EPOLL, "--role", "balancer", "--config", file],
    ]);
    await manager.sees(/Listening on .* as 5/);
    // It begins with the first one who comes.
    const begun = visit(port);
    await manager.sees(
      new RegExp(` socket_not_used address=127\\.0\\.0\\.1:${unused} name=unused reason=`),
    );
    assert.equal(await begun, "a");

    let answered = 0;
    let isStopped = false;
    const clients = Array.from({ length: 4 }, async () => {
      for (; !isStopped; answered++) assert.equal(await visit(port), "a");
    });
    await until(() => answered > 20, "some have been answered");
    const [, first] = await manager.sees(/process (\d+)/);
    Deno.kill(Number(first), "SIGTERM");
    const [, second] = await manager.sees(/ stopped closed_sessions=0[^]*process (\d+)/);
    const before = answered;
    await manager.sees(/ stopped [^]* ready /);
    await until(() => answered > before + 20, "more have been answered");
    isStopped = true;
    await Promise.all(clients);
    using conn = await Deno.connect({ transport: "unix", path: local });
    conn.close();
    Deno.kill(Number(second), "SIGTERM");
    assert.equal((await manager.finished).status, 0);
    assert.ok((await Deno.lstat(local)).isSocket, "its file is the service manager's");
    await Deno.remove(folder, { recursive: true });
  },
);

Deno.test(
  `with the sockets of systemd a restart loses no datagram${needsActivate.why}`,
  needsActivate,
  async () => {
    const folder = await Deno.makeTempDir();
    using backend = startUdpBackend((datagram) => [datagram]);
    const port = freePort();
    const listener = `{ listen: "udp:127.0.0.1:${port}", pool: web, responses: 1 }`;
    const file = await writeConfig(folder, backend.address, listener);
    await using manager = new RunningCommand([
      ...[pathOf(activate), "--datagram", "-l", `127.0.0.1:${port}`],
      ...["bash", "-c", TWICE, "twice", ...SOCKBAL_EPOLL, "--role", "balancer", "--config", file],
    ]);
    await manager.sees(/Listening on .* as 3/);
    let isStopped = false;
    const clients = Array.from({ length: 4 }, async (_, name) => {
      for (let i = 0; !isStopped; i++) {
        using client = new UdpClient(udpAt(port));
        assert.equal(await client.ask(`${name}:${i}`), `${name}:${i}`);
      }
    });
    const [, first] = await manager.sees(/process (\d+)[^]* ready /);
    await until(() => backend.received.length > 20, "some have been answered");
    Deno.kill(Number(first), "SIGTERM");
    const [, second] = await manager.sees(/ stopped [^]*process (\d+)[^]* ready /);
    const before = backend.received.length;
    await until(() => backend.received.length > before + 20, "more have been answered");
    isStopped = true;
    await Promise.all(clients);
    Deno.kill(Number(second), "SIGTERM");
    await manager.finished;
    await Deno.remove(folder, { recursive: true });
  },
);

Deno.test(
  `the engine runtime says that it cannot use the sockets of systemd${needsActivate.why}`,
  needsActivate,
  async () => {
    const folder = await Deno.makeTempDir();
    await using a = startNamedBackend("a");
    const file = await writeConfig(folder, a.member.address, '{ listen: "127.0.0.1:0", pool: web }');
    const port = refusedPort();
    await using manager = new RunningCommand([
      ...[pathOf(activate), "-l", `127.0.0.1:${port}`],
      ...[...sockbalOn("runtime"), "--role", "balancer", "--config", file],
    ]);
    await manager.sees(/Listening on/);
    using _first = await Deno.connect({ hostname: "127.0.0.1", port });
    await manager.sees(/ sockets_not_used sockets=1 reason="the engine runtime cannot use sockets/);
    manager.kill("SIGTERM");
    await manager.finished;
    await Deno.remove(folder, { recursive: true });
  },
);

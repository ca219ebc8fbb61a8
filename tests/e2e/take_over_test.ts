// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** One process takes the place of another, which drains: clients do not notice. */

import assert from "node:assert/strict";
import type { Status } from "../../lib/admin/status.ts";
import { askAdmin } from "../../lib/roles/ask_admin.ts";
import { beginTakeOver } from "../../lib/roles/take_over.ts";
import { chunks, writeAll } from "../../lib/core/connection.ts";
import { openLibc } from "../../lib/engine/epoll/libc.ts";
import { startBackend } from "../support/backend.ts";
import { until } from "../support/balancer.ts";
import { runCommand, RunningCommand, SOCKBAL, SOCKBAL_EPOLL } from "../support/command.ts";
import { ETCD, Etcd } from "../support/etcd.ts";
import { skipWithout } from "../support/packages.ts";
import { converse, startSteadyClients } from "../support/steady_clients.ts";
import { startUdpBackend, udpAt, UdpClient } from "../support/udp.ts";

const isLinux = { ignore: Deno.build.os !== "linux" };
const withoutEtcd = skipWithout(ETCD);

interface Setting extends AsyncDisposable {
  readonly folder: string;
  readonly config: string;
  readonly admin: string;
  /** Where the balancer listens for connections, which the system has chosen. */
  port(balancer: RunningCommand): Promise<number>;
  start(...args: string[]): RunningCommand;
}

async function setUp(more = ""): Promise<Setting> {
  const folder = await Deno.makeTempDir();
  const echo = startBackend(async (conn) => {
    for await (const chunk of chunks(conn)) await writeAll(conn, chunk);
  });
  const config = `${folder}/balancer.yaml`;
  const admin = `${folder}/admin.sock`;
  await Deno.writeTextFile(
    config,
    `listeners:
  - { name: web, listen: "127.0.0.1:0", pool: web }
  - { name: local, listen: "unix:${folder}/in.sock", pool: web }
pools: { web: { backends: ["${echo.address}"] } }
admin: { listen: "unix:${admin}" }
workers: 2
${more}`,
  );
  return {
    folder,
    config,
    admin,
    port: async (balancer) => Number((await balancer.sees(/ listening address=127\.0\.0\.1:(\d+)/))[1]),
    start: (...args) =>
      new RunningCommand([...SOCKBAL_EPOLL, "--role", "balancer", "--config", config, ...args]),
    [Symbol.asyncDispose]: async () => {
      await echo.stop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Asks the admin side who answers there. */
async function startedAt(folder: string, config: string): Promise<string> {
  const { stdout } = await runCommand([
    ...SOCKBAL,
    ...["--role", "balancer", "--config", config, "--status", "--json"],
  ], { cwd: folder });
  return JSON.parse(stdout).started_at;
}

Deno.test(
  "a chain of balancers takes over under load: nothing is refused, nothing reset, sessions go on until they end",
  isLinux,
  async () => {
    await using it = await setUp();
    await using first = it.start();
    await first.sees(/ ready /);
    const port = await it.port(first);
    const clients = startSteadyClients(port);
    using kept = await Deno.connect({ hostname: "127.0.0.1", port });
    await converse(kept, "at the first");
    using local = await Deno.connect({ transport: "unix", path: `${it.folder}/in.sock` });
    await converse(local, "at the first");
    const firstStarted = await startedAt(it.folder, it.config);
    // A process that was killed in the middle of a take-over left it behind.
    Deno.listen({ transport: "unix", path: `${it.admin}.fds` }).close();

    await using second = it.start("--take-over");
    await second.sees(/ taken_over pid=\d+ unused=0/);
    await first.sees(/ handed_over sockets=2/);
    await second.sees(/ ready /);
    assert.equal(await it.port(second), port, "the port that the system chose");
    assert.notEqual(
      await startedAt(it.folder, it.config),
      firstStarted,
      "the admin side is that of the second",
    );
    using keptToo = await Deno.connect({ hostname: "127.0.0.1", port });
    await converse(keptToo, "at the second");
    await converse(kept, "still at the first");
    await converse(local, "still at the first");

    await using third = it.start("--take-over");
    await third.sees(/ ready /);
    await second.sees(/ handed_over sockets=2/);
    const answered = clients.answered;
    await until(() => clients.answered > answered + 50, "the third has answered some");
    await converse(kept, "still at the first");
    await converse(keptToo, "still at the second");
    using late = await Deno.connect({ transport: "unix", path: `${it.folder}/in.sock` });
    await converse(late, "at the third");
    late.close();

    kept.close();
    local.close();
    keptToo.close();
    for (const balancer of [first, second]) {
      const { status, stderr } = await balancer.finished;
      assert.equal(status, 0, stderr);
      assert.match(stderr, / stopped closed_sessions=0/);
    }
    assert.deepEqual(await clients.stop(), []);
    third.kill("SIGTERM");
    assert.equal((await third.finished).status, 0);
    const left = (await Array.fromAsync(Deno.readDir(it.folder))).map(({ name }) => name);
    assert.deepEqual(left, ["balancer.yaml"], "the last one removes what it listened at");
  },
);

Deno.test(
  "a listener that is gone is closed by the balancer before, and what the operator wants comes along",
  isLinux,
  async () => {
    await using it = await setUp("state_file: state.json\n");
    await using first = it.start();
    await first.sees(/ ready /);
    const port = await it.port(first);
    const text = await Deno.readTextFile(it.config);
    await Deno.writeTextFile(
      it.config,
      text.replace(
        /name: local, listen: "unix:.*in\.sock"/,
        `name: fresh, listen: "unix:${it.folder}/fresh.sock"`,
      ),
    );
    const place = { address: { transport: "unix", path: it.admin }, token: undefined } as const;
    // Not written yet when the sockets are asked for.
    await askAdmin(place, "POST", "/api/pools/web/backends/*/drain");
    await using second = it.start("--take-over");
    await second.sees(/ taken_over pid=\d+ unused=1/);
    await second.sees(/ ready /);
    const { pools } = JSON.parse((await askAdmin(place, "GET", "/api/status")).body) as Status;
    assert.equal(pools[0]?.backends[0]?.operator, "draining");
    await askAdmin(place, "POST", "/api/pools/web/backends/*/enable");
    assert.equal((await first.finished).status, 0);
    await assert.rejects(
      Deno.connect({ transport: "unix", path: `${it.folder}/in.sock` }),
      Deno.errors.NotFound,
    );
    using fresh = await Deno.connect({ transport: "unix", path: `${it.folder}/fresh.sock` });
    await converse(fresh, "hello");
    using same = await Deno.connect({ hostname: "127.0.0.1", port });
    await converse(same, "hello");
  },
);

Deno.test(
  "the mode of a Unix socket that the next balancer says no more holds no more",
  isLinux,
  async () => {
    await using it = await setUp();
    const text = await Deno.readTextFile(it.config);
    await Deno.writeTextFile(it.config, text.replace("name: local,", 'name: local, mode: "0666",'));
    await using first = it.start();
    await first.sees(/ ready /);
    const mode = async (): Promise<number> => ((await Deno.lstat(`${it.folder}/in.sock`)).mode ?? 0) & 0o777;
    assert.equal(await mode(), 0o666);
    await Deno.writeTextFile(it.config, text);
    await using second = it.start("--take-over");
    await second.sees(/ ready /);
    assert.equal(await mode(), 0o777 & ~Deno.umask());
  },
);

Deno.test("clients of UDP are answered by the next balancer, and no datagram is lost", isLinux, async () => {
  const folder = await Deno.makeTempDir();
  using backend = startUdpBackend((datagram) => [datagram]);
  const config = `${folder}/balancer.yaml`;
  await Deno.writeTextFile(
    config,
    `listeners: [{ name: dns, listen: "udp:127.0.0.1:0", pool: dns, idle_timeout: 1s }]
pools: { dns: { backends: ["${backend.address}"] } }
admin: { listen: "unix:${folder}/admin.sock" }
workers: 2
`,
  );
  const start = (...args: string[]): RunningCommand =>
    new RunningCommand([...SOCKBAL_EPOLL, "--role", "balancer", "--config", config, ...args]);
  await using first = start();
  const port = Number((await first.sees(/ listening address=udp:127\.0\.0\.1:(\d+)/))[1]);
  await first.sees(/ ready /);
  let isStopped = false;
  const asked = Array.from({ length: 6 }, async (_, name) => {
    using client = new UdpClient(udpAt(port));
    let count = 0;
    for (; !isStopped; count++) assert.equal(await client.ask(`${name}:${count}`), `${name}:${count}`);
    return count;
  });
  await using second = start("--take-over");
  await second.sees(/ ready /);
  const before = backend.received.length;
  await until(() => backend.received.length > before + 100, "some have been answered");
  isStopped = true;
  assert.ok((await Promise.all(asked)).every((count) => count > 10));
  assert.equal((await first.finished).status, 0);
  const sources = new Set(backend.received.map(({ from }) => from));
  assert.ok(sources.size >= 12, "each client has had a flow with each of them");
  second.kill("SIGTERM");
  await second.finished;
  await Deno.remove(folder, { recursive: true });
});

Deno.test("where a take-over fails, the balancer goes on as if nothing had been", isLinux, async () => {
  await using it = await setUp();
  await using first = it.start();
  await first.sees(/ ready /);
  const port = await it.port(first);
  const clients = startSteadyClients(port, 1);
  const good = await Deno.readTextFile(it.config);
  let files = 0;
  const refused = async (
    config: string,
    status: number,
    pattern: RegExp,
    command = SOCKBAL_EPOLL,
  ): Promise<void> => {
    const file = `${it.folder}/${++files}.yaml`;
    await Deno.writeTextFile(file, config);
    const done = await runCommand([...command, "--role", "balancer", "--config", file, "--take-over"]);
    assert.match(done.stderr, pattern);
    assert.equal(done.status, status, done.stderr);
  };
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const isolated = good.replace(
    "listeners:",
    `listeners:\n  - { listen: "127.0.0.1:${taken.addr.port}", pool: web }`,
  );
  await Promise.all([
    refused(good.replace("workers: 2", "workers: many"), 2, /\d\.yaml:6:10 workers: /),
    refused(
      good.replace("admin.sock", "gone.sock"),
      1,
      /sockbal: unix:.*gone\.sock: no balancer answers there; is its admin side on\?\n$/,
    ),
    refused(
      good.replace(/unix:[^"]*admin\.sock/, "127.0.0.1:0"),
      2,
      /\d\.yaml:\d+:\d+ admin\.listen: --take-over needs the admin side at a Unix socket/,
    ),
    refused(
      good.replace(/^admin.*\n/m, ""),
      2,
      /--take-over asks the balancer that runs at its Unix socket/,
    ),
    refused(good, 2, /--take-over needs the engine epoll/, SOCKBAL),
  ]);
  // It has the sockets by then.
  await refused(isolated, 1, /listeners\[0\]\.listen: cannot listen on .*: port \d+ is in use/);

  // One that is killed when it has the sockets.
  const place = { address: { transport: "unix", path: it.admin }, token: undefined } as const;
  const killed = await beginTakeOver(place);
  await assert.rejects(beginTakeOver(place), /admin\.sock\.fds: another process takes over now/);
  const libc = openLibc();
  const descriptors = killed.given.sockets.flatMap(({ descriptors }) => descriptors);
  assert.equal(descriptors.length, 2);
  killed.close();
  for (const fd of descriptors) libc.close(fd);
  libc.unload();

  const answered = clients.answered;
  await until(() => clients.answered > answered + 20, "it still answers");
  assert.deepEqual(await clients.stop(), []);
  await using second = it.start("--take-over");
  await second.sees(/ ready /);
  assert.equal((await first.finished).status, 0);
});

Deno.test(
  "a balancer that does not answer, or cannot pass its sockets, is left as it is",
  isLinux,
  async () => {
    await using it = await setUp("engine: runtime\n");
    await using runtime = it.start();
    await runtime.sees(/ ready /);
    const { stderr, status } = await it.start("--take-over", "--engine", "epoll").finished;
    assert.match(
      stderr,
      /admin\.sock: Nothing is handed over: the engine runtime cannot pass its sockets; this needs epoll\n$/,
    );
    assert.equal(status, 1);

    using deaf = Deno.listen({ transport: "unix", path: `${it.folder}/deaf.sock` });
    const accepted = deaf.accept();
    const unanswered = await it.start(
      "--take-over",
      "--engine",
      "epoll",
      "--admin",
      `unix:${it.folder}/deaf.sock`,
    ).finished;
    assert.match(unanswered.stderr, /deaf\.sock: did not answer within 5 seconds\n$/);
    assert.equal(unanswered.status, 1);
    (await accepted).close();
  },
);

Deno.test({
  name:
    `in a fleet whose configuration is in etcd, the next balancer has the name, and changes come to it alone${withoutEtcd.why}`,
  ignore: isLinux.ignore || withoutEtcd.ignore,
  fn: async () => {
    await using etcd = new Etcd();
    await etcd.start();
    await using it = await setUp(`fleet:
  etcd: { endpoints: ["${etcd.endpoint}"], prefix: /fleet/ }
  name: lb1
  advertise: 10.0.0.1:9901
  rollout: { canary: 1, wait: 1s }
`);
    const key = "/sockbal/balancer.yaml";
    const config = await Deno.readTextFile(it.config);
    await etcd.put(key, config);
    const start = (...args: string[]): RunningCommand =>
      new RunningCommand([
        ...SOCKBAL_EPOLL,
        ...["--role", "balancer", "--config", `etcd://127.0.0.1:${etcd.port}${key}`, ...args],
      ]);
    await using first = start();
    await first.sees(/ ready /);
    using kept = await Deno.connect({ hostname: "127.0.0.1", port: await it.port(first) });
    await converse(kept, "at the first");
    await using second = start("--take-over");
    await second.sees(/ ready /);
    await first.sees(/ handed_over /);

    await etcd.put(key, `${config}shutdown_timeout: 5s\n`);
    await second.sees(/ rollout_trying /);
    await second.sees(/ rollout_passed /);
    await converse(kept, "still at the first");
    kept.close();
    const { status, stderr } = await first.finished;
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stderr, /reload|rollout/);
    second.kill("SIGTERM");
    const ended = await second.finished;
    assert.equal(ended.status, 0);
    assert.doesNotMatch(ended.stderr, /fleet_name_taken|fleet_not_left/);
  },
});

import assert from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { ask, bytes, readAll, text } from "../support/bytes.ts";
import { RunningCommand, SOCKBAL } from "../support/command.ts";
import { startUdpBackend } from "../support/udp.ts";
import { writeAll } from "../../lib/core/connection.ts";

const ignore = Deno.build.os !== "linux";

interface Thread {
  readonly name: string;
  /** 2: it has a filter of system calls. */
  readonly seccomp: string;
  readonly noNewPrivs: string;
}

/** What the system says of the threads of a process. */
async function threadsOf(pid: number): Promise<Thread[]> {
  const threads: Thread[] = [];
  for await (const { name: id } of Deno.readDir(`/proc/${pid}/task`)) {
    // Threads of the runtime come and go.
    const status = await Deno.readTextFile(`/proc/${pid}/task/${id}/status`).catch(() => undefined);
    if (status === undefined) continue;
    const value = (key: string): string => new RegExp(`^${key}:\t(.*)$`, "m").exec(status)?.[1] ?? "";
    threads.push({ name: value("Name"), seccomp: value("Seccomp"), noNewPrivs: value("NoNewPrivs") });
  }
  return threads;
}

/** The program from the source tree, with the permission for foreign functions. */
function start(config: string): RunningCommand {
  const main = SOCKBAL.at(-1) ?? "";
  const command = [...SOCKBAL.slice(0, -1), "--allow-ffi", main, "--role", "balancer", "--config", config];
  return new RunningCommand(command);
}

Deno.test({
  name: "the system says that the threads of a load are confined and the others are not",
  ignore,
  fn: async () => {
    using datagrams = startUdpBackend((datagram) => [datagram.slice()]);
    const backend = startBackend(async (conn) => {
      for await (const chunk of conn.readable) await writeAll(conn, chunk);
    });
    for (const address of [backend.address, `udp:${datagrams.address}`]) {
      const main = SOCKBAL.at(-1) ?? "";
      const load = ["--role", "client", "--connect", address, "--rate", "50", "--duration", "10m", "--csv"];
      await using client = new RunningCommand([...SOCKBAL.slice(0, -1), "--allow-ffi", main, ...load]);
      // deno-lint-ignore no-await-in-loop -- the same
      await client.sees(/^1,\d\d,0,0,0,0,0,0,/m, "stdout");
      for (const { name, seccomp, noNewPrivs } of await threadsOf(client.pid)) {
        assert.deepEqual([seccomp, noNewPrivs], name === "worker-1" ? ["2", "1"] : ["0", "0"], name);
      }
    }
    await backend.stop();
  },
});

Deno.test({
  name: "the system says that data-plane threads are confined and the others are not, also after a reload",
  ignore,
  fn: async () => {
    const [first, second] = ["one", "two"].map((name) =>
      startBackend(async (conn) => {
        await readAll(conn);
        await writeAll(conn, bytes(name));
      })
    );
    assert.ok(first !== undefined && second !== undefined);
    const config = await Deno.makeTempFile({ suffix: ".yaml" });
    const write = (backend: string): Promise<void> => {
      const lines = [
        "listeners: [{ listen: 127.0.0.1:0, pool: p }]",
        `pools: { p: { backends: ["${backend}"] } }`,
        "workers: 2",
        "confinement: required",
      ];
      return Deno.writeTextFile(config, lines.join("\n") + "\n");
    };
    await write(first.address);
    await using balancer = start(config);
    const [, port] = await balancer.sees(/listening address=127\.0\.0\.1:(\d+)/);
    await balancer.sees(/ready workers=2 engine=epoll confined=landlock,seccomp\n/);

    const assertConfined = async (): Promise<void> => {
      const threads = await threadsOf(balancer.pid);
      const isWorker = ({ name }: Thread): boolean => /^worker-\d+$/.test(name);
      const workers = threads.filter(isWorker);
      assert.equal(workers.length, 2);
      for (const worker of workers) assert.deepEqual([worker.seccomp, worker.noNewPrivs], ["2", "1"]);
      for (const other of threads.filter((it) => !isWorker(it))) {
        assert.deepEqual([other.seccomp, other.noNewPrivs], ["0", "0"], other.name);
      }
    };
    await assertConfined();
    assert.equal(text(await ask(Number(port), bytes("?"))), "one");

    await write(second.address);
    balancer.kill("SIGHUP");
    await balancer.sees(/reloaded .* workers=replaced generation=2\n/);
    await balancer.sees(/generation_drained generation=1/);
    assert.equal(text(await ask(Number(port), bytes("?"))), "two");
    await assertConfined();

    balancer.kill("SIGTERM");
    const { status, stderr } = await balancer.finished;
    assert.equal(status, 0);
    assert.doesNotMatch(stderr, /error|Uncaught|RAW/);
    await Promise.all([first.stop(), second.stop(), Deno.remove(config)]);
  },
});

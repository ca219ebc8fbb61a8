// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Signals as they reach the program in practice: through `deno task`, from a launcher, from a terminal. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend } from "../support/backend.ts";
import { bytes, readAll, readExactly, text } from "../support/bytes.ts";
import { RunningCommand, SOCKBAL, startSockbal } from "../support/command.ts";

const root = new URL("../../", import.meta.url).pathname;

Deno.test("one signal that reaches the program twice, from deno task and by itself, is one", async () => {
  const backend = startBackend(async (conn) => {
    await writeAll(conn, bytes("hello"));
    await writeAll(conn, await readAll(conn));
  });
  // A session of its own, so that the whole process group can be signalled, as a terminal does for Ctrl-C.
  const task = [Deno.execPath(), "task", "--quiet", "sockbal", "--role", "balancer"];
  await using balancer = new RunningCommand(
    ["setsid", "-w", ...task, "--listen", "127.0.0.1:0", "--backend", backend.address],
    { cwd: root },
  );
  const [, port = ""] = await balancer.sees(/listening address=127.0.0.1:(\d+)/);
  await balancer.sees(/ ready /);
  using client = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  await readExactly(client, 5);
  const { stdout } = await new Deno.Command("ps", { args: ["-eo", "pid,ppid,pgid"] }).output();
  const rows = new TextDecoder().decode(stdout).trim().split("\n").slice(1).map((row) =>
    row.trim().split(/\s+/)
  );
  const group = rows.find(([pid, parent]) => Number(parent) === balancer.pid || Number(pid) === balancer.pid)
    ?.[2];
  Deno.kill(-Number(group), "SIGINT");
  await balancer.sees(/ stopping /);
  await writeAll(client, bytes("still served"));
  await client.closeWrite();
  assert.equal(text(await readAll(client)), "still served");
  await balancer.sees(/ stopped closed_sessions=0\n/);
  await balancer.finished;
  await backend.stop();
});

Deno.test("no signal that the documents name ends a balancer, whether it has a log file or not", async () => {
  await using balancer = startSockbal(
    "-r",
    "balancer",
    "--listen",
    "127.0.0.1:0",
    "--backend",
    "127.0.0.1:9",
  );
  await balancer.sees(/ ready /);
  balancer.kill("SIGUSR2");
  await balancer.sees(/ log_not_reopened reason=.*there was no log\.file at the start/);
  balancer.kill("SIGUSR1");
  await balancer.sees(/(log_not_reopened[^]*){2}/);
  balancer.kill("SIGHUP");
  await balancer.sees(/ reload_failed reason="there is no configuration file to read again/);
  balancer.kill("SIGTERM");
  assert.equal((await balancer.finished).status, 0);
});

Deno.test("signals that come while a balancer starts wait until they can be handled", async () => {
  const folder = await Deno.makeTempDir();
  const config = `${folder}/balancer.yaml`;
  await Deno.writeTextFile(
    config,
    'listeners: [{ listen: "127.0.0.1:0", pool: web }]\n' +
      `pools: { web: { backends: ["127.0.0.1:9"] } }\nlog: { file: ${folder}/sessions.log }\n`,
  );
  await using balancer = startSockbal("--role", "balancer", "--config", config);
  await balancer.sees(/ starting /);
  for (const signal of ["SIGUSR1", "SIGUSR2", "SIGHUP"] as const) balancer.kill(signal);
  await balancer.sees(/ ready [^]* reloaded /);
  await balancer.sees(/(log_reopened[^]*){2}/);
  balancer.kill("SIGINT");
  assert.equal((await balancer.finished).status, 0);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("one signal ends a program that reads what never ends, and only a start is then done", async () => {
  const folder = await Deno.makeTempDir();
  const pipe = `${folder}/pipe`;
  assert.equal((await new Deno.Command("mkfifo", { args: [pipe] }).output()).code, 0);
  const balancer = ["--role", "balancer", "--config", pipe];
  for (
    const [args, expected] of [
      [balancer, 0],
      [[...balancer, "--check"], 1],
      [[...balancer, "--print-permissions"], 1],
      [[...balancer, "--status"], 1],
      [["--rehearse", pipe], 1],
      [["--role", "client", "--compare", pipe, pipe], 1],
    ] as const
  ) {
    await using program = startSockbal(...args);
    // Open as soon as the program reads.
    using _writer = await Deno.open(pipe, { write: true });
    program.kill("SIGTERM");
    const { status, stdout, stderr } = await program.finished;
    const said = expected === 0 ? "" : "sockbal: stopped while it was reading\n";
    assert.deepEqual([status, stdout, stderr], [expected, "", said], args.join(" "));
  }
  await using program = new RunningCommand([...SOCKBAL, ...balancer.slice(0, -1), "-", "--check"], {
    isTyped: true,
  });
  // More than a pipe holds: written as soon as the program reads.
  await program.type("# a line\n".repeat(20_000));
  program.kill("SIGTERM");
  assert.equal((await program.finished).status, 1);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a third signal ends a program that is stuck, which has then not done what was asked for", async () => {
  const folder = await Deno.makeTempDir();
  const pipe = `${folder}/pipe`;
  assert.equal((await new Deno.Command("mkfifo", { args: [pipe] }).output()).code, 0);
  await using program = new RunningCommand(
    ["sh", "-c", `exec "$@" > ${pipe}`, "sh", ...SOCKBAL, "--role", "balancer", "--print-schema"],
  );
  // What is printed is more than a pipe holds, and no one reads on.
  using output = await Deno.open(pipe);
  await output.read(new Uint8Array(1));
  for (const pauseMs of [0, 600, 600]) {
    // The same signal within half a second is taken for one.
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    program.kill("SIGTERM");
  }
  assert.equal((await program.finished).status, 1);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a second signal closes the sessions at once, and each still leaves its record", async () => {
  const backend = startBackend(async (conn) => {
    await writeAll(conn, bytes("hello"));
    await readAll(conn);
  });
  await using balancer = startSockbal(
    "-r",
    "balancer",
    "--listen",
    "127.0.0.1:0",
    "--backend",
    backend.address,
  );
  const [, port = ""] = await balancer.sees(/listening address=127.0.0.1:(\d+)/);
  await balancer.sees(/ ready /);
  const connect = (): Promise<Deno.TcpConn> => Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  const clients = await Promise.all([connect(), connect(), connect()]);
  for (const client of clients) await readExactly(client, 5);
  balancer.kill("SIGTERM");
  await balancer.sees(/ stopping /);
  // The same signal within half a second is taken for one.
  await new Promise((resolve) => setTimeout(resolve, 600));
  balancer.kill("SIGTERM");
  const { status, stderr } = await balancer.finished;
  assert.equal(status, 0);
  assert.equal(stderr.match(/ session id=.* end=shutdown\n/g)?.length, 3, stderr);
  assert.match(stderr, / stopped closed_sessions=3\n$/);
  for (const client of clients) client.close();
  await backend.stop();
});

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The ways to have a `sockbal` command, each made by its task and used from an empty folder. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend } from "../support/backend.ts";
import { ask, pattern, readAll, same } from "../support/bytes.ts";
import { runCommand, RunningCommand } from "../support/command.ts";

const isLinux = Deno.build.os === "linux";
const root = new URL("../../", import.meta.url).pathname;

async function task(name: string, env: Record<string, string> = {}): Promise<string> {
  const { status, stdout, stderr } = await runCommand([Deno.execPath(), "task", name], { cwd: root, env });
  assert.equal(status, 0, stderr);
  return stdout + stderr;
}

/** What every way has to do: balance bytes, pass signals and exit statuses through, and find its sample by itself. */
async function provesItself(command: readonly string[]): Promise<void> {
  const cwd = await Deno.makeTempDir();
  const backend = startBackend(async (conn) => {
    await writeAll(conn, await readAll(conn));
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const balancer = new RunningCommand(
      [
        ...command,
        "--role",
        "balancer",
        "--listen",
        "127.0.0.1:0",
        "--backend",
        backend.address,
        "--workers",
        "2",
      ],
      { cwd },
    );
    const [, port = ""] = await balancer.sees(/listening address=127.0.0.1:(\d+)/);
    await balancer.sees(/ ready workers=2 engine=runtime confined=permissions\n/);
    const sent = pattern(300_000);
    assert.ok(same(await ask(Number(port), sent), sent));
    balancer.kill(signal);
    const { status, stderr } = await balancer.finished;
    assert.equal(status, 0, stderr);
    assert.match(stderr, / session .* bytes_in=300000 bytes_out=300000 .* end=done\n/);
    assert.match(stderr, / stopped closed_sessions=0\n$/);
  }
  const load = [
    "--role",
    "client",
    "--connect",
    backend.address,
    "--requests",
    "3",
    "--expect",
    "eof",
    "--verify",
  ];
  const loaded = await runCommand([...command, ...load], { cwd });
  assert.deepEqual([loaded.status, loaded.stderr], [0, ""]);
  assert.match(loaded.stdout, /^requests {3}3 in /m);
  const refused = await runCommand([
    ...command,
    "--role",
    "client",
    "--connect",
    "127.0.0.1:1",
    "--message",
    "x",
  ], { cwd });
  assert.equal(refused.status, 1);
  const wrong = await runCommand([...command, "--role", "balancer", "--workres", "2"], { cwd });
  assert.deepEqual([wrong.status, wrong.stdout], [2, ""]);
  const check = await runCommand([...command, "--role", "balancer", "--check"], { cwd });
  assert.equal(check.stdout, "the built-in sample: ok (1 listener, 1 pool, 3 backends)\n");
  await provesUnixSockets(command, cwd);
  await backend.stop();
  await Deno.remove(cwd, { recursive: true });
}

/** What every way with the permission for foreign functions has to do: balance bytes with the engine epoll. */
async function provesEpoll(command: readonly string[], ...more: string[]): Promise<void> {
  const backend = startBackend(async (conn) => {
    await writeAll(conn, await readAll(conn));
  });
  const args = ["--role", "balancer", "--listen", "127.0.0.1:0", "--backend", backend.address, ...more];
  const balancer = new RunningCommand([...command, ...args]);
  const [, port = ""] = await balancer.sees(/listening address=127.0.0.1:(\d+)/);
  await balancer.sees(/ ready workers=\d+ engine=epoll confined=/);
  const sent = pattern(300_000);
  assert.ok(same(await ask(Number(port), sent), sent));
  balancer.kill("SIGTERM");
  const { status, stderr } = await balancer.finished;
  assert.equal(status, 0, stderr);
  await backend.stop();
}

/** A Unix socket on both sides needs more permissions than TCP; they must be there when they are needed. */
async function provesUnixSockets(command: readonly string[], cwd: string): Promise<void> {
  const server = new RunningCommand(
    [...command, "--role", "server", "--listen", "unix:server.sock", "--handler", "whoami", "--name", "me"],
    { cwd },
  );
  await server.sees(/ ready /);
  const balancer = new RunningCommand(
    [...command, "--role", "balancer", "--listen", "unix:balancer.sock", "--backend", "unix:server.sock"],
    { cwd },
  );
  await balancer.sees(/ ready /);
  const client = await runCommand(
    [...command, "--role", "client", "--connect", "unix:balancer.sock", "--message", "hi"],
    { cwd },
  );
  assert.deepEqual([client.status, client.stdout, client.stderr], [0, "me\n", ""]);
  for (const running of [server, balancer]) {
    running.kill("SIGTERM");
    assert.equal((await running.finished).status, 0);
  }
  const left = await Array.fromAsync(Deno.readDir(cwd));
  assert.deepEqual(left.map((entry) => entry.name), [], "socket files are left behind");
}

Deno.test("the bundle and the installed command balance, stop and fail as they should", async (t) => {
  const home = await Deno.makeTempDir();
  await task("install", { DENO_INSTALL_ROOT: home });
  await t.step("dist/sockbal.js, run by deno", async () => {
    const flags = ["--no-prompt", "--no-config", "--unstable-net", "--unstable-worker-options"];
    const permissions = ["--allow-net", "--allow-read", "--allow-write"];
    const run = [Deno.execPath(), "run", ...flags, ...permissions];
    await provesItself([...run, `${root}dist/sockbal.js`]);
    if (isLinux) await provesEpoll([...run, "--allow-ffi", `${root}dist/sockbal.js`]);
  });
  await t.step(
    "it has Latin-1 alone: of any other text V8 keeps two bytes a character, in every worker",
    async () => {
      const wide = (await Deno.readTextFile(`${root}dist/sockbal.js`)).match(/.{0,60}[^\0-\xff].{0,20}/);
      assert.equal(wide?.[0], undefined);
    },
  );
  await t.step("the command that deno task install put on the PATH", async () => {
    await provesItself([`${home}/bin/sockbal`]);
    await task("install:epoll", { DENO_INSTALL_ROOT: home });
    if (isLinux) await provesEpoll([`${home}/bin/sockbal`]);
  });
  const hasNpm = await runs("npm");
  const skipped = hasNpm ? "" : " (skipped: there is no npm; apt-get install npm)";
  await t.step({
    name: `the npm package, installed on a machine that has only Node.js${skipped}`,
    ignore: !hasNpm,
    fn: provesNpmPackage,
  });
  await Deno.remove(home, { recursive: true });
});

async function provesNpmPackage(): Promise<void> {
  await task("npm");
  const archives = (await Array.fromAsync(Deno.readDir(`${root}dist/npm`))).filter((entry) =>
    entry.name.endsWith(".tgz")
  );
  assert.equal(archives.length, 1);
  const prefix = await Deno.makeTempDir();
  const archive = `${root}dist/npm/${archives[0]?.name}`;
  const install = await runCommand(["npm", "install", "--global", "--prefix", prefix, archive]);
  assert.equal(install.status, 0, install.stderr);
  await provesItself([`${prefix}/bin/sockbal`]);
  if (isLinux) await provesEpoll([`${prefix}/bin/sockbal`], "--engine", "epoll");
  await Deno.remove(prefix, { recursive: true });
}

Deno.test("the executable has every worker entry and asset embedded", async () => {
  const folder = await Deno.makeTempDir();
  const { executable, stderr } = await compiled(folder);
  // What the command prints of it leaves out the files of larger folders.
  for (
    const file of ["lib/dataplane/worker.ts", "lib/load/loader.ts", "balancer.yaml", "deno.json", "main.ts"]
  ) {
    assert.ok(executable.includes(await Deno.readTextFile(`${root}${file}`)), `${file} is not embedded`);
  }
  assert.ok(!stderr.includes("fast-check"), "a library of the tests is embedded");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the executable may call foreign functions only when it was made for the engine epoll", async () => {
  const folder = await Deno.makeTempDir();
  for (const [permission, flags] of [["null", []], ["[]", ["--allow-ffi"]]] as const) {
    const { executable } = await compiled(folder, ...flags);
    assert.ok(executable.includes(`"allow_net":[],"deny_net":null,"allow_ffi":${permission},`), permission);
  }
  await Deno.remove(folder, { recursive: true });
});

async function compiled(folder: string, ...flags: string[]): Promise<{ executable: Buffer; stderr: string }> {
  const tool = ["run", "--no-prompt", "--allow-run=deno", "tools/compile.ts", ...flags, `${folder}/sockbal`];
  // The base itself does not matter for what is embedded.
  const env = { DENORT_BIN: Deno.execPath() };
  const { status, stderr } = await runCommand([Deno.execPath(), ...tool], { cwd: root, env });
  assert.equal(status, 0, stderr);
  return { executable: Buffer.from((await Deno.readFile(`${folder}/sockbal`)).buffer), stderr };
}

Deno.test("where the base of the executable cannot be had, one sentence names the other ways", async () => {
  const folder = await Deno.makeTempDir();
  const { status, stdout, stderr } = await runCommand(
    [Deno.execPath(), "run", "--no-prompt", "--allow-run=deno", "tools/compile.ts", `${folder}/sockbal`],
    // A base that does not exist fails in the same place as one that cannot be downloaded.
    { cwd: root, env: { DENORT_BIN: `${folder}/no-such-file` } },
  );
  assert.equal(status, 1);
  assert.equal(stdout, "");
  assert.match(
    stderr,
    /^The runtime base of `deno compile` cannot be had: .*DENORT_BIN.*install.*bundle.*npm.*\n$/,
  );
  await Deno.remove(folder, { recursive: true });
});

async function runs(command: string): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
}

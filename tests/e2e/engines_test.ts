// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Which engine a balancer has, who says so, and what is said where it cannot be had. */

import assert from "node:assert/strict";
import { startNamedBackend } from "../support/backend.ts";
import { readAll, readExactly, text } from "../support/bytes.ts";
import { runCommand, RunningCommand, SOCKBAL, SOCKBAL_EPOLL, sockbalWith } from "../support/command.ts";
import { refusedPort } from "../support/ports.ts";

const ENGINES = ["runtime", "epoll"] as const;
const isLinux = Deno.build.os === "linux";

interface Setting extends AsyncDisposable {
  readonly file: string;
  readonly admin: string;
  /** The path of its other listener. */
  readonly socket: string;
  /** Writes the configuration with this line at its end, which is its fifth. */
  write(line: string): Promise<void>;
  /** Who answers. */
  ask(): Promise<string>;
}

async function setUp(): Promise<Setting> {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/balancer.yaml`;
  const [port, adminPort] = [refusedPort(), refusedPort()];
  const backend = startNamedBackend("a");
  return {
    file,
    admin: `127.0.0.1:${adminPort}`,
    socket: `${folder}/in.sock`,
    write: (line) =>
      Deno.writeTextFile(
        file,
        `listeners: [{ listen: 127.0.0.1:${port}, pool: web }, { listen: "unix:in.sock", pool: checked }]
pools: { web: { backends: [{ address: ${backend.member.address}, name: a }] },
  checked: { backends: [{ address: ${backend.member.address}, name: checked }], health_check: {}, initial: down } }
admin: { listen: 127.0.0.1:${adminPort} }
${line}
`,
      ),
    ask: async () => {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await conn.closeWrite();
      return text(await readAll(conn)).trim();
    },
    [Symbol.asyncDispose]: async () => {
      await backend[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function json(url: string): Promise<Record<string, unknown>> {
  return await (await fetch(url)).json();
}

Deno.test({
  name:
    "the log, the API and --status name the engine, which the command line chooses whatever the file says",
  ignore: !isLinux,
  fn: async () => {
    await using it = await setUp();
    for (const engine of ENGINES) {
      const other = engine === "epoll" ? "runtime" : "epoll";
      await it.write(`engine: ${other}`);
      const args = ["--role", "balancer", "--config", it.file];
      await using balancer = new RunningCommand([...SOCKBAL_EPOLL, ...args, "--engine", engine]);
      await balancer.sees(new RegExp(` ready workers=\\d+ engine=${engine} confined=`));
      assert.equal(await it.ask(), "a");
      const { confined, not_confined_by, ...status } = await json(`http://${it.admin}/api/status`);
      assert.equal(status.engine, engine);
      if (engine === "runtime") assert.deepEqual([confined, not_confined_by], ["permissions", null]);
      else assert.match(`${confined}`, /^(none|(landlock|landlock_files|seccomp|,)+)$/);
      const metrics = await (await fetch(`http://${it.admin}/metrics`)).text();
      assert.ok(metrics.includes(`\nsockbal_engine_info{engine="${engine}",confined="${confined}"} 1\n`));
      assert.equal((await json(`http://${it.admin}/api/config`)).engine, engine);
      const table = await runCommand([...SOCKBAL, ...args, "--status"]);
      assert.match(table.stdout, new RegExp(`^sockbal \\S+, engine ${engine}, up for `));
      assert.match(table.stdout, new RegExp(`\nworkers confined by ${confined}\\b`));
      await it.write("engine: auto");
      balancer.kill("SIGHUP");
      await balancer.sees(new RegExp(`engine: auto is not in force, .* --engine ${engine}"`));
      await balancer.sees(/ reloaded .* not_in_force=/);
    }
  },
});

Deno.test({
  name:
    "auto is epoll with the permission for foreign functions, runtime without, and stays it over a reload",
  ignore: !isLinux,
  fn: async () => {
    await using it = await setUp();
    const cases = [
      [
        SOCKBAL,
        "runtime",
        "epoll",
        /engine: epoll cannot be used: it needs .*--allow-ffi.*; it is still runtime/,
      ],
      [SOCKBAL_EPOLL, "epoll", "runtime", /engine: runtime needs a restart; until then it is epoll/],
    ] as const;
    for (const [program, engine, other, note] of cases) {
      await it.write("engine: auto");
      await using balancer = new RunningCommand([...program, "--role", "balancer", "--config", it.file]);
      await balancer.sees(new RegExp(` ready workers=\\d+ engine=${engine} confined=`));
      await it.write(`engine: ${other}`);
      balancer.kill("SIGHUP");
      await balancer.sees(note);
      await balancer.sees(/ reloaded .* not_in_force=/);
      assert.equal((await json(`http://${it.admin}/api/status`)).engine, engine);
      assert.equal(await it.ask(), "a");
    }
  },
});

Deno.test("an engine that cannot be had is one sentence, with its place when a file asks for it", async () => {
  await using it = await setUp();
  await it.write("engine: epoll");
  const args = ["--role", "balancer", "--config", it.file];
  const reason = isLinux
    ? "it needs the permission for foreign functions (--allow-ffi)"
    : `it needs Linux, and this is ${Deno.build.os}`;
  const sentence = `the engine epoll cannot be used: ${reason}\n`;
  for (const more of [[], ["--check"]]) {
    const { status, stdout, stderr } = await runCommand([...SOCKBAL, ...args, ...more]);
    assert.deepEqual([status, stdout, stderr], [2, "", `${it.file}:5:9 engine: ${sentence}`]);
  }
  await it.write("engine: runtime");
  const chosen = await runCommand([...SOCKBAL, ...args, "--engine", "epoll"]);
  assert.deepEqual([chosen.status, chosen.stdout, chosen.stderr], [2, "", `sockbal: ${sentence}`]);
});

Deno.test({
  name: "a permission for a library that is not there is no engine, and no stack trace",
  ignore: !isLinux,
  fn: async () => {
    const missing = "/lib/ld-musl-x86_64.so.1,/lib/ld-musl-aarch64.so.1";
    const program = SOCKBAL.toSpliced(-1, 0, `--allow-ffi=${missing}`);
    const { status, stderr } = await runCommand([...program, "--role", "balancer", "--engine", "epoll"]);
    assert.equal(status, 2);
    assert.match(
      stderr,
      /^sockbal: the engine epoll cannot be used: no C library was found \(looked for [^\n]+\)\n$/,
    );
  },
});

for (const engine of ENGINES) {
  Deno.test({
    name:
      `the printed permissions are enough for the engine ${engine}, with checks, a Unix socket and a reload`,
    ignore: engine === "epoll" && !isLinux,
    fn: async () => {
      await using it = await setUp();
      await it.write(`engine: ${engine}`);
      const args = ["--role", "balancer", "--config", it.file];
      const printed = await runCommand([...SOCKBAL, ...args, "--print-permissions"]);
      assert.deepEqual([printed.status, printed.stderr], [0, ""]);
      assert.equal(
        / --allow-ffi(=\S*\/\S+\.so\S*)?\n$/.test(printed.stdout),
        engine === "epoll",
        printed.stdout,
      );
      const program = sockbalWith(printed.stdout.trim().split(" "));
      await using balancer = new RunningCommand([...program, ...args]);
      await balancer.sees(new RegExp(` ready workers=\\d+ engine=${engine} confined=`));
      await balancer.sees(/ backend_up pool=checked/);
      assert.equal(await it.ask(), "a");
      using conn = await Deno.connect({ transport: "unix", path: it.socket });
      await conn.closeWrite();
      assert.equal(text(await readAll(conn)).trim(), "a");
      await it.write(`engine: ${engine}\nworkers: 3`);
      balancer.kill("SIGHUP");
      await balancer.sees(/ reloaded .* workers=replaced generation=2\n/);
      assert.equal(await it.ask(), "a");
    },
  });
}

Deno.test({
  name:
    "a source that this machine does not have is noted with its place: by --check, at the start and by a reload",
  ignore: !isLinux,
  fn: async () => {
    const file = await Deno.makeTempFile();
    const config = (sources: string): string =>
      `listeners: [{ listen: "127.0.0.1:0", pool: web }]
pools: { web: { backends: ["127.0.0.1:1"], source: [${sources}] } }
`;
    await Deno.writeTextFile(file, config("127.0.0.2, 192.0.2.77"));
    const args = ["--role", "balancer", "--config", file];
    const sentence = "192.0.2.77 is no address of this machine; dials from it will fail";
    const checked = await runCommand([...SOCKBAL_EPOLL, ...args, "--check"]);
    assert.equal(
      checked.stdout,
      `${file}:2:64 pools.web.source[1]: note: ${sentence}\n${file}: ok (1 listener, 1 pool, 1 backend)\n`,
    );
    assert.equal(checked.status, 0);
    await using balancer = new RunningCommand([...SOCKBAL_EPOLL, ...args]);
    await balancer.sees(
      new RegExp(` config_note note="${file}:2:64 pools\\.web\\.source\\[1\\]: ${sentence}"\n`),
    );
    await balancer.sees(/ ready /);
    await Deno.writeTextFile(file, config("192.0.2.77"));
    balancer.kill("SIGHUP");
    await balancer.sees(
      new RegExp(` config_note note="${file}:2:53 pools\\.web\\.source\\[0\\]: ${sentence}"\n`),
    );
    await balancer.sees(/ reloaded /);
    await Deno.remove(file);
  },
});

Deno.test("without the permission for its admin side a balancer says in one sentence which flag is missing", async () => {
  const file = await Deno.makeTempFile();
  const [port, adminPort] = [refusedPort(), refusedPort()];
  await Deno.writeTextFile(
    file,
    `listeners: [{ listen: 127.0.0.1:${port}, pool: web }]
pools: { web: { backends: ["127.0.0.1:1"] } }
admin: { listen: 127.0.0.1:${adminPort} }
`,
  );
  const args = ["--role", "balancer", "--config", file];
  const program = sockbalWith([`--allow-net=127.0.0.1:${port}`, "--allow-read"]);
  const admin = `127.0.0.1:${adminPort}`;
  const started = await runCommand([...program, ...args]);
  assert.equal(started.status, 1);
  assert.equal(
    started.stderr.split("\n").at(-2),
    `${file}:3:18 admin.listen: the admin page cannot listen on ${admin}: ` +
      `sockbal was started without permission to do so (--allow-net=${admin})`,
  );
  const asked = await runCommand([...program, ...args, "--status"]);
  assert.deepEqual([asked.status, asked.stderr], [
    1,
    `sockbal: ${admin}: sockbal was started without permission to ask there (--allow-net=${admin})\n`,
  ]);
  await Deno.remove(file);
});

Deno.test("with the printed permissions a backend that moves within its subnets needs no new workers under epoll", async () => {
  for (const engine of isLinux ? ENGINES : ["runtime"]) {
    await using it = await setUp();
    await it.write(`engine: ${engine}`);
    await using other = startNamedBackend("other");
    const config = (address: string): string =>
      `listeners: [{ listen: ":0", pool: web }]
engine: ${engine}
workers: 1
pools: { web: { backends: [${address}], within: [127.0.0.0/8] } }
`;
    const file = `${it.file}.within.yaml`;
    await Deno.writeTextFile(file, config("127.0.0.1:1"));
    const args = ["--role", "balancer", "--config", file];
    const printed = await runCommand([...SOCKBAL, ...args, "--print-permissions"]);
    await using balancer = new RunningCommand([...sockbalWith(printed.stdout.trim().split(" ")), ...args]);
    const [, port] = await balancer.sees(/ listening address=\S+:(\d+) /);
    await balancer.sees(/ ready /);
    await Deno.writeTextFile(file, config(other.member.address));
    balancer.kill("SIGHUP");
    const workers = engine === "epoll" ? "kept" : "replaced";
    await balancer.sees(new RegExp(` reloaded .* workers=${workers} `));
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
    assert.ok("other".startsWith(text(await readExactly(conn, 1))));
  }
});

Deno.test("a reload that has a backend checked which may not be dialled from here changes nothing, and says so", async () => {
  for (const engine of isLinux ? ENGINES : ["runtime"]) {
    await using it = await setUp();
    await using other = startNamedBackend("other");
    await it.write(`engine: ${engine}`);
    const args = ["--role", "balancer", "--config", it.file];
    const printed = await runCommand([...SOCKBAL, ...args, "--print-permissions"]);
    await using balancer = new RunningCommand([...sockbalWith(printed.stdout.trim().split(" ")), ...args]);
    await balancer.sees(/ ready /);
    const written = await Deno.readTextFile(it.file);
    const more = `name: checked }, { address: ${other.member.address}, name: more }], health_check`;
    await Deno.writeTextFile(it.file, written.replace("name: checked }], health_check", more));
    balancer.kill("SIGHUP");
    await balancer.sees(
      / reload_failed reason="cannot check backend more: sockbal was started without permission/,
    );
    assert.equal(await it.ask(), "a");
  }
});

Deno.test("with engine auto, what only epoll can do is printed and judged as epoll's", async () => {
  await using it = await setUp();
  const args = ["--role", "balancer", "--config", it.file];
  await it.write("confinement: required");
  const printed = await runCommand([...SOCKBAL, ...args, "--print-permissions"]);
  assert.match(printed.stdout, / --allow-ffi/);
  const checked = await runCommand([...SOCKBAL, ...args, "--check"]);
  assert.equal(checked.status, 2);
  assert.match(checked.stderr, /balancer\.yaml:5:14 confinement: only the engine epoll /);
  await it.write("engine: epoll\nconfinement: required");
  const overridden = await runCommand([...SOCKBAL, ...args, "--check", "--engine", "runtime"]);
  assert.equal(overridden.status, 2, overridden.stderr);
});

Deno.test("with engine auto, the printed permissions are those of the engine runtime", async () => {
  await using it = await setUp();
  const printed = new Set<string>();
  for (const engine of ["auto", "runtime"]) {
    await it.write(`engine: ${engine}`);
    const args = ["--role", "balancer", "--config", it.file, "--print-permissions"];
    printed.add((await runCommand([...SOCKBAL, ...args])).stdout);
  }
  assert.equal(printed.size, 1);
  assert.ok(!printed.has(""));
});

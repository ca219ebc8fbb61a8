// deno-lint-ignore-file no-await-in-loop -- commands are run one after the other

/** The program as its users run it: exit statuses, signals, what goes to stdout and what to stderr. */

import assert from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import {
  type Finished,
  runCommand,
  RunningCommand,
  SOCKBAL,
  sockbal,
  startSockbal,
} from "../support/command.ts";
import { pattern, readAll, text } from "../support/bytes.ts";
import { refusedPort } from "../support/ports.ts";

const READY = / ready /;

Deno.test("three servers, a balancer and a client do the job of the source text", async () => {
  const servers = ["one", "two", "three"].map((name) => {
    return startSockbal("--role", "server", "--listen", "127.0.0.1:0", "--handler", "whoami", "--name", name);
  });
  const backends: string[] = [];
  for (const server of servers) {
    backends.push("--backend", (await server.sees(/listening address=(\S+)/))[1] ?? "");
  }
  await using balancer = startSockbal("--role", "balancer", "--listen", "127.0.0.1:0", ...backends);
  const address = (await balancer.sees(/listening address=(\S+)/))[1] ?? "";
  await balancer.sees(READY);
  const answers: string[] = [];
  for (let i = 0; i < 6; i++) {
    const client = await sockbal("--role", "client", "--connect", address, "--message", "hi");
    assert.deepEqual([client.status, client.stderr], [0, ""]);
    answers.push(client.stdout);
  }
  assert.deepEqual(answers, ["one\n", "two\n", "three\n", "one\n", "two\n", "three\n"]);
  for (const server of servers) await server[Symbol.asyncDispose]();
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} ends every role with status 0`, async () => {
    const { promise: connected, resolve } = Promise.withResolvers<void>();
    const mute = startBackend(async (conn) => {
      resolve();
      await readAll(conn);
      await held.promise;
    });
    const held = Promise.withResolvers<void>();
    const server = startSockbal("--role", "server", "--listen", "127.0.0.1:0");
    const balancer = startSockbal("--role", "balancer", "--listen", "127.0.0.1:0");
    const client = startSockbal("--role", "client", "--connect", mute.address, "--message", "anyone there?");
    await Promise.all([server.sees(READY), balancer.sees(READY), connected]);
    for (const running of [server, balancer, client]) running.kill(signal);
    const ends = await Promise.all([server.finished, balancer.finished, client.finished]);
    assert.deepEqual(ends.map((end) => [end.status, end.signal, end.stdout]), Array(3).fill([0, null, ""]));
    assert.match(ends[0].stderr, / stopped closed_connections=0\n$/);
    assert.match(ends[1].stderr, / stopped closed_sessions=0\n$/);
    assert.equal(ends[2].stderr, "");
    held.resolve();
    await mute.stop();
  });
}

Deno.test("a second signal does not wait for the sessions", async () => {
  await using server = startSockbal("--role", "server", "--listen", "127.0.0.1:0");
  const backend = (await server.sees(/listening address=(\S+)/))[1] ?? "";
  const balancer = startSockbal("--role", "balancer", "--listen", "127.0.0.1:0", "--backend", backend);
  await balancer.sees(READY);
  const [, host = "", port = ""] = await balancer.sees(/listening address=([\d.]+):(\d+)/);
  using client = await Deno.connect({ hostname: host, port: Number(port) });
  await client.write(new TextEncoder().encode("x"));
  await client.read(new Uint8Array(1));
  balancer.kill("SIGTERM");
  await balancer.sees(/ stopping /);
  // At once it would be the same signal, passed on by a launcher as well.
  balancer.kill("SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 700));
  await client.write(new TextEncoder().encode("y"));
  assert.equal(await client.read(new Uint8Array(1)), 1, "the session still lives");
  balancer.kill("SIGTERM");
  assert.equal((await balancer.finished).status, 0);
});

Deno.test("a full disk behind stdout is said, a closed pipe is not", async () => {
  const [program = "", ...rest] = SOCKBAL;
  const shell = (redirect: string): Promise<Finished> => {
    return runCommand([
      "sh",
      "-c",
      `"$@" ${redirect}`,
      "sh",
      program,
      ...rest,
      "--role",
      "balancer",
      "--print-schema",
    ]);
  };
  const full = await shell("> /dev/full");
  assert.deepEqual([full.status, full.stderr], [1, "sockbal: stdout: no space left on device\n"]);
  const closed = await shell("| true");
  assert.equal(closed.stderr, "");
});

Deno.test("a refused connection is one plain line on stderr and status 1", async () => {
  const port = refusedPort();
  const client = await sockbal("--role", "client", "--connect", `127.0.0.1:${port}`, "--message", "hi");
  assert.deepEqual(client, {
    status: 1,
    signal: null,
    stdout: "",
    stderr: `sockbal: 127.0.0.1:${port}: connection refused; nothing listens there\n`,
  });
});

Deno.test("a wrong flag, a wrong address and a wrong configuration are status 2, and nothing is started", async () => {
  for (
    const [args, message] of [
      [["--role", "server", "--lisen", ":1"], /did you mean --listen/i],
      [["--role", "server", "--listen", "nowhere"], /"nowhere" has no port/],
      [
        ["--role", "balancer", "--config", "/no/such/file.yaml"],
        /^sockbal: \/no\/such\/file.yaml: no such file\n$/,
      ],
      [["--role", "pilot"], /unknown role "pilot"/],
      [[], /choose a role/],
    ] as const
  ) {
    const { status, stdout, stderr } = await sockbal(...args);
    assert.equal(status, 2);
    assert.equal(stdout, "");
    assert.match(stderr, message);
    assert.equal(stderr.trimEnd().split("\n").length, 1, "one line");
  }
});

Deno.test("a port in use is named, with status 1", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${taken.addr.port}`;
  for (const role of ["server", "balancer"]) {
    const { status, stderr } = await sockbal("--role", role, "--listen", address);
    assert.equal(status, 1);
    assert.match(
      stderr,
      new RegExp(
        `cannot listen on ${address}: port ${taken.addr.port} is in use, by another program or by another listener\n$`,
      ),
    );
  }
  taken.close();
});

Deno.test("every fault of a configuration is reported in one go, with status 2", async () => {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(
    file,
    "listeners:\n  - listen: 127.0.0.1:5678\n    pool: wbe\npools:\n  web:\n    retires: 3\n",
  );
  const { status, stdout, stderr } = await sockbal("--role", "balancer", "--config", file, "--check");
  assert.equal(status, 2);
  assert.equal(stdout, "");
  assert.deepEqual(stderr.trimEnd().split("\n"), [
    `${file}:3:11 listeners[0].pool: there is no pool "wbe"; did you mean web?`,
    `${file}:6:5 pools.web.backends: missing; list the backends, as - 127.0.0.1:8001`,
    `${file}:6:5 pools.web.retires: unknown key "retires"; did you mean retries?`,
  ]);
  await Deno.remove(file);
});

Deno.test("--check, --print-schema and --print-permissions print their result to stdout and nothing else", async () => {
  const sample = new URL("../../balancer.yaml", import.meta.url).pathname;
  const check = await sockbal("--role", "balancer", "--config", sample, "--check");
  assert.deepEqual(check, {
    status: 0,
    signal: null,
    stdout: `${sample}: ok (1 listener, 1 pool, 3 backends)\n`,
    stderr: "",
  });
  const schema = await sockbal("--role", "balancer", "--print-schema");
  assert.equal(schema.stderr, "");
  assert.equal(JSON.parse(schema.stdout).$schema, "https://json-schema.org/draft/2020-12/schema");
  const flags = await sockbal("--role", "balancer", "--config", sample, "--print-permissions");
  assert.match(
    flags.stdout,
    /^--allow-net=127.0.0.1:5678,127.0.0.1:9901,127.0.0.1:8001,127.0.0.1:8002,127.0.0.1:8003,127.0.0.1:0 --allow-read=\S+balancer.yaml,\S+\n$/,
  );
});

Deno.test("the printed permissions are enough for a pool with subnets too, which its workers then do without", async () => {
  const port = refusedPort();
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  const write = (address: string): Promise<void> =>
    Deno.writeTextFile(
      file,
      `listeners: [{ listen: "127.0.0.1:${port}", pool: p }]
pools: { p: { backends: ["${address}:9"], within: [127.0.0.0/8:9] } }
`,
    );
  await write("127.0.0.1");
  const printed = await sockbal("--role", "balancer", "--config", file, "--print-permissions");
  assert.match(printed.stdout, /,127\.0\.0\.0\/8:9,/);
  const program = SOCKBAL.filter((arg) => !arg.startsWith("--allow"));
  await using balancer = new RunningCommand([
    ...program.slice(0, -1),
    ...printed.stdout.trim().split(" "),
    ...program.slice(-1),
    ...["--role", "balancer", "--config", file],
  ]);
  await balancer.sees(/ ready /);
  await write("127.0.0.2");
  balancer.kill("SIGHUP");
  await balancer.sees(/ reloaded .* workers=replaced generation=2\n/);
  await Deno.remove(file);
});

Deno.test("the printed permissions are enough to run the configuration, and one less is not", async () => {
  const port = refusedPort();
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(
    file,
    `listeners: [{ listen: "127.0.0.1:${port}", pool: p }]\npools: { p: { backends: ["localhost:9"] } }\n`,
  );
  const printed = await sockbal("--role", "balancer", "--config", file, "--print-permissions");
  const flags = printed.stdout.trim().split(" ");
  const program = SOCKBAL.filter((arg) => !arg.startsWith("--allow"));
  const command = (permissions: readonly string[]): string[] => {
    return [
      ...program.slice(0, -1),
      ...permissions,
      ...program.slice(-1),
      "--role",
      "balancer",
      "--config",
      file,
    ];
  };
  const running = new RunningCommand(command(flags));
  await running.sees(READY);
  running.kill("SIGTERM");
  assert.equal((await running.finished).status, 0);

  const without = await runCommand(command(flags.map((flag) => flag.replace(`127.0.0.1:${port},`, ""))));
  assert.equal(without.status, 1);
  assert.match(
    without.stderr,
    /cannot listen on .*: sockbal was started without permission to do so \(--allow-net=127\.0\.0\.1:\d+\)\n$/,
  );
  await Deno.remove(file);
});

Deno.test("a pipe carries any bytes, of any size, and ends when stdin ends", async () => {
  await using server = startSockbal("--role", "server", "--listen", "127.0.0.1:0");
  const address = (await server.sees(/listening address=(\S+)/))[1] ?? "";
  const input = pattern(6 * 1024 * 1024);
  const child = new Deno.Command(SOCKBAL[0] ?? "", {
    args: [...SOCKBAL.slice(1), "--role", "client", "--connect", address],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const feeding = writer.write(input).then(() => writer.close());
  const { code, stdout, stderr } = await child.output();
  await feeding;
  assert.equal(code, 0);
  assert.equal(text(stderr), "");
  assert.equal(stdout.length, input.length);
  assert.ok(stdout.every((byte, i) => byte === input[i]));
});

Deno.test("--timeout gives up on a peer that says nothing", async () => {
  const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${silent.addr.port}`;
  const client = await sockbal(
    "--role",
    "client",
    "--connect",
    address,
    "--message",
    "hi",
    "--timeout",
    "300ms",
  );
  assert.deepEqual([client.status, client.stderr], [1, `sockbal: ${address}: nothing came for 300ms\n`]);
  silent.close();
});

Deno.test("the log is text or JSON, on stderr, from the level that was asked for", async () => {
  const json = startSockbal("--role", "server", "--listen", "127.0.0.1:0", "--log-format", "json");
  await json.sees(/"ready"/);
  json.kill("SIGTERM");
  const records = (await json.finished).stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(records.map((record) => [record.level, record.event]), [
    ["info", "listening"],
    ["info", "ready"],
    ["info", "stopped"],
  ]);
  const quiet = startSockbal("--role", "server", "--listen", "127.0.0.1:0", "--log-level", "warn");
  quiet.kill("SIGTERM");
  assert.equal((await quiet.finished).stderr, "");
});

Deno.test("without the permission to read its own modules the balancer says so in one sentence", async () => {
  const { status, stderr } = await runCommand([
    ...SOCKBAL.filter((arg) => arg !== "--allow-read"),
    ...["--role", "balancer", "--listen", "127.0.0.1:0"],
  ]);
  assert.equal(status, 1);
  assert.match(
    stderr,
    /sockbal: sockbal was started without permission to read its own modules \(--allow-read=\S+\)\n$/,
  );
  assert.doesNotMatch(stderr, /Uncaught/);
});

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Loads as a user runs them: what is printed where, and how the command ends. */

import assert from "node:assert/strict";
import type { JsonReport } from "../../lib/load/result.ts";
import {
  RunningCommand,
  SOCKBAL,
  sockbal,
  sockbalOn,
  sockbalWith,
  startSockbal,
} from "../support/command.ts";
import { type ENGINES, onEachEngine } from "../support/engines.ts";
import { findProgram, pathOf, skipWithout } from "../support/packages.ts";
import { refusedPort } from "../support/ports.ts";

const CLIENT = ["--role", "client", "--connect"];

async function startServer(
  handler: string,
  name = "one",
): Promise<RunningCommand & { readonly address: string }> {
  const args = ["--role", "server", "--listen", "127.0.0.1:0", "--handler", handler, "--name", name];
  const server = startSockbal(...args);
  return Object.assign(server, { address: (await server.sees(/listening address=(\S+)/))[1] ?? "" });
}

/** A load by the program with an engine. */
function start(engine: typeof ENGINES[number], ...args: string[]): RunningCommand {
  return new RunningCommand([...sockbalOn(engine), ...CLIENT, ...args]);
}

onEachEngine("a load reports to stdout, and ends with 0 when nothing has failed", async (engine) => {
  await using server = await startServer("whoami");
  const args = [server.address, "--requests", "200", "--connections", "5", "--expect", "eof"];
  const { status, stdout, stderr } = await start(engine, ...args).finished;
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, new RegExp(`^${server.address}\\n {2}5 connections at once, .*, engine ${engine}\\n`));
  assert.match(stdout, /^requests {3}200 in [\d.]+ m?s: [\d,]+\/s$/m);
  assert.match(stdout, /^errors {5}0$/m);
  assert.match(stdout, /^latency( +[\d.,]+){7}$/m);
  assert.match(stdout, /^connect( +[\d.,]+){7}$/m);
  assert.match(stdout, /^ {2}one {2}█+ {2}200 {2}100\.0 %$/m);
  for (const line of stdout.split("\n")) assert.ok([...line].length <= 80, line);
});

onEachEngine("with --json a program reads the report, and two of them are compared", async (engine) => {
  await using server = await startServer("http");
  const folder = await Deno.makeTempDir();
  const files = [`${folder}/a.json`, `${folder}/b.json`];
  for (const [i, file] of files.entries()) {
    const args = [server.address, "--requests", String(100 * (i + 1)), "--expect", "http", "--json"];
    const { status, stdout } = await start(engine, ...args).finished;
    assert.equal(status, 0);
    const report = JSON.parse(stdout) as JsonReport;
    assert.deepEqual([report.requests, report.backends], [100 * (i + 1), { one: 100 * (i + 1) }]);
    await Deno.writeTextFile(file, stdout);
  }
  const { status, stdout } = await sockbal("--role", "client", "--compare", ...files);
  assert.equal(status, 0);
  assert.match(stdout, /^requests +100 +200 +\+100\.0 %$/m);
  const missing = await sockbal("--role", "client", "--compare", files[0] ?? "", `${folder}/c.json`);
  assert.deepEqual([missing.status, missing.stdout], [2, ""]);
  assert.equal(missing.stderr, `sockbal: --compare: ${folder}/c.json: there is no such file\n`);
  const other = await sockbal("--role", "client", "--compare", files[0] ?? "", import.meta.filename ?? "");
  assert.match(other.stderr, /load_test\.ts is no report of a load; write one with --json\n$/);
  await Deno.remove(folder, { recursive: true });
});

onEachEngine("more errors than are allowed end a load with 1, after its report", async (engine) => {
  const address = `127.0.0.1:${refusedPort()}`;
  const args = [address, "--requests", "5"];
  const failed = await start(engine, ...args).finished;
  assert.equal(failed.status, 1);
  assert.match(failed.stdout, /^errors {5}5: refused 5$/m);
  assert.equal(failed.stderr, `sockbal: ${address}: 5 requests have failed, and none may\n`);
  const allowed = await start(engine, ...args, "--max-errors", "5").finished;
  assert.deepEqual([allowed.status, allowed.stderr], [0, ""]);
  const tooMany = await start(engine, ...args, "--max-errors", "4").finished;
  assert.equal(tooMany.stderr, `sockbal: ${address}: 5 requests have failed, and 4 may (--max-errors)\n`);
});

onEachEngine("a request that was due and never sent counts as one that has failed", async (engine) => {
  await using server = await startServer("discard");
  const args = [server.address, "--duration", "500ms", "--timeout", "300ms", "--rate", "100"];
  const { status, stdout, stderr } = await start(engine, ...args, "--max-errors", "49").finished;
  const [, unsent] = /^unsent {5}(\d+): due, and without a free connection by the end$/m.exec(stdout) ?? [];
  assert.equal(status, 1);
  assert.equal(
    stderr,
    `sockbal: ${server.address}: 50 requests have failed, and 49 may (--max-errors); ` +
      `${unsent} of them were due and never sent\n`,
  );
  assert.equal((await start(engine, ...args, "--max-errors", "50").finished).status, 0);
  // When it is stopped, requests that wait are no failures.
  await using stopped = start(engine, server.address, "--duration", "10m", "--rate", "1000", "--csv");
  await stopped.sees(/^1,0,/m, "stdout");
  stopped.kill("SIGINT");
  const end = await stopped.finished;
  assert.deepEqual([end.status, end.stderr], [0, ""]);
});

onEachEngine("Ctrl-C ends a load with the report so far", async (engine) => {
  await using server = await startServer("echo");
  await using client = start(engine, server.address, "--duration", "10m", "--csv");
  await client.sees(/^1,\d+,0,0,0,0,0,0,/m, "stdout");
  client.kill("SIGINT");
  const { status, stdout, stderr } = await client.finished;
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /^second,requests,refused,/);
  await using held = start(engine, server.address, "--hold", "--connections", "3");
  // It prints nothing before its first line of progress.
  await held.sees(/5s {2}0 errors {2}3 open\n/);
  held.kill("SIGINT");
  const end = await held.finished;
  assert.equal(end.status, 0);
  assert.match(end.stdout, /^held {7}3 connections were opened, for [\d.]+ s$/m);
});

Deno.test("without a terminal a line every five seconds says how a load goes", async () => {
  await using server = await startServer("echo");
  const { status, stderr } = await sockbal(...CLIENT, server.address, "--duration", "6s", "--rate", "100");
  assert.equal(status, 0);
  assert.match(stderr, /^5s of 6s {2}[\d,]+\/s {2}0 errors {2}p99 [\d.,]+ m?s {2}1 open\n$/);
});

const SCRIPT = await findProgram("script", "bsdutils");
const noScript = skipWithout(SCRIPT);

/** Runs a command of the shell at a terminal of so many columns. */
function atTerminal(columns: number, command: string, env: Record<string, string> = {}): RunningCommand {
  const line = `stty cols ${columns} rows 40; ${command}`;
  return new RunningCommand([pathOf(SCRIPT), "-qec", line, "/dev/null"], { env: { NO_COLOR: "", ...env } });
}

Deno.test({
  name:
    `at a terminal one line is drawn again and again, and the report has its width and colours${noScript.why}`,
  ignore: noScript.ignore,
  fn: async () => {
    await using server = await startServer("whoami");
    const load = [...SOCKBAL, ...CLIENT, server.address, "--duration", "2500ms", "--expect", "eof"].join(" ");
    for (const columns of [80, 120]) {
      const { status, stdout } = await atTerminal(columns, load).finished;
      assert.equal(status, 0);
      // deno-lint-ignore no-control-regex -- what terminals read
      const drawn = [...stdout.matchAll(/\r\x1b\[K([^\r\n]*)/g)].map(([, line = ""]) => line);
      assert.match(drawn[0] ?? "", /^1s of 2s500ms {2}[\d,]+\/s {2}0 errors {2}p99 /);
      assert.match(drawn[1] ?? "", /^2s of 2s500ms /);
      const report = stdout.slice(stdout.lastIndexOf("\r\x1b[K") + "\r\x1b[K".length).split("\r\n");
      assert.ok(report[0]?.includes(server.address));
      // deno-lint-ignore no-control-regex -- what makes colours
      const plain = report.map((line) => line.replaceAll(/\x1b\[\d+m/g, ""));
      assert.notDeepEqual(plain, report);
      assert.equal(Math.max(...plain.map((line) => [...line].length)), columns);
    }
    const { stdout } = await atTerminal(80, load, { NO_COLOR: "1" }).finished;
    // deno-lint-ignore no-control-regex -- what makes colours
    assert.doesNotMatch(stdout, /\x1b\[\d+m/);
  },
});

Deno.test("what a load may not do is told in one sentence", async () => {
  const permissions = ["--allow-net=127.0.0.1:1", "--allow-read"];
  const args = [...CLIENT, "127.0.0.1:2", "--requests", "1"];
  const net = await new RunningCommand([...sockbalWith(permissions), ...args]).finished;
  assert.deepEqual([net.status, net.stdout], [1, ""]);
  assert.equal(
    net.stderr,
    "sockbal: 127.0.0.1:2: sockbal was started without permission to connect there (--allow-net=127.0.0.1:2)\n",
  );
  const epoll = await sockbal(...args, "--engine", "epoll");
  assert.match(epoll.stderr, /^sockbal: the engine epoll cannot be used: .*--allow-ffi.*\n$/);
  const read = await new RunningCommand([...sockbalWith(["--allow-net"]), ...args]).finished;
  assert.match(read.stderr, /^sockbal: sockbal was started without permission to read its own modules .*\n$/);
});

Deno.test("a reader that has seen enough ends a load of rows", async () => {
  await using server = await startServer("echo");
  const line = [...SOCKBAL, ...CLIENT, server.address, "--duration", "10m", "--csv"].join(" ");
  const { status, stdout, stderr } = await new RunningCommand(["sh", "-c", `${line} | head -1`]).finished;
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /^second,/);
});

/** Runs a load into a command that reads its stdout, and gives what is said on stderr, with the status at the end. */
async function piped(reader: string, ...args: string[]): Promise<string> {
  const line = [...SOCKBAL, ...CLIENT, ...args].join(" ");
  const { stderr } = await new RunningCommand(["sh", "-c", `{ ${line}; echo $? >&2; } | ${reader}`]).finished;
  return stderr;
}

Deno.test("a load that has failed ends with 1, also when its reader has gone", async () => {
  const address = `127.0.0.1:${refusedPort()}`;
  const rows = await piped("head -2", address, "--duration", "1m", "--rate", "50", "--csv");
  assert.match(rows, /: \d+ requests have failed, and none may\n1\n$/);
  const report = await piped("true", address, "--requests", "5");
  assert.equal(report, `sockbal: ${address}: 5 requests have failed, and none may\n1\n`);
  assert.equal(await piped("true", address, "--requests", "5", "--max-errors", "5"), "0\n");
});

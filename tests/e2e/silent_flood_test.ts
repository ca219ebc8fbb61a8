// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Thousands of clients that connect and say nothing, where something is due of them. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { startMirror } from "../support/backend.ts";
import { startTestBalancer, type TestBalancer, until } from "../support/balancer.ts";
import { RunningCommand } from "../support/command.ts";
import { bytes, joined, readAll } from "../support/bytes.ts";
import { onEachEngine } from "../support/engines.ts";
import { hello, serverName } from "../wire/hello_builder.ts";

const SILENT = 5_000;
const ASKED = 600;

/** Below this, a difference is that of the scheduler. */
const SLACK_MS = 5;

/** A process of its own: it needs as many descriptors as the balancer. It ends when all its connections have, or when it is told to. */
const FLOOD = `
const [port, count] = Deno.args.map(Number);
const conns = [];
for (let i = 0; i < count; i += 100) {
  conns.push(...await Promise.all(Array.from({ length: 100 }, () => Deno.connect({ hostname: "127.0.0.1", port }))));
}
console.log("connected");
const ended = conns.map(async (conn) => { try { await conn.read(new Uint8Array(1)); } catch { /* reset */ } conn.close(); });
await Promise.all(ended);
console.log("ended");
`;

async function flooding(port: number, count: number): Promise<RunningCommand> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, FLOOD);
  const flood = new RunningCommand([
    ...[Deno.execPath(), "run", "--no-prompt", "--allow-net=127.0.0.1"],
    ...[file, String(port), String(count)],
  ]);
  await flood.sees(/connected/, "stdout");
  await Deno.remove(file);
  return flood;
}

async function startRouting(
  engine: EngineName,
  backend: string,
  handshakeTimeout: string,
): Promise<TestBalancer> {
  const routes = [{ sni: "a.example", pool: "web" }];
  return await startTestBalancer({
    engine,
    backends: [backend],
    // How many descriptors there are is looked for at the start, not among thousands of sessions: the last ones may be needed meanwhile,
    // by another test of this process.
    listener: {
      routes,
      pool: undefined,
      handshake_timeout: handshakeTimeout,
      max_connections: SILENT + 1_000,
    },
    logging: { sessions: false },
  });
}

function sessionsOf({ balancer: { scoreboard, plan } }: TestBalancer): number {
  return scoreboard.count(plan.listeners[0]?.sessionsRow ?? assert.fail());
}

/** How long an honest client has to wait for its answer. */
async function answeredMs(port: number): Promise<number> {
  const question = joined([hello(serverName("a.example")), bytes("?")]);
  const startedMs = performance.now();
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await writeAll(conn, question);
  await conn.closeWrite();
  assert.equal((await readAll(conn)).length, question.length);
  return performance.now() - startedMs;
}

function p99(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? NaN;
}

onEachEngine("honest clients are served as well beside 5,000 silent ones", async (engine) => {
  await using mirror = startMirror();
  await using quiet = await startRouting(engine, mirror.address, "5m");
  await using flooded = await startRouting(engine, mirror.address, "5m");
  await using _flood = await flooding(flooded.port, SILENT);
  await until(() => sessionsOf(flooded) >= SILENT, "all silent clients are there", 60_000);
  const [beside, without]: [number[], number[]] = [[], []];
  // In turn, so that whatever else the machine does meets both alike.
  for (let i = 0; i < ASKED; i++) {
    beside.push(await answeredMs(flooded.port));
    without.push(await answeredMs(quiet.port));
  }
  assert.ok(sessionsOf(flooded) >= SILENT, "they were there all the time");
  assert.ok(
    p99(beside) <= 2 * p99(without) + SLACK_MS,
    `${p99(beside)} ms beside them, ${p99(without)} ms without`,
  );
});

onEachEngine("5,000 clients that stay silent are gone at handshake_timeout", async (engine) => {
  await using mirror = startMirror();
  await using balancer = await startRouting(engine, mirror.address, "1s");
  await using flood = await flooding(balancer.port, SILENT);
  assert.equal((await flood.finished).stdout, "connected\nended\n");
  await until(() => sessionsOf(balancer) === 0, "all are gone");
  await answeredMs(balancer.port);
});

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Thousands of clients that connect and say nothing, where something is due of them. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startMirror } from "../support/backend.ts";
import { startTestBalancer, until } from "../support/balancer.ts";
import { RunningCommand } from "../support/command.ts";
import { bytes, joined, readAll } from "../support/bytes.ts";
import { onEachEngine } from "../support/engines.ts";
import { hello, serverName } from "../wire/hello_builder.ts";

const SILENT = 5_000;
const ASKED = 200;

/** Each is a 99th percentile, and they are compared by their medians: others use the machine as well. */
const RUNS = 5;

/** Below this, a difference is that of the scheduler. */
const SLACK_MS = 5;

/** A process of its own: it needs as many descriptors as the balancer. */
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

async function medianP99(port: number): Promise<number> {
  // What has just happened is over after one of them.
  await p99(port);
  const runs: number[] = [];
  for (let i = 0; i < RUNS; i++) runs.push(await p99(port));
  return runs.sort((a, b) => a - b)[Math.floor(RUNS / 2)] ?? NaN;
}

/** The milliseconds within which 99 of 100 honest clients are answered. */
async function p99(port: number): Promise<number> {
  const question = joined([hello(serverName("a.example")), bytes("?")]);
  const times: number[] = [];
  for (let i = 0; i < ASKED; i++) {
    const startedMs = performance.now();
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await writeAll(conn, question);
    await conn.closeWrite();
    assert.equal((await readAll(conn)).length, question.length);
    times.push(performance.now() - startedMs);
  }
  return times.sort((a, b) => a - b)[Math.floor(ASKED * 0.99)] ?? NaN;
}

onEachEngine(
  "honest clients are served as well beside 5,000 silent ones, which are gone at handshake_timeout",
  async (engine) => {
    await using mirror = startMirror();
    await using balancer = await startTestBalancer({
      engine,
      backends: [mirror.address],
      listener: { routes: [{ sni: "a.example", pool: "web" }], pool: undefined, handshake_timeout: "12s" },
      logging: { sessions: false },
    });
    const { balancer: { scoreboard, plan } } = balancer;
    const waiting = (): number => scoreboard.count(plan.listeners[0]?.sessionsRow ?? assert.fail());
    const file = await Deno.makeTempFile({ suffix: ".ts" });
    await Deno.writeTextFile(file, FLOOD);
    const args = ["run", "--no-prompt", "--allow-net=127.0.0.1", file, String(balancer.port), String(SILENT)];
    const quiet = await medianP99(balancer.port);
    await using flood = new RunningCommand([Deno.execPath(), ...args]);
    await until(() => waiting() >= SILENT, "all silent clients are there", 60_000);
    const flooded = await medianP99(balancer.port);
    assert.ok(waiting() >= SILENT, "they were there all the time");
    await until(() => waiting() === 0, "all are gone", 60_000);
    assert.equal((await flood.finished).stdout, "connected\nended\n");
    await Deno.remove(file);
    assert.ok(flooded <= 2 * quiet + SLACK_MS, `${flooded} ms beside them, ${quiet} ms without`);
  },
);

// deno-lint-ignore-file no-await-in-loop no-console -- sessions follow one another, and the curve is the product

/**
 * Many short sessions through one balancer, and its resident memory meanwhile: `deno task soak --sessions 1000000`.
 *
 * The curve is flat when nothing is kept of a session that has ended.
 */

import { parseArgs } from "node:util";
import { type Running, start, untilAccepting, usage } from "./processes.ts";
import { requests } from "./load.ts";

const { values } = parseArgs({ options: { sessions: { type: "string", default: "1000000" } } });
const wanted = Number(values.sessions);
const BACKENDS = [21_801, 21_802, 21_803];
const PORT = 21_800;

/** Long enough for a figure that means something, short enough for a curve. */
const SLICE_SECONDS = 5;

function sockbal(...args: string[]): Running {
  const flags = ["--no-prompt", "--v8-flags=--max-semi-space-size=4", "--allow-net", "--allow-read"];
  return start(["deno", "run", ...flags, "main.ts", ...args]);
}

const running = BACKENDS.map((port) => {
  return sockbal(
    "--role",
    "server",
    "--listen",
    `127.0.0.1:${port}`,
    "--handler",
    "http",
    "--log-level",
    "error",
  );
});
await Promise.all(BACKENDS.map(untilAccepting));
const backends = BACKENDS.flatMap((port) => ["--backend", `127.0.0.1:${port}`]);
const balancer = sockbal("--role", "balancer", "--listen", `127.0.0.1:${PORT}`, ...backends);
await untilAccepting(PORT);

console.log("   sessions   resident MiB");
for (let sessions = 0; sessions < wanted;) {
  const { residentBytes } = await usage(balancer.pid);
  console.log(`${String(sessions).padStart(11)}   ${(residentBytes / 2 ** 20).toFixed(1).padStart(12)}`);
  const load = { connections: 64, seconds: SLICE_SECONDS, keepAlive: false };
  sessions += (await requests(PORT, load)).count;
}
const { residentBytes } = await usage(balancer.pid);
console.log(`${String(wanted).padStart(10)}+   ${(residentBytes / 2 ** 20).toFixed(1).padStart(12)}`);
await Promise.all([balancer, ...running].map((it) => it.stop()));
Deno.exit(0);

// deno-lint-ignore-file no-await-in-loop no-console -- sessions follow one another, and the curve is the product

/**
 * Many short sessions through one balancer, and its resident memory meanwhile: `deno task soak --sessions 1000000`.
 *
 * The curve is flat when nothing is kept of a session that has ended.
 */

import { parseArgs } from "node:util";
import { find, type Running, start, stopAll, untilAccepting, usage } from "./processes.ts";
import { possibleWith } from "./programs.ts";
import { DENO_RUN } from "./proxies.ts";
import { requests } from "./load.ts";

const { values } = parseArgs({ options: { sessions: { type: "string", default: "1000000" } } });
const wanted = Number(values.sessions);
const BACKENDS = [21_801, 21_802, 21_803];
const PORT = 21_800;

/** Long enough for a figure that means something, short enough for a curve. */
const SLICE_SECONDS = 5;

const installed = new Set(await find("wrk") === undefined ? [] : ["wrk"] as const);
const { sentences } = possibleWith([{ name: "soak", needs: ["wrk"] }], installed);
for (const sentence of sentences) console.error(sentence);
if (sentences.length > 0) Deno.exit(1);

function sockbal(...args: string[]): Running {
  return start([...DENO_RUN, "main.ts", ...args]);
}

async function soak(): Promise<void> {
  for (const port of BACKENDS) {
    sockbal(
      ...["--role", "server", "--listen", `127.0.0.1:${port}`, "--handler", "http", "--log-level", "error"],
    );
  }
  await Promise.all(BACKENDS.map(untilAccepting));
  const backends = BACKENDS.flatMap((port) => ["--backend", `127.0.0.1:${port}`]);
  const balancer = sockbal("--role", "balancer", "--listen", `127.0.0.1:${PORT}`, ...backends);
  await untilAccepting(PORT);
  const tell = async (sessions: string): Promise<void> => {
    const { residentBytes } = await usage(balancer.pid);
    console.log(`${sessions.padStart(11)}   ${(residentBytes / 2 ** 20).toFixed(1).padStart(12)}`);
  };

  console.log("   sessions   resident MiB");
  for (let sessions = 0; sessions < wanted;) {
    await tell(String(sessions));
    const load = { connections: 64, seconds: SLICE_SECONDS, keepAlive: false };
    sessions += (await requests(PORT, load)).count;
  }
  await tell(`${wanted}+`);
}

try {
  await soak();
} finally {
  await stopAll();
}
Deno.exit(0);

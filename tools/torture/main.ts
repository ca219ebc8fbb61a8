// deno-lint-ignore-file no-await-in-loop no-console -- one fault after the other; the report is for people

/**
 * Faults thrown at a balancer for as long as you like: `deno task torture --seed 7 --minutes 60 --engine epoll`.
 *
 * Clients talk through it all the while and look at every byte. At the end all is calm again, and nothing may be left over:
 * no session, no descriptor, no count, no old worker. Exit status 1 when something is, or when a byte was wrong.
 */

import { parseArgs } from "node:util";
import { EchoBackend } from "./backend.ts";
import { Balancer } from "./balancer.ts";
import { type Outcome, pause, runClient } from "./client.ts";
import { type Fault, FAULTS } from "./faults.ts";
import { randomOf } from "./random.ts";

const CLIENTS = 12;
const OPEN_FILES = 256;

/** The file of session records may not grow beyond this, as on a full disk. */
const LOG_LIMIT_BYTES = 64 * 1024;

/** After the last fault, until everything has come to rest. */
const CALM_MS = 30_000;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seed: { type: "string" },
    minutes: { type: "string", default: "3" },
    engine: { type: "string", default: "runtime" },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const minutes = Number(values.minutes);
const { engine } = values;
if (!Number.isInteger(seed) || !(minutes > 0) || (engine !== "runtime" && engine !== "epoll")) {
  console.error(
    "torture: --seed takes a whole number, --minutes a number above 0, --engine runtime or epoll",
  );
  Deno.exit(2);
}
console.log(`torture: --seed ${seed} --minutes ${minutes} --engine ${engine}`);
Deno.exit(await torture(engine) ? 0 : 1);

async function torture(engine: "runtime" | "epoll"): Promise<boolean> {
  const random = randomOf(seed);
  const backends = Array.from({ length: 4 }, () => new EchoBackend());
  const folder = await Deno.makeTempDir({ prefix: "sockbal-torture-" });
  const file = `${folder}/balancer.yaml`;
  const [port, adminPort] = [freePort(), freePort()];
  let number = 0;
  const rewriteMembers = async (): Promise<void> => {
    const text = configuration(port, adminPort, backends, number, random.below(2 ** 30));
    await Deno.writeTextFile(`${file}.new`, text);
    await Deno.rename(`${file}.new`, file);
  };
  const rewrite = async (): Promise<void> => {
    number = random.below(2 ** 30);
    await rewriteMembers();
  };
  await rewrite();
  const balancer = new Balancer(file, adminPort, OPEN_FILES, engine);
  let hasExited = false;
  balancer.exited.then(() => hasExited = true);
  await answers(balancer);
  if (!await balancer.limitFileSize(LOG_LIMIT_BYTES)) {
    console.log("no full disk this time: prlimit is missing");
  }
  await warmUp(balancer, rewrite);
  const filesBefore = (await balancer.openFiles()).length;

  const outcomes: Record<Outcome, number> = { whole: 0, cut: 0, refused: 0, left: 0, forgotten: 0, wrong: 0 };
  let received = 0;
  let isOver = false;
  const clients = Array.from({ length: CLIENTS }, async (_, i) => {
    const own = randomOf(seed + i + 1);
    while (!isOver && !hasExited) {
      const result = await runClient(port, own);
      outcomes[result.outcome]++;
      received += result.received;
      if (result.outcome === "refused") await pause(50);
    }
  });

  const names = Object.keys(FAULTS) as [string, ...string[]];
  const done: Record<string, number> = {};
  const endMs = performance.now() + minutes * 60_000;
  while (performance.now() < endMs && !hasExited) {
    const name = random.of(names);
    const fault: Fault | undefined = FAULTS[name];
    done[name] = (done[name] ?? 0) + 1;
    await fault?.({ balancer, backends, random, port, adminPort, rewrite, rewriteMembers });
    await pause(random.below(600));
  }
  isOver = true;
  for (const backend of backends) backend.comeBack();
  await Promise.all(clients);

  const faults = hasExited ? ["the balancer has ended"] : await leftOvers(balancer, filesBefore, received);
  if (outcomes.wrong > 0) faults.push(`${outcomes.wrong} clients got bytes that they had not sent`);
  if (outcomes.forgotten > 0) faults.push(`${outcomes.forgotten} clients were forgotten`);
  if (!hasExited) {
    balancer.signal("SIGTERM");
    const { code } = await balancer.exited;
    if (code !== 0) faults.push(`it ended with status ${code}`);
  }
  for (const backend of backends) backend.die();
  await Deno.remove(folder, { recursive: true });

  console.log("faults:", done);
  console.log("clients:", outcomes, `${received} bytes came back`);
  for (const fault of faults) console.error(`torture: ${fault}`);
  if (faults.length > 0) console.error(balancer.logTail);
  console.log(faults.length === 0 ? "nothing is left over" : `failed; repeat it with --seed ${seed}`);
  return faults.length === 0;
}

/** The runtime opens some files with the first reload, and its debugger with the first SIGUSR1, once and for all. */
async function warmUp(balancer: Balancer, rewrite: () => Promise<void>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const { generation, workers } = await balancer.status();
    const hasReloaded = generation > 1 && workers.every((it) => it.generation === generation);
    // Half a second after the start; where its port is taken, not at all.
    const hasDebugger = tries > 60 || balancer.logTail.includes("Debugger listening");
    if (hasReloaded && hasDebugger) return;
    if (!hasDebugger) balancer.signal("SIGUSR1");
    // Not every change needs new workers.
    if (generation === 1) await rewrite();
    if (generation === 1) balancer.signal("SIGHUP");
    await pause(50);
  }
  throw new Error(`Cannot torture a balancer that does not reload:\n${balancer.logTail}`);
}

/** Waits for calm, and says what is left. */
async function leftOvers(balancer: Balancer, filesBefore: number, received: number): Promise<string[]> {
  const endMs = performance.now() + CALM_MS;
  for (;;) {
    const faults = await look(balancer, filesBefore, received).catch((error) => [String(error)]);
    if (faults.length === 0 || performance.now() > endMs) return faults;
    await pause(250);
  }
}

async function look(balancer: Balancer, filesBefore: number, received: number): Promise<string[]> {
  const { generation, workers, listeners, pools } = await balancer.status();
  const faults: string[] = [];
  const active = listeners.reduce((sum, it) => sum + it.active, 0);
  const slots = pools.flatMap((pool) => pool.backends).reduce((sum, it) => sum + it.active, 0);
  if (active !== 0 || slots !== 0) faults.push(`${active} sessions and ${slots} slots are left`);
  if (workers.some((it) => it.generation !== generation)) faults.push("workers of old generations are left");
  // One more is the connection on which this is asked.
  const files = await balancer.openFiles();
  if (files.length > filesBefore + 2) {
    faults.push(`${files.length} open files, ${filesBefore} at the beginning: ${files.join(", ")}`);
  }
  const counted = await balancer.sum("sockbal_bytes_out_total");
  if (counted < received) faults.push(`${counted} bytes were counted, ${received} came back`);
  return faults;
}

/** One of many configurations that mean the same to a client; those with the same number differ only in their members. */
function configuration(
  port: number,
  adminPort: number,
  backends: readonly EchoBackend[],
  number: number,
  mix: number,
): string {
  // Some leave, some have another name, and those that stay have another order.
  const members = backends.map((it, i) =>
    `{ address: "127.0.0.1:${it.port}", name: b${i}-${(mix >> (i + 4)) % 3}, weight: ${1 + (mix >> i) % 3} }`
  ).filter((_, i) => i === mix % 4 || (mix >> (i + 8)) % 2 === 0);
  const algorithm = ["round_robin", "least_connections", "random_two"][number % 3];
  return `listeners:
  - { name: web, listen: "127.0.0.1:${port}", pool: web, idle_timeout: ${20 + number % 7}s }
pools:
  web:
    algorithm: ${algorithm}
    within: [127.0.0.0/8]
    backends: [${(mix % 2 === 0 ? members : members.toReversed()).join(", ")}]
    retries: 3
    health_check: { interval: 300ms, timeout: 1s, rise: 1, fall: 2 }
    queue: { size: ${number % 2 === 0 ? 0 : 50}, timeout: 2s }
admin: { listen: "127.0.0.1:${adminPort}" }
log: { file: sessions.log, sessions: ${number % 5 === 0 ? "served" : "true"} }
workers: 2
shutdown_timeout: 2s
reload_drain_timeout: 10s
`;
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

async function answers(balancer: Balancer): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      const response = await balancer.ask("GET", "/readyz");
      await response.body?.cancel();
      if (response.ok) return;
    } catch {
      // It starts.
    }
    await pause(50);
  }
  throw new Error(`Cannot torture a balancer that does not get ready:\n${balancer.logTail}`);
}

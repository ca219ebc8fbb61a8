// deno-lint-ignore-file no-await-in-loop no-console -- measurements follow one another, and their report is the product

/** The server on each engine, under the same load of wrk: what it answers in a second of its own processor time. */

import { startServer } from "./backends.ts";
import { requests } from "./load.ts";
import { untilAccepting, usage } from "./processes.ts";
import { median, pairedRatio, short } from "./stats.ts";

const ENGINES = ["runtime", "epoll"] as const;
const FIRST_PORT = 21_911;
const CONNECTIONS = 64;

/** @param seconds How long each load lasts. */
export async function measureServers(rounds: number, seconds: number): Promise<void> {
  const servers = ENGINES.map((engine, i) => {
    const port = FIRST_PORT + i;
    return { engine, port, running: startServer(port, "http", engine) };
  });
  await Promise.all(servers.map(({ port }) => untilAccepting(port)));
  for (const keepAlive of [true, false]) {
    const perCpuSecond = new Map(ENGINES.map((engine) => [engine, [] as number[]]));
    for (let round = 0; round < rounds; round++) {
      // In another order each round: what the machine does otherwise meets all alike.
      for (const { engine, port, running } of round % 2 === 0 ? servers : servers.toReversed()) {
        const before = await usage(running.pid);
        const { count } = await requests(port, { connections: CONNECTIONS, seconds, keepAlive });
        const { cpuSeconds } = await usage(running.pid);
        perCpuSecond.get(engine)?.push(count / (cpuSeconds - before.cpuSeconds));
      }
    }
    const [runtime = [], epoll = []] = ENGINES.map((engine) => perCpuSecond.get(engine));
    const how = keepAlive ? `${CONNECTIONS} kept connections` : "a connection each";
    const ratio = pairedRatio(epoll, runtime).toFixed(2);
    console.log(
      `\nour server, handler http, ${how}: requests a processor second of the server\n` +
        `  runtime ${short(median(runtime))}   epoll ${short(median(epoll))} (${ratio})`,
    );
  }
}

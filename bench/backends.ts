/** What stands behind the programs under measurement. */

import { type Running, start, untilAccepting, untilAnswering } from "./processes.ts";
import type { Program } from "./programs.ts";
import { type Backends, benchProgram, DENO_RUN } from "./proxies.ts";

export interface BackendTools {
  /** Where they are. */
  readonly programs: ReadonlyMap<Program, string>;
  /** Gives a port that nothing else has. */
  readonly port: () => number;
}

/**
 * Three HTTP servers of each kind in one process of HAProxy, which spends less on a request than any proxy does, iperf3, a server
 * that sends without end, and one that sends datagrams back.
 *
 * @param pem A certificate with its key.
 */
export async function startBackends(
  folder: string,
  pem: string | undefined,
  { programs, port }: BackendTools,
): Promise<Backends> {
  const threePorts = (): number[] => [port(), port(), port()];
  const backends = {
    ...{ requests: threePorts(), introduced: threePorts(), tls: threePorts() },
    ...{ bulk: port(), chargen: port(), datagrams: port() },
  };
  const bind = (ports: readonly number[], options = ""): string =>
    ports.map((it) => `  bind 127.0.0.1:${it} backlog 4096 ${options}`).join("\n");
  const binds = [
    bind(backends.requests),
    bind(backends.introduced, "accept-proxy"),
    ...(pem === undefined ? [] : [bind(backends.tls, `ssl crt ${pem}`)]),
  ].join("\n");
  await Deno.writeTextFile(
    `${folder}/backends.cfg`,
    `global
  nbthread 2
  maxconn 9900
defaults
  mode http
  timeout client 10m
  timeout http-keep-alive 10m
frontend backends
${binds}
  http-request return status 200 content-type text/plain string "${"hello ".repeat(20)}"
`,
  );
  start([programs.get("haproxy") ?? "haproxy", "-db", "-f", `${folder}/backends.cfg`]);
  const iperf3 = programs.get("iperf3");
  if (iperf3 !== undefined) start([iperf3, "-s", "-B", "127.0.0.1", "-p", String(backends.bulk)]);
  startServer(backends.chargen, "chargen");
  start(benchProgram("udp_echo.ts", backends.datagrams));
  await Promise.all([
    ...[...backends.requests, backends.chargen].map(untilAccepting),
    untilAnswering(backends.datagrams),
  ]);
  return backends;
}

/** Our own server, with one of its handlers. */
export function startServer(
  at: number,
  handler: string,
  engine: "runtime" | "epoll" = "runtime",
): Running {
  const args = [
    "--role",
    "server",
    "--listen",
    `127.0.0.1:${at}`,
    "--handler",
    handler,
    "--engine",
    engine,
    "--log-level",
    "error",
  ];
  const ffi = engine === "epoll" ? ["--allow-ffi"] : [];
  return start([...DENO_RUN, ...ffi, "main.ts", ...args]);
}

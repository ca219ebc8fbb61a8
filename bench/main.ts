// deno-lint-ignore-file no-await-in-loop no-console -- measurements follow one another, and their report is the product

/**
 * sockbal beside its peers, on one machine, in one run: `deno task bench`.
 *
 * Every measure is taken of every proxy in turn, round after round, so that the machine's drift meets all alike; the
 * table shows medians, and the median of the ratios to HAProxy, round by round; to nginx for datagrams, which HAProxy does not
 * balance. A row without any proxy is the ceiling.
 *
 *   --rounds N      how often each measure is taken (5)
 *   --seconds N     how long a load lasts (4)
 *   --threads N     threads of each proxy (2)
 *   --only NAME     only this measure, or this proxy beside HAProxy; may be repeated
 *   --json FILE     keep all figures
 */

import { parseArgs } from "node:util";
import { startBackends, startServer } from "./backends.ts";
import { makeCertificate } from "./certificate.ts";
import { openIdleSessions } from "./idle.ts";
import {
  bulk,
  type BulkFigures,
  bulkOfTls,
  DATAGRAM_LOADS,
  datagrams,
  type RequestLoad,
  requests,
} from "./load.ts";
import { findAll, run, type Running, start, stopAll, untilAccepting, usage } from "./processes.ts";
import { type Needing, possibleWith, type Program } from "./programs.ts";
import { type Backends, type Ports, PROXIES, type Proxy, SERVER_NAME } from "./proxies.ts";
import { DIRECT, type Figures, keep, printTable } from "./table.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    threads: { type: "string", default: "2" },
    only: { type: "string", multiple: true, default: [] },
    json: { type: "string" },
  },
});
const rounds = Number(flags.rounds);
const seconds = Number(flags.seconds);
const threads = Number(flags.threads);

/** What is measured of a target; several figures may come from one load. */
interface Measure extends Needing {
  readonly take: (target: Target) => Promise<Record<string, number>>;
}

/** A proxy that runs, or the backends themselves. */
interface Target {
  readonly name: string;
  readonly ports: Ports;
  readonly pids: readonly number[];
  /** Whether it serves the ports for what is looked into. */
  readonly looksInside: boolean;
  /** Whether it serves the ports for datagrams. */
  readonly hasDatagrams: boolean;
}

const IDLE_SESSIONS = 9_000;

/** Between opening or closing the idle sessions and looking at the memory. */
const SETTLE_MS = 5_000;

async function cpuSeconds(target: Target): Promise<number> {
  const used = await Promise.all(target.pids.map(usage));
  return used.reduce((sum, it) => sum + it.cpuSeconds, 0);
}

async function residentBytes(target: Target): Promise<number> {
  const used = await Promise.all(target.pids.map(usage));
  return used.reduce((sum, it) => sum + it.residentBytes, 0);
}

async function requestFigures(
  target: Target,
  connections: number,
  keepAlive: boolean,
): Promise<Record<string, number>> {
  const label = keepAlive ? `keep-alive ${connections}` : "new connections";
  return await loadFigures(label, target, target.ports.requests, { connections, keepAlive });
}

/** New connections that begin with a PROXY header, of version 2; so do those to the backends. */
async function introducedFigures(target: Target): Promise<Record<string, number>> {
  if (!target.looksInside) return {};
  const script = new URL("introduced.lua", import.meta.url).pathname;
  const load = { connections: 64, keepAlive: false, script };
  return await loadFigures("PROXY v2 in and out", target, target.ports.introduced, load);
}

/** New connections of TLS, by name and as any bytes. */
async function passthroughFigures(target: Target): Promise<Record<string, number>> {
  if (!target.looksInside) return {};
  const load = { connections: 64, keepAlive: false, origin: `https://${SERVER_NAME}` } as const;
  return {
    ...await loadFigures("TLS by name", target, target.ports.named, load),
    ...await loadFigures("TLS as any bytes", target, target.ports.tls, load),
  };
}

/** TLS that ends at the proxy: new connections with a full handshake each, requests over those that are kept, bulk data. */
async function terminationFigures(target: Target): Promise<Record<string, number>> {
  if (!target.looksInside) return {};
  const load = { connections: 64, origin: `https://${SERVER_NAME}` } as const;
  const { ended, endedBulk } = target.ports;
  return {
    ...await loadFigures("TLS ended, new connections", target, ended, { ...load, keepAlive: false }),
    ...await loadFigures("TLS ended, keep-alive 64", target, ended, { ...load, keepAlive: true }),
    ...target.pids.length > 0 &&
      await bulkFigures("TLS ended, bulk", target, () => bulkOfTls(endedBulk, seconds)),
  };
}

async function loadFigures(
  label: string,
  target: Target,
  port: number,
  load: Omit<RequestLoad, "seconds">,
): Promise<Record<string, number>> {
  const before = await cpuSeconds(target);
  const figures = await requests(port, { ...load, seconds });
  const usedSeconds = await cpuSeconds(target) - before;
  return {
    [`${label}: requests/s`]: figures.perSecond,
    [`${label}: p99 ms`]: figures.p99Ms,
    [`${label}: cpu µs/request`]: target.pids.length === 0 ? NaN : usedSeconds / figures.count * 1e6,
    ...figures.errors > 0 && { [`${label}: errors`]: figures.errors },
  };
}

async function bulkFigures(
  label: string,
  target: Target,
  load: () => Promise<BulkFigures>,
): Promise<Record<string, number>> {
  const before = await cpuSeconds(target);
  const figures = await load();
  const usedSeconds = await cpuSeconds(target) - before;
  return {
    [`${label}: bytes/s`]: figures.bytesPerSecond,
    [`${label}: cpu s/GiB`]: target.pids.length === 0 ? NaN : usedSeconds / figures.bytes * 2 ** 30,
  };
}

function plainBulkFigures(target: Target, streams: number): Promise<Record<string, number>> {
  return bulkFigures(`bulk ${streams}`, target, () => bulk(target.ports.bulk, { streams, seconds }));
}

/** Datagrams of one flow, many of them on their way; of many flows, one of each; and of flows that have one question and one answer. */
async function datagramFigures(target: Target): Promise<Record<string, number>> {
  if (!target.hasDatagrams) return {};
  const figures: Record<string, number> = {};
  for (const { label, at, ...load } of DATAGRAM_LOADS) {
    let before = 0;
    const onReady = async (): Promise<void> => void (before = await cpuSeconds(target));
    const { answers, perSecond, lost } = await datagrams(target.ports[at], load, { seconds, onReady });
    const usedSeconds = await cpuSeconds(target) - before;
    figures[`${label}: answers/s`] = perSecond;
    figures[`${label}: lost %`] = 100 * lost;
    figures[`${label}: cpu µs/answer`] = target.pids.length === 0 ? NaN : usedSeconds / answers * 1e6;
  }
  return figures;
}

/** Small requests while one session moves bulk data as fast as it can: no session is to starve. */
async function fairnessFigures(target: Target): Promise<Record<string, number>> {
  const load = { connections: 64, seconds, keepAlive: true };
  const quiet = await requests(target.ports.requests, load);
  const [beside] = await Promise.all([
    requests(target.ports.requests, load),
    bulk(target.ports.bulk, { streams: 1, seconds: seconds + 1 }),
  ]);
  return { "p99 beside a bulk stream / quiet": beside.p99Ms / quiet.p99Ms };
}

/** The backends of every measure are one haproxy. */
const REQUESTS: readonly Program[] = ["haproxy", "wrk"];
const BULK: readonly Program[] = ["haproxy", "iperf3"];

const MEASURES: readonly Measure[] = [
  { name: "keepalive64", needs: REQUESTS, take: (target) => requestFigures(target, 64, true) },
  { name: "keepalive512", needs: REQUESTS, take: (target) => requestFigures(target, 512, true) },
  { name: "newconnections", needs: REQUESTS, take: (target) => requestFigures(target, 64, false) },
  { name: "proxyprotocol", needs: REQUESTS, take: introducedFigures },
  { name: "passthrough", needs: [...REQUESTS, "openssl"], take: passthroughFigures },
  { name: "termination", needs: [...REQUESTS, "openssl", "curl"], take: terminationFigures },
  { name: "bulk1", needs: BULK, take: (target) => plainBulkFigures(target, 1) },
  { name: "bulk8", needs: BULK, take: (target) => plainBulkFigures(target, 8) },
  { name: "udp", needs: ["haproxy"], take: datagramFigures },
  { name: "fairness", needs: ["haproxy", "wrk", "iperf3"], take: fairnessFigures },
];

/** Taken of proxies that are started for it. */
const MEASURES_OF_STARTED: readonly Needing[] = [
  { name: "start", needs: ["haproxy"] },
  { name: "memory", needs: ["haproxy"] },
];

const measureNames = [...MEASURES, ...MEASURES_OF_STARTED].map((it) => it.name);
const proxyNames = PROXIES.map((it) => it.name);
const names = [...measureNames, ...proxyNames];
const unknown = flags.only.find((it) => !names.includes(it));
if (unknown !== undefined) {
  console.error(`There is no ${unknown} to measure; --only takes ${names.join(", ")}`);
  Deno.exit(2);
}
const onlyMeasures = flags.only.filter((it) => measureNames.includes(it));
const programs = await findAll(["haproxy", "wrk", "iperf3", "openssl", "curl"]);
const { measures, sentences } = possibleWith(
  [...MEASURES, ...MEASURES_OF_STARTED].filter(({ name }) => {
    return onlyMeasures.length === 0 || onlyMeasures.includes(name);
  }),
  new Set(programs.keys()),
);
for (const sentence of sentences) console.error(sentence);
if (measures.length === 0) Deno.exit(1);
const chosen = (name: string): boolean => measures.some((it) => it.name === name);
const onlyProxies = flags.only.filter((it) => proxyNames.includes(it));
const proxies = PROXIES.filter(({ name }) => {
  return onlyProxies.length === 0 || onlyProxies.includes(name) || name === "haproxy";
});

let nextPort = 21_000;
const port = (): number => nextPort++;

async function startProxy(
  proxy: Proxy,
  backends: Backends,
  folder: string,
  pem: string | undefined,
): Promise<{ target: Target; running: Running[]; readyMs: number } | undefined> {
  const ports = {
    ...{ requests: port(), bulk: port(), introduced: port(), named: port(), tls: port() },
    ...{ ended: port(), endedBulk: port(), datagrams: port(), questions: port() },
  };
  const commands = await proxy.command({ ports, backends, threads, folder, pem });
  if (commands === undefined) return undefined;
  const running = commands.map((command) => start(command));
  const { ended, endedBulk, datagrams: _, questions: _questions, ...others } = ports;
  const all = [...Object.values(others), ...(pem === undefined ? [] : [ended, endedBulk])];
  const accepting = proxy.looksInside ? all : [ports.requests, ports.bulk];
  const waits = await Promise.all(accepting.map(untilAccepting));
  const readyMs = Math.max(...waits);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const { name, looksInside, hasDatagrams } = proxy;
  const pids = running.map((it) => it.pid);
  return { target: { name, looksInside, hasDatagrams, ports, pids }, running, readyMs };
}

/** How long it takes from the start of the process until it is ready: it accepts on all of its ports. */
async function startFigures(
  proxy: Proxy,
  backends: Backends,
  folder: string,
  pem: string | undefined,
): Promise<Record<string, number>> {
  const started = await startProxy(proxy, backends, folder, pem);
  if (started === undefined) return {};
  await Promise.all(started.running.map((it) => it.stop()));
  return { "start to ready: ms": started.readyMs };
}

/** Memory at rest and with idle sessions, and again with a second wave of them after the first has gone. */
async function memoryFigures(proxy: Proxy, folder: string): Promise<Record<string, number>> {
  const echo = [port(), port(), port()];
  const servers = echo.map((it) => startServer(it, "echo"));
  await Promise.all(echo.map(untilAccepting));
  const started = await startProxy(
    proxy,
    {
      ...{ requests: echo, introduced: echo, tls: echo },
      ...{ bulk: echo[0] ?? 0, chargen: echo[0] ?? 0, datagrams: echo[0] ?? 0 },
    },
    folder,
    undefined,
  );
  if (started === undefined) return {};
  const { target, running } = started;
  const rest = await residentBytes(target);
  const waves: number[] = [];
  for (let wave = 0; wave < 2; wave++) {
    const sessions = await openIdleSessions(target.ports.requests, IDLE_SESSIONS);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    waves.push(await residentBytes(target));
    sessions.close();
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  }
  await Promise.all([...running, ...servers].map((it) => it.stop()));
  const [first = NaN, second = NaN] = waves;
  return {
    "memory at rest: bytes": rest,
    [`memory with ${IDLE_SESSIONS} idle sessions: bytes`]: first,
    "memory an idle session: bytes": (first - rest) / IDLE_SESSIONS,
    "memory of a second wave / the first": second / first,
  };
}

async function machine(): Promise<string[]> {
  const [kernel, cpu, ...versions] = await Promise.all([
    run(["uname", "-sr"]),
    run(["sh", "-c", "grep -m1 'model name' /proc/cpuinfo | cut -d: -f2"]),
    run(["deno", "--version"]),
    run(["sh", "-c", "haproxy -v; nginx -v 2>&1; wrk -v; iperf3 --version"]),
  ]);
  const lines = versions.join("\n").split("\n").filter((line) =>
    /^(deno|v8|HAProxy version|nginx|wrk|iperf) /i.test(line)
  );
  return [`${kernel.trim()}, ${navigator.hardwareConcurrency} cores, ${cpu.trim()}`, ...lines];
}

/** In another order each round: what one leaves behind, such as connections that are not quite closed, meets others. */
function rotated<T>(list: readonly T[], by: number): T[] {
  const first = by % list.length;
  return [...list.slice(first), ...list.slice(0, first)];
}

async function measureAll(folder: string): Promise<void> {
  const figures: Figures = new Map();
  const openssl = programs.get("openssl");
  const pem = openssl === undefined ? undefined : await makeCertificate(openssl, folder);
  const backends = await startBackends(folder, pem, { programs, port });
  const targets: Target[] = [
    {
      name: DIRECT,
      ports: {
        requests: backends.requests[0] ?? 0,
        bulk: backends.bulk,
        introduced: backends.introduced[0] ?? 0,
        named: backends.tls[0] ?? 0,
        tls: backends.tls[0] ?? 0,
        ended: backends.tls[0] ?? 0,
        endedBulk: backends.chargen,
        datagrams: backends.datagrams,
        questions: backends.datagrams,
      },
      pids: [],
      looksInside: true,
      hasDatagrams: true,
    },
  ];
  const installed: Proxy[] = [];
  const running: Running[] = [];
  for (const proxy of proxies) {
    const started = await startProxy(proxy, backends, folder, pem);
    if (started === undefined) {
      console.log(`${proxy.name} is left out: not installed (apt-get install ${proxy.packages})`);
      continue;
    }
    installed.push(proxy);
    targets.push(started.target);
    running.push(...started.running);
  }

  const machineLines = await machine();
  for (const line of machineLines) console.log(line);
  console.log(
    `${rounds} rounds of ${seconds} s, ${threads} threads a proxy; in parentheses the ratio to haproxy, of UDP to nginx\n`,
  );
  for (const measure of MEASURES.filter(({ name }) => chosen(name))) {
    for (let round = 0; round < rounds; round++) {
      for (const target of rotated(targets, round)) keep(figures, target.name, await measure.take(target));
    }
  }
  await Promise.all(running.map((it) => it.stop()));
  for (let round = 0; round < (chosen("start") ? rounds : 0); round++) {
    for (const proxy of rotated(installed, round)) {
      keep(figures, proxy.name, await startFigures(proxy, backends, folder, pem));
    }
  }
  for (const proxy of chosen("memory") ? installed : []) {
    keep(figures, proxy.name, await memoryFigures(proxy, folder));
  }
  printTable(figures, targets.map((target) => target.name));
  if (flags.json === undefined) return;
  const all = Object.fromEntries(
    [...figures].map(([name, byTarget]) => [name, Object.fromEntries(byTarget)]),
  );
  const kept = { machine: machineLines, rounds, seconds, threads, figures: all };
  await Deno.writeTextFile(flags.json, JSON.stringify(kept, null, 2));
}

const folder = await Deno.makeTempDir({ prefix: "sockbal-bench-" });
try {
  await measureAll(folder);
} finally {
  await stopAll();
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(0);

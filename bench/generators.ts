// deno-lint-ignore-file no-await-in-loop no-console -- measurements follow one another, and their report is the product

/**
 * The client's load beside wrk and iperf3, and the server on either engine, on one machine, in one run: `deno task bench:load`.
 *
 * What is compared is what a generator does in a second of processor time, of its own and without its start: all of them load the
 * same server, which is the bottleneck, so that rates and latencies are to agree. Medians, and the median of the ratios round by round.
 *
 *   --rounds N      how often each is measured (5)
 *   --seconds N     how long a load lasts (4)
 */

import { parseArgs } from "node:util";
import { startServer } from "./backends.ts";
import { findAll, run, start, stopAll, untilAccepting } from "./processes.ts";
import { DENO_RUN } from "./proxies.ts";
import { measureServers } from "./servers.ts";
import { median, pairedRatio, short } from "./stats.ts";

const { values: flags } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, seconds: { type: "string", default: "4" } },
});
const rounds = Number(flags.rounds);
const seconds = Number(flags.seconds);

const MAIN = new URL("../main.ts", import.meta.url).pathname;

const HTTP_PORT = 21_901;
const DISCARD_PORT = 21_902;
const IPERF3_PORT = 21_903;
const CONNECTIONS = 64;

/** What a generator has done, of what is counted. */
interface Done {
  readonly units: number;
  readonly perSecond: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
}

interface Generator {
  readonly name: string;
  readonly command: (seconds: number) => readonly string[];
  readonly read: (report: string) => Done;
  /** As short a run as there is, whose time is that of the start; undefined for what starts at once. */
  readonly start?: readonly string[];
}

interface Measure {
  readonly title: string;
  readonly unit: string;
  /** The first is what the others are compared with. */
  readonly generators: readonly Generator[];
}

/** Our own. */
function sockbal(
  engine: string,
  port: number,
  args: readonly string[],
  unit: "requests" | "bytes",
): Generator {
  const ffi = engine === "epoll" ? ["--allow-ffi"] : [];
  const client = [
    "--role",
    "client",
    "--connect",
    `127.0.0.1:${port}`,
    "--engine",
    engine,
    "--json",
    ...args,
  ];
  const command = [...DENO_RUN, ...ffi, MAIN, ...client];
  return {
    name: engine,
    command: (seconds) => [...command, "--duration", `${seconds}s`],
    start: [...command, "--requests", "1"],
    read: (report) => {
      const { requests, bytes, duration_s, latency_ms } = JSON.parse(report);
      const units = unit === "requests" ? requests : bytes.sent;
      return { units, perSecond: units / duration_s, p50Ms: latency_ms.p50, p99Ms: latency_ms.p99 };
    },
  };
}

const WRK: Generator = {
  name: "wrk",
  command: (seconds) => [
    ...["wrk", "-t", "1", "-c", String(CONNECTIONS), "-d", `${seconds}s`, "--latency"],
    `http://127.0.0.1:${HTTP_PORT}/`,
  ],
  read: (report) => ({
    units: Number(/(\d+) requests in/.exec(report)?.[1]),
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(report)?.[1]),
    p50Ms: milliseconds(/^\s+50%\s+([\d.]+)(us|ms|s)/m.exec(report)),
    p99Ms: milliseconds(/^\s+99%\s+([\d.]+)(us|ms|s)/m.exec(report)),
  }),
};

const IPERF3: Generator = {
  name: "iperf3",
  command: (seconds) => ["iperf3", "-c", "127.0.0.1", "-p", String(IPERF3_PORT), "-t", String(seconds), "-J"],
  read: (report) => {
    const { bytes, bits_per_second } = JSON.parse(report).end.sum_sent;
    return { units: bytes, perSecond: bits_per_second / 8 };
  },
};

const HTTP = ["--connections", String(CONNECTIONS), "--expect", "http"];
// iperf3 writes as much at a time.
const BULK = ["--payload-size", "128KiB", "--expect", "bytes:0"];

const MEASURES: readonly Measure[] = [
  {
    title: `requests over ${CONNECTIONS} kept connections`,
    unit: "requests",
    generators: [
      WRK,
      sockbal("epoll", HTTP_PORT, HTTP, "requests"),
      sockbal("runtime", HTTP_PORT, HTTP, "requests"),
    ],
  },
  {
    title: "bulk data over one connection",
    unit: "bytes",
    generators: [
      IPERF3,
      sockbal("epoll", DISCARD_PORT, BULK, "bytes"),
      sockbal("runtime", DISCARD_PORT, BULK, "bytes"),
    ],
  },
];

function milliseconds(match: RegExpExecArray | null): number {
  const scale: Record<string, number> = { us: 0.001, ms: 1, s: 1000 };
  return match === null ? NaN : Number(match[1]) * (scale[match[2] ?? ""] ?? NaN);
}

/** Runs a command, and gives its output and the seconds of processor time that it took: the shell knows (`times`). */
async function timed(command: readonly string[]): Promise<{ output: string; cpuSeconds: number }> {
  const text = await run(["sh", "-c", '"$@"; echo; times', "sh", ...command]);
  const [, output = "", minutes = "", secs = "", sysMinutes = "", sysSecs = ""] =
    /^([^]*)\n.*\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s\n$/.exec(text) ?? [];
  return {
    output,
    cpuSeconds: Number(minutes) * 60 + Number(secs) + Number(sysMinutes) * 60 + Number(sysSecs),
  };
}

interface Taken extends Done {
  readonly perCpuSecond: number;
}

async function take(generator: Generator): Promise<Taken> {
  const startSeconds = generator.start === undefined ? 0 : (await timed(generator.start)).cpuSeconds;
  const { output, cpuSeconds } = await timed(generator.command(seconds));
  const done = generator.read(output);
  return { ...done, perCpuSecond: done.units / (cpuSeconds - startSeconds) };
}

async function measure({ title, unit, generators }: Measure): Promise<void> {
  const taken = generators.map((): Taken[] => []);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < generators.length; i++) {
      // In another order each round: what the machine does otherwise meets all alike.
      const at = (i + round) % generators.length;
      const generator = generators[at];
      if (generator !== undefined) taken[at]?.push(await take(generator));
    }
  }
  const [base = []] = taken;
  console.log(`\n${title}; in parentheses the ratio to ${generators[0]?.name}`);
  const rows: [string, (taken: Taken) => number | undefined][] = [
    [`${unit} a processor second`, ({ perCpuSecond }) => perCpuSecond],
    [`${unit} a second`, ({ perSecond }) => perSecond],
    ["p50 ms", ({ p50Ms }) => p50Ms],
    ["p99 ms", ({ p99Ms }) => p99Ms],
  ];
  console.log(["".padEnd(28), ...generators.map(({ name }) => name.padStart(16))].join(""));
  for (const [label, of] of rows) {
    if (base.every((it) => of(it) === undefined)) continue;
    const cells = taken.map((list, i) => {
      const values = list.map((it) => of(it) ?? NaN);
      const ratio = i === 0 ? "" : ` (${pairedRatio(values, base.map((it) => of(it) ?? NaN)).toFixed(2)})`;
      return `${short(median(values))}${ratio}`.padStart(16);
    });
    console.log(label.padEnd(28) + cells.join(""));
  }
}

const programs = await findAll(["wrk", "iperf3"]);
try {
  startServer(HTTP_PORT, "http");
  // What it reads with has to be as fast as what iperf3 reads with.
  startServer(DISCARD_PORT, "discard", "epoll");
  if (programs.has("iperf3")) start(["iperf3", "-s", "-B", "127.0.0.1", "-p", String(IPERF3_PORT)]);
  await Promise.all([HTTP_PORT, DISCARD_PORT].map(untilAccepting));
  console.log(`${rounds} rounds of ${seconds} s; one thread each`);
  if (programs.has("wrk")) await measureServers(rounds, seconds);
  for (const one of MEASURES) {
    const needed = one.generators[0]?.name === "wrk" ? "wrk" : "iperf3";
    if (programs.has(needed)) await measure(one);
    else {console.error(
        `${needed} is not installed (apt-get install ${needed}), so "${one.title}" is left out`,
      );}
  }
} finally {
  await stopAll();
}
Deno.exit(0);

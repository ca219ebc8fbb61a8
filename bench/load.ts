/** Load from programs that were made for it, and what they report. */

import { run } from "./processes.ts";
import { benchProgram } from "./proxies.ts";

export interface RequestFigures {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly count: number;
  /** Connections that failed, and answers that were not what the backends say. */
  readonly errors: number;
}

export interface RequestLoad {
  readonly connections: number;
  readonly seconds: number;
  /** Whether connections are kept, or each request has one of its own. */
  readonly keepAlive: boolean;
  /** Where they go; the host is also the name that TLS asks for. */
  readonly origin?: `${"http" | "https"}://${string}`;
  /** A file with a program for wrk, which makes the requests. */
  readonly script?: string;
}

/** HTTP requests from wrk. */
export async function requests(
  port: number,
  { origin = "http://127.0.0.1", script, ...options }: RequestLoad,
): Promise<RequestFigures> {
  const close = options.keepAlive ? [] : ["-H", "Connection: close"];
  const report = await run([
    "wrk",
    ...["-t", "2", "-c", String(options.connections), "-d", `${options.seconds}s`, "--latency", ...close],
    ...(script === undefined ? [] : ["-s", script]),
    `${origin}:${port}/`,
  ]);
  const count = Number(/(\d+) requests in/.exec(report)?.[1] ?? 0);
  if (count === 0) throw new Error(`Cannot measure: no request to port ${port} was answered`);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+)/.exec(report)?.slice(1) ?? [];
  const wrong = /Non-2xx or 3xx responses: (\d+)/.exec(report)?.[1] ?? "0";
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(report)?.[1]),
    p99Ms: milliseconds(/^\s+99%\s+([\d.]+)(us|ms|s)/m.exec(report)),
    count,
    errors: [...errors, wrong].map(Number).reduce((sum, it) => sum + it),
  };
}

function milliseconds(match: RegExpExecArray | null): number {
  const scale: Record<string, number> = { us: 0.001, ms: 1, s: 1000 };
  return match === null ? NaN : Number(match[1]) * (scale[match[2] ?? ""] ?? NaN);
}

export interface BulkFigures {
  readonly bytesPerSecond: number;
  readonly bytes: number;
}

/** Bulk data from iperf3, over one or more streams. */
export async function bulk(
  port: number,
  options: { streams: number; seconds: number },
): Promise<BulkFigures> {
  const report = await run([
    "iperf3",
    ...[
      "-c",
      "127.0.0.1",
      "-p",
      String(port),
      "-P",
      String(options.streams),
      "-t",
      String(options.seconds),
      "-J",
    ],
  ]);
  const { end } = JSON.parse(report) as {
    end?: { sum_received?: { bytes: number; bits_per_second: number } };
  };
  const received = end?.sum_received;
  if (received === undefined) throw new Error(`Cannot measure: no bulk data came through port ${port}`);
  return { bytes: received.bytes, bytesPerSecond: received.bits_per_second / 8 };
}

/** Bulk data through TLS from a server that sends without end, which curl takes for HTTP/0.9, over one stream. */
export async function bulkOfTls(port: number, seconds: number): Promise<BulkFigures> {
  const report = await run([
    ...[
      "curl",
      "--silent",
      "--insecure",
      "--http0.9",
      "--output",
      "/dev/null",
      "--max-time",
      String(seconds),
    ],
    ...["--write-out", "%{size_download} %{speed_download}", `https://127.0.0.1:${port}/`],
  ]);
  const [bytes = 0, bytesPerSecond = 0] = report.split(" ").map(Number);
  if (bytes === 0) throw new Error(`Cannot measure: no bulk data came through port ${port}`);
  return { bytes, bytesPerSecond };
}

export interface DatagramFigures {
  readonly answers: number;
  readonly perSecond: number;
  /** The part that was not answered. */
  readonly lost: number;
}

export interface DatagramLoad {
  readonly flows: number;
  /** Datagrams of a flow that are on their way at once. */
  readonly window: number;
  /** A flow ends with so many answers, and another begins; 0 lets it go on. */
  readonly answersEach: number;
}

/** What is measured, and the port that it goes to. */
export const DATAGRAM_LOADS: readonly (DatagramLoad & {
  readonly label: string;
  readonly at: "datagrams" | "questions";
})[] = [
  { label: "UDP, one flow", at: "datagrams", flows: 1, window: 32, answersEach: 0 },
  { label: "UDP, 1000 flows", at: "datagrams", flows: 1_000, window: 1, answersEach: 0 },
  { label: "UDP, new flows", at: "questions", flows: 64, window: 1, answersEach: 1 },
];

/**
 * Datagrams that are answered, from a program of the bench.
 *
 * @param onReady Waited for when its flows are there.
 */
export async function datagrams(
  port: number,
  { flows, window, answersEach }: DatagramLoad,
  { seconds, onReady }: { readonly seconds: number; readonly onReady: () => Promise<void> },
): Promise<DatagramFigures> {
  const [program = "", ...args] = benchProgram("udp_load.ts", port, flows, window, answersEach, seconds);
  const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "null" }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  // It writes a line at a time.
  if ((await output.read()).value !== "ready\n") {
    throw new Error(`Cannot measure: no flow came through port ${port}`);
  }
  await onReady();
  const stdin = child.stdin.getWriter();
  await stdin.write(new Uint8Array(1));
  const { value: report = "" } = await output.read();
  await Promise.all([stdin.close(), output.cancel(), child.status]);
  const { answers, lost, seconds: taken } = JSON.parse(report) as Record<
    "answers" | "lost" | "seconds",
    number
  >;
  return { answers, perSecond: answers / taken, lost: lost / (answers + lost) };
}

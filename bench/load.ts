/** Load from programs that were made for it, and what they report. */

import { run } from "./processes.ts";

export interface RequestFigures {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly count: number;
}

/** HTTP requests from wrk, over connections that are kept, or with one connection for each request. */
export async function requests(
  port: number,
  options: { connections: number; seconds: number; keepAlive: boolean },
): Promise<RequestFigures> {
  const close = options.keepAlive ? [] : ["-H", "Connection: close"];
  const report = await run([
    "wrk",
    ...["-t", "2", "-c", String(options.connections), "-d", `${options.seconds}s`, "--latency", ...close],
    `http://127.0.0.1:${port}/`,
  ]);
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(report)?.[1] ?? 0),
    p99Ms: milliseconds(/^\s+99%\s+([\d.]+)(us|ms|s)/m.exec(report)),
    count: Number(/(\d+) requests in/.exec(report)?.[1] ?? 0),
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
  return {
    bytes: end?.sum_received?.bytes ?? 0,
    bytesPerSecond: (end?.sum_received?.bits_per_second ?? 0) / 8,
  };
}

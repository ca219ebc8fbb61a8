/** Checks and backends to check, as the tests need them. */

import type { Address, TcpAddress } from "../../lib/core/address.ts";
import { type Connection, writeAll } from "../../lib/core/connection.ts";
import type {
  CheckResult,
  CheckTiming,
  ExpectCheck,
  HealthCheck,
  HttpCheck,
  Probe,
} from "../../lib/health/check.ts";
import { prepareProbe } from "../../lib/health/probe.ts";
import { startBackend, type TestBackend } from "../support/backend.ts";
import { bytes } from "../support/bytes.ts";

/** No test that passes waits for so long. */
const TIMING: CheckTiming = { intervalMs: 1_000, timeoutMs: 10_000, rise: 2, fall: 3, port: undefined };

export function tcpCheck(timing: Partial<CheckTiming> = {}): HealthCheck {
  return { ...TIMING, ...timing, type: "tcp" };
}

export function httpCheck(changes: Partial<CheckTiming & HttpCheck> = {}): HealthCheck {
  return {
    ...TIMING,
    type: "http",
    path: "/",
    host: undefined,
    expectStatus: [{ from: 200, to: 399 }],
    ...changes,
  };
}

export function expectCheck(
  send: string,
  expect: string,
  timing: Partial<CheckTiming> = {},
): CheckTiming & ExpectCheck {
  return { ...TIMING, ...timing, type: "expect", send, expect, quit: "" };
}

export function local(port: number): TcpAddress {
  return { transport: "tcp", host: "127.0.0.1", port };
}

/** One check of a backend on this machine, when it is over; undefined when nothing was found out. */
export function probe(
  port: number,
  check: HealthCheck,
  stop: AbortSignal = new AbortController().signal,
): Promise<CheckResult | undefined> {
  return probeAt(local(port), prepareProbe(check), stop);
}

/** One check that has been prepared. */
export async function probeAt(
  address: Address,
  prepared: Probe,
  stop: AbortSignal = new AbortController().signal,
): Promise<CheckResult | undefined> {
  let result: CheckResult | undefined;
  await prepared(address, stop, (it) => result = it);
  return result;
}

/** Writes the pieces, each by itself. */
export async function writePieces(
  conn: Connection,
  pieces: Iterable<string | Uint8Array>,
): Promise<void> {
  for (const piece of pieces) {
    // deno-lint-ignore no-await-in-loop -- the order is the point
    await writeAll(conn, typeof piece === "string" ? bytes(piece) : piece);
    // deno-lint-ignore no-await-in-loop -- the other side may read in between
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** Reads up to the end of a request, which a connection that is closed should not leave unread. */
export async function readRequest(conn: Pick<Connection, "read">): Promise<string> {
  let request = "";
  const buffer = new Uint8Array(4096);
  while (!request.includes("\r\n\r\n")) {
    // deno-lint-ignore no-await-in-loop -- a request is read in order
    const filled = await conn.read(buffer);
    if (filled === null) break;
    request += new TextDecoder().decode(buffer.subarray(0, filled));
  }
  return request;
}

/** Reads a request, answers in these pieces and closes. */
export function answeringBackend(...pieces: readonly (string | Uint8Array)[]): TestBackend {
  return startBackend(async (conn) => {
    conn.setNoDelay(true);
    await readRequest(conn);
    await writePieces(conn, pieces);
  });
}

/** Takes what comes and never answers; its connections end when the other side ends them. */
export function silentBackend(): TestBackend {
  return startBackend(async (conn) => {
    const buffer = new Uint8Array(4096);
    // deno-lint-ignore no-await-in-loop -- until the end
    while (await conn.read(buffer) !== null);
  });
}

/** Sends this byte again and again, until the connection is gone. */
export function drippingBackend(byte: string): TestBackend {
  return startBackend(async (conn) => {
    conn.setNoDelay(true);
    for (;;) {
      // deno-lint-ignore no-await-in-loop -- drop by drop
      await writeAll(conn, bytes(byte));
      // deno-lint-ignore no-await-in-loop -- drop by drop
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });
}

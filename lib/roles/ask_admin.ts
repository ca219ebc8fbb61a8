/** Requests to the admin side of a running balancer. */

import { type Address, formatAddress, formatHostPort, type IpAddress } from "../core/address.ts";
import { chunks, writeAll } from "../core/connection.ts";
import { RunError } from "../core/errors.ts";
import { withoutZone } from "../core/zone.ts";
import type { StreamSocket } from "../engine/contract.ts";
import { dialByName } from "../engine/runtime/dial.ts";

/** A status is some hundred bytes a backend. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

const TIMEOUT_MS = 5_000;

export interface AdminPlace {
  readonly address: Address;
  readonly token: string | undefined;
}

export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * Asks once.
 *
 * @param body JSON; undefined is none.
 * @throws {RunError} when no balancer answers, or it asks for a token.
 */
export async function askAdmin(
  place: AdminPlace,
  method: "GET" | "POST",
  path: string,
  body?: string,
): Promise<AdminAnswer> {
  await using call = await openCall(place);
  return await call.ask(method, path, body);
}

/** A connection to the admin side for one request. */
export interface AdminCall extends AsyncDisposable {
  /** As {@linkcode askAdmin}. */
  ask(method: "GET" | "POST", path: string, body?: string): Promise<AdminAnswer>;
}

/**
 * Connects; the request may come later, and reaches who listens at the address now.
 *
 * @throws {RunError} when no balancer listens there.
 */
export async function openCall({ address, token }: AdminPlace): Promise<AdminCall> {
  const conn = await connect(address);
  let isOpen = true;
  const close = (): void => {
    if (isOpen) conn.close();
    isOpen = false;
  };
  return {
    ask: async (method, path, body = "") => {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      signal.addEventListener("abort", close);
      try {
        await writeAll(conn, new TextEncoder().encode(requestText(address, token, method, path, body)));
        return readAnswer(address, await readAll(conn, address));
      } catch (error) {
        if (error instanceof RunError) throw error;
        const where = formatAddress(address);
        throw new RunError(`${where}: did not answer within ${TIMEOUT_MS / 1_000} seconds`, { cause: error });
      } finally {
        signal.removeEventListener("abort", close);
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(close()),
  };
}

async function connect(address: Address): Promise<StreamSocket> {
  const where = formatAddress(address);
  try {
    const place = address.transport === "unix" ? address : dialled(address);
    return await dialByName(place, AbortSignal.timeout(TIMEOUT_MS));
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      const needed = address.transport === "unix" ? "--allow-read and --allow-write" : `--allow-net=${where}`;
      throw new RunError(`${where}: sockbal was started without permission to ask there (${needed})`);
    }
    throw new RunError(`${where}: no balancer answers there; is its admin side on?`, { cause: error });
  }
}

/** HTTP/1.0, whose answers end with the connection, so that it works alike over a Unix socket. */
function requestText(
  address: Address,
  token: string | undefined,
  method: string,
  path: string,
  body: string,
): string {
  const head = [
    `${method} ${path} HTTP/1.0`,
    `Host: ${hostOf(address)}`,
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    ...(method === "GET" ? [] : [`Content-Length: ${new TextEncoder().encode(body).length}`]),
    ...(body === "" ? [] : ["Content-Type: application/json"]),
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

async function readAll(conn: StreamSocket, address: Address): Promise<string> {
  const decoder = new TextDecoder();
  let answer = "";
  for await (const chunk of chunks(conn)) {
    answer += decoder.decode(chunk, { stream: true });
    if (answer.length > MAX_ANSWER_BYTES) {
      throw new RunError(`${formatAddress(address)}: the answer does not end`);
    }
  }
  return answer;
}

function readAnswer(address: Address, answer: string): AdminAnswer {
  const where = formatAddress(address);
  const [, status, body = ""] = /^HTTP\/1\.\d (\d{3})[^]*?\r\n\r\n([^]*)$/.exec(answer) ?? [];
  if (status === undefined) throw new RunError(`${where}: no balancer answers there`);
  if (status === "401") {
    throw new RunError(`${where}: asks for a token; name the configuration with --config`);
  }
  return { status: Number(status), body };
}

/** "All addresses" is answered on the loopback too. */
function dialled<Place extends IpAddress>(address: Place): Place {
  if (address.host === "::") return { ...address, host: "::1" };
  return address.host === "" || address.host === "0.0.0.0" ? { ...address, host: "127.0.0.1" } : address;
}

function hostOf(address: Address): string {
  if (address.transport === "unix") return "localhost";
  const { host, port } = dialled(address);
  return formatHostPort(withoutZone(host), port);
}

/** HTTP by hand: `fetch` would neither send a wrong Host nor a broken path. */

import { type Address, parseDialAddress } from "../../lib/core/address.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { bytes, text } from "../support/bytes.ts";

export interface Asking {
  readonly method?: string;
  readonly path?: string;
  /** Sent as they stand, after Host and Connection; a Host of one's own takes the place of the usual one. */
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string | Uint8Array;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Header lines as they came. */
  readonly head: string;
  readonly body: string;
}

export function connectTo(address: string): Promise<Deno.Conn> {
  const dial: Address = parseDialAddress(address);
  if (dial.transport === "unix") return Deno.connect({ transport: "unix", path: dial.path });
  return Deno.connect({ hostname: dial.host, port: dial.port });
}

/** Sends one request on a connection of its own and reads the whole answer. */
export async function request(address: string, asking: Asking = {}): Promise<Answer> {
  using conn = await connectTo(address);
  try {
    await writeAll(conn, requestBytes(address, asking));
  } catch {
    // The server may answer, and close, before it has read everything.
  }
  return parseAnswer(text(await readUntilGone(conn)));
}

/** Everything that came; a server that has answered may reset a connection whose request it did not read to the end. */
async function readUntilGone(conn: Deno.Conn): Promise<Uint8Array> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  try {
    for await (const part of conn.readable) parts.push(part);
  } catch {
    // Reset.
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** One request; the characters of its head are its bytes. */
export function requestBytes(
  address: string,
  { method = "GET", path = "/", headers = [], body }: Asking,
): Uint8Array {
  const own = headers.some(([name]) => name.toLowerCase() === "host") ? [] : [["Host", hostOf(address)]];
  const length = body === undefined ? [] : [["Content-Length", String(bytesOf(body).length)]];
  const lines = [...own, ["Connection", "close"], ...length, ...headers].map(([name, value]) =>
    `${name}: ${value}\r\n`
  );
  const head = `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
  return new Uint8Array([...Uint8Array.from(head, (char) => char.charCodeAt(0)), ...bytesOf(body ?? "")]);
}

/** A Bearer token, as a header. */
export function bearer(token: string): [string, string] {
  return ["Authorization", `Bearer ${token}`];
}

/** What a browser sends for a user and a password. */
export function basic(user: string, password: string): [string, string] {
  return ["Authorization", `Basic ${btoa(String.fromCharCode(...bytes(`${user}:${password}`)))}`];
}

export const JSON_TYPE: [string, string] = ["Content-Type", "application/json"];

function hostOf(address: string): string {
  return address.startsWith("unix:") ? "localhost" : address;
}

function bytesOf(body: string | Uint8Array): Uint8Array {
  return typeof body === "string" ? bytes(body) : body;
}

function parseAnswer(raw: string): Answer {
  const [head = "", ...rest] = raw.split("\r\n\r\n");
  const [statusLine = "", ...lines] = head.split("\r\n");
  const headers = new Headers(lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  }));
  const body = rest.join("\r\n\r\n");
  const isChunked = headers.get("transfer-encoding") === "chunked";
  return {
    status: Number(statusLine.split(" ")[1] ?? 0),
    headers,
    head,
    body: isChunked ? dechunk(body) : body,
  };
}

/** The body out of its chunks, as far as it came. For text of one byte a character. */
function dechunk(chunked: string): string {
  let body = "";
  let at = 0;
  for (;;) {
    const end = chunked.indexOf("\r\n", at);
    const size = parseInt(chunked.slice(at, end), 16);
    if (end === -1 || !(size > 0)) return body;
    body += chunked.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
}

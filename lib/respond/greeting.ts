/** What a connection has to begin with before its handler sees it. */

import type { Endpoint } from "../core/endpoint.ts";
import type { ClientSocket, FirstBytesEvents } from "../engine/contract.ts";
import type { RuntimeTlsServer } from "../engine/runtime/tls_server.ts";
import { Malformed } from "../wire/malformed.ts";
import { MAX_PROXY_HEADER_BYTES, type ProxyHeader } from "../wire/proxy_header.ts";
import { readProxyHeader } from "../wire/read_proxy_header.ts";

/** So long a client may take for it. */
export const GREETING_TIMEOUT_MS = 5_000;

/** What a server asks of every connection. */
export interface Preamble {
  /** Whether it has to begin with a header of the PROXY protocol, of either version. */
  readonly proxyProtocol: boolean;
  /** What TLS is opened with behind that; undefined where it is not. */
  readonly tls: RuntimeTlsServer | undefined;
}

/** What is asked of a connection before it is served. */
export type Greeted = Pick<ClientSocket, "peer" | "readAhead" | "firstBytes" | "skip" | "openTls">;

/** Told at any time: there is nothing more to be waited for. */
type LossEvents = Pick<FirstBytesEvents, "clientGone" | "fault">;

/**
 * Takes what a connection has to begin with, and nothing behind it. Once the connection is closed it tells nothing more.
 *
 * @return The true client by its header: the peer of the connection where that names none. Undefined where no header is asked for.
 * @throws {Error} that says why the client cannot be served.
 */
export async function greet(
  socket: Greeted,
  { proxyProtocol, tls }: Preamble,
): Promise<Endpoint | undefined> {
  const { promise: lost, reject } = Promise.withResolvers<never>();
  const on: LossEvents = {
    clientGone: () => reject(new Error("the client reset its connection")),
    fault: reject,
  };
  socket.readAhead(on);
  const greeted = async (): Promise<Endpoint | undefined> => {
    const client = proxyProtocol ? await readTrueClient(socket, on) : undefined;
    if (tls !== undefined) await openTls(socket, tls, on);
    return client;
  };
  return await Promise.race([greeted(), lost]);
}

async function readTrueClient(socket: Greeted, on: LossEvents): Promise<Endpoint> {
  const { source, length } = await readHeader(socket, on);
  socket.skip(length);
  return source ?? socket.peer;
}

function readHeader(socket: Greeted, on: LossEvents): Promise<ProxyHeader> {
  const { promise, resolve, reject } = Promise.withResolvers<ProxyHeader>();
  let answer: ReturnType<typeof readProxyHeader> = "incomplete";
  const onRead = (): void => {
    if (answer === "incomplete") reject(new Error("the client ended before its PROXY header was whole"));
    else if (answer instanceof Malformed) reject(new Error(answer.reason));
    else resolve(answer);
  };
  socket.firstBytes(
    (bytes) => (answer = readProxyHeader(bytes)) !== "incomplete",
    { ...on, enough: onRead, tooFew: onRead },
    MAX_PROXY_HEADER_BYTES,
  );
  return promise;
}

function openTls(socket: Greeted, tls: RuntimeTlsServer, { fault }: LossEvents): Promise<void> {
  return new Promise((resolve, reject) => {
    // It has one certificate, which is for every name.
    socket.openTls(tls, undefined, {
      opened: () => resolve(),
      tlsFailed: (why) => reject(new Error(`TLS was not opened: ${why}`)),
      fault,
    });
  });
}

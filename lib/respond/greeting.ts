/** What a connection has to begin with before its handler sees it. */

import type { Endpoint } from "../core/endpoint.ts";
import type { ClientSocket } from "../engine/contract.ts";
import { Malformed } from "../wire/malformed.ts";
import { MAX_PROXY_HEADER_BYTES, type ProxyHeader } from "../wire/proxy_header.ts";
import { readProxyHeader } from "../wire/read_proxy_header.ts";

/** So long a client may take for it. */
export const GREETING_TIMEOUT_MS = 5_000;

/**
 * Reads the header of the PROXY protocol with which a connection has to begin, of either version, and nothing behind it.
 *
 * Tells nothing more once the connection is closed.
 *
 * @return The true client: the peer of the connection, where the header names none.
 * @throws {Error} that says why there is none.
 */
export async function readTrueClient(socket: ClientSocket): Promise<Endpoint> {
  const { source, length } = await readHeader(socket);
  socket.skip(length);
  return source ?? socket.peer;
}

function readHeader(socket: ClientSocket): Promise<ProxyHeader> {
  const { promise, resolve, reject } = Promise.withResolvers<ProxyHeader>();
  let answer: ReturnType<typeof readProxyHeader> = "incomplete";
  const clientGone = (): void => reject(new Error("The client reset its connection"));
  const onRead = (): void => {
    if (answer === "incomplete") reject(new Error("The client ended before its PROXY header was whole"));
    else if (answer instanceof Malformed) reject(new Error(answer.reason));
    else resolve(answer);
  };
  socket.readAhead({ clientGone });
  socket.firstBytes(
    (bytes) => (answer = readProxyHeader(bytes)) !== "incomplete",
    { enough: onRead, tooFew: onRead, clientGone, fault: reject },
    MAX_PROXY_HEADER_BYTES,
  );
  return promise;
}

/** Backends that speak TLS. */

import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { createServer, type TlsOptions, type TLSSocket } from "node:tls";
import { refusedPort } from "./ports.ts";

/** What a backend knows of a connection on which TLS is open. */
export interface ServedTls {
  readonly serverName: string | undefined;
  readonly alpn: string | undefined;
  /** The name in the certificate that it was shown; undefined when there was none. */
  readonly shown: string | undefined;
}

export interface TlsBackend extends AsyncDisposable {
  readonly port: number;
  readonly address: string;
  readonly served: ServedTls[];
  /** Handshakes that have failed, and why. */
  readonly failed: string[];
}

/** Gives each connection to `serve`, once TLS is open; what is still open at the end is closed. */
export async function startTlsBackend(
  options: TlsOptions,
  serve: (socket: TLSSocket) => void,
): Promise<TlsBackend> {
  const [served, failed, open] = [[] as ServedTls[], [] as string[], new Set<Socket>()];
  const server = createServer({ ...options, allowHalfOpen: true } as TlsOptions, (socket) => {
    const { servername } = socket as { servername?: string | false };
    const { alpnProtocol } = socket;
    served.push({
      serverName: typeof servername === "string" ? servername : undefined,
      alpn: typeof alpnProtocol === "string" ? alpnProtocol : undefined,
      shown: [socket.getPeerCertificate()?.subject?.CN].flat()[0],
    });
    socket.on("error", () => {});
    serve(socket);
  });
  // Also one whose handshake never comes to its end.
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.on("error", () => {}).on("close", () => open.delete(socket));
  });
  server.on("tlsClientError", (error) => failed.push(error.message));
  server.listen(refusedPort(), "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    address: `127.0.0.1:${port}`,
    served,
    failed,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Sends back all that its client has sent, once the client has ended TLS in its direction. */
export function startTlsMirror(options: TlsOptions, says = ""): Promise<TlsBackend> {
  return startTlsBackend(options, (socket) => {
    const heard: Uint8Array[] = [];
    socket.on("data", (data: Uint8Array) => heard.push(data));
    socket.on("end", () => {
      if (says !== "") socket.write(says);
      for (const data of heard) socket.write(data);
      socket.end();
    });
  });
}

import { createServer, type Server, type TLSSocket } from "node:tls";
import { subjectText } from "../../core/certificate_text.ts";
import type { TlsServerOptions } from "../../core/tls_options.ts";
import type { TlsFacts, TlsKeys, TlsServer } from "../tls_contract.ts";
import { byServerName } from "./tls_certificates.ts";
import type { Handshake, TlsConn } from "./tls_conn.ts";
import { TlsFault } from "./tls_fault.ts";
import { VerifiedClients } from "./verified_clients.ts";

/** What the next connection is opened with. */
interface Ready {
  /** The one with the certificate for this name; it never listens. */
  readonly serverFor: (serverName: string | undefined) => Server;
  readonly authorities: string | undefined;
  /** Undefined where clients need no certificate. */
  readonly verified: VerifiedClients | undefined;
}

/**
 * TLS of a listener, by `node:tls` over the connections that the engine has accepted.
 *
 * `Deno.listenTls` is faster, but cannot share a listening socket, keeps each certificate that it was ever asked for, and knows neither
 * client certificates nor a least version. And `node:tls` never frees a connection that fails while it chooses a certificate
 * (`SNICallback`), so that is chosen before (Deno 2.9.6).
 */
export class RuntimeTlsServer implements TlsServer {
  readonly #options: TlsServerOptions;
  #ready: Ready;

  /** @throws {TypeError} as {@linkcode renew}. */
  constructor(options: TlsServerOptions, keys: TlsKeys) {
    this.#options = options;
    this.#ready = makeReady(options, keys, undefined);
  }

  renew(keys: TlsKeys): void {
    this.#ready = makeReady(this.#options, keys, this.#ready);
  }

  /** Opens TLS on a connection. @throws What `describeTlsFault` knows to explain. */
  async accept(conn: TlsConn, serverName: string | undefined): Promise<TlsFacts> {
    const { serverFor, verified } = this.#ready;
    const server = serverFor(serverName);
    const socket = await conn.open((...handshake) => accept(server, ...handshake));
    const { alpnProtocol } = socket;
    return {
      version: socket.getProtocol() ?? "",
      serverName,
      alpn: typeof alpnProtocol === "string" ? alpnProtocol : undefined,
      subject: verified === undefined ? undefined : subjectOf(socket, verified),
    };
  }
}

/**
 * @param before What was ready before: what has been verified holds for as long as the same authorities are trusted.
 */
function makeReady(
  { alpn, minVersion }: TlsServerOptions,
  { pairs, authorities }: TlsKeys,
  before: Ready | undefined,
): Ready {
  const hasSame = before !== undefined && before.authorities === authorities;
  return {
    authorities,
    verified: authorities === undefined ? undefined : hasSame ? before.verified : new VerifiedClients(),
    serverFor: byServerName(pairs, ({ cert, key }) =>
      createServer({
        ...{ cert, key, minVersion: `TLSv${minVersion}` },
        ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
        ...(authorities === undefined ? {} : { ca: authorities }),
        requestCert: authorities !== undefined,
        rejectUnauthorized: authorities !== undefined,
        // None: the runtime's timer would hold a handshake that has failed.
        handshakeTimeout: -1,
      })),
  };
}

/**
 * Gives a server one connection, for which it tells of the socket. A server tells of all its sockets alike, and takes 0.3 ms to make: so
 * this is one that has all of `server`, and tells alone what becomes of `stream`.
 */
function accept(server: Server, ...[stream, opened, failed]: Parameters<Handshake>): void {
  const emit = (event: string, first: unknown, second: unknown): boolean => {
    if (event === "secureConnection") opened(first as TLSSocket);
    if (event === "tlsClientError") failed(refusalOf(second as TLSSocket) ?? first);
    return true;
  };
  const own: Server = Object.create(server, { emit: { value: emit } });
  for (const listener of server.listeners("connection")) listener.call(own, stream);
}

/** A certificate that was refused is told as a connection that was reset, and cannot be looked at any more. */
function refusalOf({ authorizationError }: TLSSocket): TlsFault | undefined {
  return authorizationError
    ? new TlsFault("its certificate has expired, or is from none that is trusted here")
    : undefined;
}

/** @throws {TlsFault} when its certificate was not verified. */
function subjectOf(socket: TLSSocket, verified: VerifiedClients): string {
  const certificate = socket.getPeerX509Certificate();
  const isVerified = socket.authorized && certificate !== undefined &&
    verified.accepts(socket.getPeerCertificate(), socket.isSessionReused(), Date.now());
  if (!isVerified) throw new TlsFault("it resumes a session whose certificate was not verified here");
  return subjectText(certificate.subject);
}

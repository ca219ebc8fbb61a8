/** What the data plane and engines tell each other about TLS. Types only. */

/** The certificates and keys of one listener or pool, as PEM. Secret: they stand in no comparison, record or answer. */
export interface TlsKeys {
  /** Of a listener: which one is shown depends on the name that a client asks for; the first, for any other. Of a pool: at most one. */
  readonly pairs: readonly { readonly cert: string; readonly key: string }[];
  /** Whose certificates the peer must have. Undefined: of a listener, clients need none; of a pool, the public authorities that the runtime brings. */
  readonly authorities: string | undefined;
}

/** What is known of a connection when TLS is open on it. */
export interface TlsFacts {
  /** As OpenSSL calls it: `TLSv1.3`. */
  readonly version: string;
  /** The server that the client asked for, if any; its word. No name is asked for with an IP address. */
  readonly serverName: string | undefined;
  /** The protocol that both agreed upon, if any. */
  readonly alpn: string | undefined;
  /** Whom the peer's certificate names, where one was asked for and verified. */
  readonly subject: string | undefined;
}

/** How a listener opens TLS, in a form that only the engine which has made it knows. It serves any number of connections. */
export interface TlsServer {
  /**
   * Uses these for the connections to come; those that are open, or are being opened, keep theirs.
   *
   * @throws {TypeError} when they cannot be read; then nothing has changed.
   */
  renew(keys: TlsKeys): void;
}

/** As {@linkcode TlsServer}, towards the backends of a pool. */
export type TlsClient = TlsServer;

/** What becomes of opening TLS: one of these, once, and never before the call has returned; nothing once the socket is closed. */
export interface TlsEvents {
  opened(facts: TlsFacts): void;
  /** Why not, in a few plain words. Its peer was told as well as TLS allows; the socket is of no use but to be closed. */
  tlsFailed(why: string): void;
  /** One of these has thrown. */
  fault(fault: unknown): void;
}

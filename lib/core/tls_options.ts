/** How TLS is opened, but for keys and certificates (RFC 8446). */

/** Towards clients, by a listener. */
export interface TlsServerOptions {
  /** Protocols that it speaks, the one that is liked best first (RFC 7301); empty leaves ALPN unanswered. */
  readonly alpn: readonly string[];
  readonly minVersion: "1.2" | "1.3";
}

/** Towards the backends of a pool. */
export interface TlsClientOptions {
  /** Asked for, and to be in the certificate; undefined: the host of the backend's address. */
  readonly serverName: string | undefined;
  /** Protocols that are offered; empty offers none. */
  readonly alpn: readonly string[];
  readonly verify: boolean;
}

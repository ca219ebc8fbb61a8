/** What a run of load is. Types, and what falls to each of its threads. */

import type { Address } from "../core/address.ts";
import type { TlsClientOptions } from "../core/tls_options.ts";
import type { TlsKeys } from "../engine/tls_contract.ts";

/**
 * What ends a reply. `echo`: as many bytes as were sent. `eof`: the end of the connection. `lines`: as many lines as were sent.
 * `http`: an HTTP/1.1 response. `bytes`: so many; with none a request is over when it is sent. `datagrams`: so many, at least one.
 */
export type Expect =
  | { readonly kind: "echo" | "eof" | "lines" | "http" }
  | { readonly kind: "bytes"; readonly bytes: number }
  | { readonly kind: "datagrams"; readonly datagrams: number };

export interface LoadPlan {
  /** Whom to dial: IP addresses of one peer, or a Unix socket. With UDP each request is a datagram, and connections are sockets. */
  readonly addresses: readonly [Address, ...Address[]];
  /** As the user wrote it; TLS asks for it. */
  readonly host: string | undefined;
  readonly connections: number;
  /** Infinity: as many as the duration allows. */
  readonly requests: number;
  /** When the last request may begin, or, in an open loop, be due; Infinity is never. */
  readonly durationMs: number;
  /** Whether each request has a connection of its own. */
  readonly newConnection: boolean;
  /** Connections are opened and stay silent. */
  readonly hold: boolean;
  /** What each request sends: these lines, or so many bytes that are made up. */
  readonly request: { readonly text: string } | { readonly bytes: number };
  /** Requests that wait for their replies on one connection. */
  readonly pipeline: number;
  /** Requests a second, of all threads, whether or not those before are answered; 0: each waits for a reply. */
  readonly rate: number;
  /** So long it takes until all connections are open, and until the rate is reached. */
  readonly rampMs: number;
  readonly expect: Expect;
  /** Whether each reply has to be what was sent. */
  readonly verify: boolean;
  /** A connection, or a reply, that nothing moves on for so long has failed; so has all that is under way so long after the duration. */
  readonly timeoutMs: number;
  readonly proxyProtocol: "v1" | "v2" | undefined;
  readonly tls: { readonly options: TlsClientOptions; readonly keys: TlsKeys } | undefined;
}

/** The part of one thread: everything with the numbers `index`, `index + of`, `index + 2 * of`, … */
export interface Share {
  readonly index: number;
  readonly of: number;
}

/** How many of `count` things, numbered from 0, are in a share. */
export function countOf(count: number, { index, of }: Share): number {
  return count === Infinity ? Infinity : Math.max(0, Math.ceil((count - index) / of));
}

/**
 * The PROXY protocol: what a proxy says of a connection before anything else.
 *
 * The format is HAProxy's doc/proxy-protocol.txt of 2020-03-05, "the specification" in the files around this one.
 */

import type { Address } from "../core/address.ts";

/** As many bytes has a line of version 1 at most, with its CRLF (the specification, 2.1). */
export const MAX_PROXY_V1_BYTES = 107;

/**
 * As many bytes has a header at most, of either version; a longer one is malformed. The format allows 64 KiB, which nothing sends: the
 * largest known field is a client's certificate, of 1 to 2 KiB.
 */
export const MAX_PROXY_HEADER_BYTES = 4096;

/** With these bytes version 2 begins. */
export const PROXY_V2_SIGNATURE: readonly number[] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10];

/** Before the addresses of version 2. */
export const PROXY_V2_FIXED_BYTES = 16;

/** Bytes of one path of a Unix socket in version 2, filled up with zeros. */
export const PROXY_V2_PATH_BYTES = 108;

/** What a header says. */
export interface ProxyHeader {
  readonly version: 1 | 2;
  /** `local`: the proxy speaks for itself, as for a health check. The addresses are those of the connection. */
  readonly command: "proxy" | "local";
  /**
   * The true client. Undefined when the header names none (LOCAL, UNKNOWN, UNSPEC): then it is the peer of the connection.
   *
   * UDP clients are given as `tcp`, since only host and port matter here. An IPv4-mapped address is given as IPv4. The path of a Unix
   * socket is text of the peer: it may be empty and hold any character, so escape it wherever it is shown.
   */
  readonly source: Address | undefined;
  /** Where the client connected to; undefined as `source` is. */
  readonly destination: Address | undefined;
  /** Further facts, in their order; version 2 alone has them. They are copies. */
  readonly tlvs: readonly Tlv[];
  /** Bytes of the header. What follows is payload, also if it looks like another header. */
  readonly length: number;
}

/** A fact with its type: one of {@linkcode TLV_TYPE}, or any other. */
export interface Tlv {
  /** 0 to 255. */
  readonly type: number;
  /** Up to 65535 bytes of the peer. */
  readonly value: Uint8Array;
}

/** The types of facts that are known here (the specification, 2.2). */
export const TLV_TYPE = {
  alpn: 0x01,
  /** The server name that the client asked for. */
  authority: 0x02,
  crc32c: 0x03,
  uniqueId: 0x05,
  tls: 0x20,
  /** Within `tls`. */
  tlsVersion: 0x21,
} as const;

/** As many bytes has the value of `uniqueId` at most. */
export const MAX_UNIQUE_ID_BYTES = 128;

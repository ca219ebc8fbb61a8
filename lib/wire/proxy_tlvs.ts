/** Facts for a header of the PROXY protocol, version 2 (the specification, 2.2). */

import { MAX_UNIQUE_ID_BYTES, type Tlv, TLV_TYPE } from "./proxy_header.ts";

const encoder = new TextEncoder();

/** What connected used TLS; it had a certificate on this connection; on this session. */
const [USED_TLS, SHOWED_CERTIFICATE, KNOWN_CERTIFICATE] = [1, 2, 4];

/** The application protocol, as `h2`. */
export function alpnTlv(protocol: string): Tlv {
  return { type: TLV_TYPE.alpn, value: encoder.encode(protocol) };
}

/** The server name that the client asked for. */
export function authorityTlv(serverName: string): Tlv {
  return { type: TLV_TYPE.authority, value: encoder.encode(serverName) };
}

/**
 * Identifies the connection on its way through several proxies.
 *
 * @throws {RangeError} When it has more than {@linkcode MAX_UNIQUE_ID_BYTES} bytes as UTF-8.
 */
export function uniqueIdTlv(id: string): Tlv {
  const value = encoder.encode(id);
  if (value.length > MAX_UNIQUE_ID_BYTES) {
    throw new RangeError(
      `Cannot write a unique id of ${value.length} bytes; ${MAX_UNIQUE_ID_BYTES} is the most`,
    );
  }
  return { type: TLV_TYPE.uniqueId, value };
}

/**
 * That the client used TLS.
 *
 * @param version As OpenSSL calls it: `TLSv1.3`.
 * @param isClientVerified Whether the client has shown a certificate, and it was verified.
 */
export function tlsTlv(version: string, isClientVerified = false): Tlv {
  const client = isClientVerified ? USED_TLS | SHOWED_CERTIFICATE | KNOWN_CERTIFICATE : USED_TLS;
  const verify = [0, 0, 0, isClientVerified ? 0 : 1];
  const text = encoder.encode(version);
  const value = [client, ...verify, TLV_TYPE.tlsVersion, text.length >> 8, text.length & 255, ...text];
  return { type: TLV_TYPE.tls, value: Uint8Array.from(value) };
}

/** Reads headers of the PROXY protocol, of either version. Pure. */

import { Malformed } from "./malformed.ts";
import { PROXY_V2_SIGNATURE, type ProxyHeader } from "./proxy_header.ts";
import { readProxyV1 } from "./read_proxy_v1.ts";
import { readProxyV2 } from "./read_proxy_v2.ts";

const [V1_FIRST_BYTE, V2_FIRST_BYTE] = ["P".charCodeAt(0), PROXY_V2_SIGNATURE[0]];

/**
 * Reads the header that a connection begins with. Never throws.
 *
 * Call it again with more whenever more has come: a call looks at {@linkcode MAX_PROXY_V1_BYTES} bytes of version 1 at most, and at the
 * first 16 of version 2 until the header is whole. A fault is told as soon as it can be seen; `incomplete` means that more
 * bytes can still make it a header, and never comes for {@linkcode MAX_PROXY_HEADER_BYTES} or more.
 *
 * @param bytes All that has come so far; payload may follow the header.
 */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader | "incomplete" | Malformed {
  if (bytes.length === 0) return "incomplete";
  if (bytes[0] === V1_FIRST_BYTE) return readProxyV1(bytes);
  if (bytes[0] === V2_FIRST_BYTE) return readProxyV2(bytes);
  return new Malformed("the connection does not begin with a PROXY protocol header");
}

/** Version 1 of the PROXY protocol: one line of text (the specification, 2.1). */

import { isIPv4, isIPv6 } from "../core/is_ip.ts";
import type { Address } from "../core/address.ts";
import { canonicalHost } from "../core/overlap.ts";
import { Malformed } from "./malformed.ts";
import { MAX_PROXY_V1_BYTES, type ProxyHeader } from "./proxy_header.ts";

const STARTS = ["PROXY TCP4 ", "PROXY TCP6 ", "PROXY UNKNOWN ", "PROXY UNKNOWN\r\n"];

/** Of what may still become a line, without the CR that it may end with already. */
const LONGEST_UNENDED = MAX_PROXY_V1_BYTES - 2;

const TCP_START = /^PROXY TCP[46] /;
const NO_TCP_CHARACTER = /[^\dA-Fa-f.: ]/;

const PORT = "(0|[1-9]\\d{0,4})";
const TCP_LINE = new RegExp(`^PROXY TCP([46]) ([\\dA-Fa-f.:]+) ([\\dA-Fa-f.:]+) ${PORT} ${PORT}$`);

/** As `readProxyHeader`. */
export function readProxyV1(bytes: Uint8Array): ProxyHeader | "incomplete" | Malformed {
  const text = String.fromCharCode(...bytes.subarray(0, MAX_PROXY_V1_BYTES));
  if (!STARTS.some((start) => start.startsWith(text) || text.startsWith(start))) {
    return new Malformed(
      "the PROXY protocol line does not begin with PROXY TCP4, PROXY TCP6 or PROXY UNKNOWN",
    );
  }
  const end = text.indexOf("\r\n");
  const line = end === -1 ? text.slice(0, LONGEST_UNENDED + 1).replace(/\r$/, "") : text.slice(0, end);
  if (TCP_START.test(line) && NO_TCP_CHARACTER.test(line.slice("PROXY TCP4 ".length))) {
    return new Malformed("the PROXY protocol line has a character that neither an address nor a port has");
  }
  if (end === -1) {
    if (line.length <= LONGEST_UNENDED) return "incomplete";
    return new Malformed(`the PROXY protocol line does not end within ${MAX_PROXY_V1_BYTES} bytes`);
  }
  const ends = TCP_START.test(line) ? endsOf(line) : {};
  if (ends instanceof Malformed) return ends;
  const { source, destination } = ends;
  return { version: 1, command: "proxy", source, destination, tlvs: [], length: end + 2 };
}

interface Ends {
  readonly source?: Address;
  readonly destination?: Address;
}

function endsOf(line: string): Ends | Malformed {
  const [, family, source = "", destination = "", ...ports] = TCP_LINE.exec(line) ?? [];
  if (family === undefined) {
    return new Malformed("the PROXY protocol line is not two addresses and two ports, each after one space");
  }
  const isOfFamily = family === "4" ? isIPv4 : isIPv6;
  if (!isOfFamily(source) || !isOfFamily(destination)) {
    return new Malformed(`the PROXY protocol line has an address that is not one of IPv${family}`);
  }
  const [sourcePort = 0, destinationPort = 0] = ports.map(Number);
  if (sourcePort > 65_535 || destinationPort > 65_535) {
    return new Malformed("the PROXY protocol line has a port above 65535");
  }
  return {
    source: { transport: "tcp", host: canonicalHost(source), port: sourcePort },
    destination: { transport: "tcp", host: canonicalHost(destination), port: destinationPort },
  };
}

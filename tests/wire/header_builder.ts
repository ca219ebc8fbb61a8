/** PROXY headers of version 2 of one's own making. */

import { PROXY_V2_SIGNATURE } from "../../lib/wire/proxy_header.ts";
import { joined } from "../support/bytes.ts";
import { number } from "./hello_builder.ts";

/** A header that declares as many bytes as follow, or `declared`. */
export function v2(
  command: number,
  family: number,
  rest: Uint8Array = new Uint8Array(),
  declared: number = rest.length,
): Uint8Array {
  return joined([Uint8Array.from([...PROXY_V2_SIGNATURE, command, family]), number(declared, 2), rest]);
}

export function tlv(type: number, value: Uint8Array, declared: number = value.length): Uint8Array {
  return joined([number(type, 1), number(declared, 2), value]);
}

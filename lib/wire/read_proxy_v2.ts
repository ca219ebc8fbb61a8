/** Version 2 of the PROXY protocol: a binary header (the specification, 2.2). */

import type { Address } from "../core/address.ts";
import { ipText } from "../core/ip_bytes.ts";
import { crc32c } from "./crc32c.ts";
import { Fields } from "./fields.ts";
import { Malformed } from "./malformed.ts";
import {
  MAX_PROXY_HEADER_BYTES,
  MAX_UNIQUE_ID_BYTES,
  PROXY_V2_FIXED_BYTES,
  PROXY_V2_PATH_BYTES,
  PROXY_V2_SIGNATURE,
  type ProxyHeader,
  type Tlv,
  TLV_TYPE,
} from "./proxy_header.ts";

/** Bytes of one address of each family, by the family's number: unspecified, IPv4, IPv6, Unix. */
const ADDRESS_BYTES = [0, 4, 16, PROXY_V2_PATH_BYTES];
const UNIX = 3;

/** The last transport that has a number: unspecified, stream, datagram. */
const DATAGRAM = 2;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The 16 bytes before the addresses. */
interface Fixed {
  readonly command: "proxy" | "local";
  /** Undefined when the header names no addresses, or none that count. */
  readonly family: number | undefined;
  /** Whether the addresses, if there are any, cannot be told from what follows them. */
  readonly isOpaque: boolean;
  /** Of the whole header. */
  readonly length: number;
}

/** As `readProxyHeader`. */
export function readProxyV2(bytes: Uint8Array): ProxyHeader | "incomplete" | Malformed {
  const fixed = readFixed(bytes);
  if (fixed === "incomplete" || fixed instanceof Malformed) return fixed;
  const { command, family, isOpaque, length } = fixed;
  if (bytes.length < length) return "incomplete";
  const header = bytes.subarray(0, length);
  const fields = new Fields(header.subarray(PROXY_V2_FIXED_BYTES));
  const [source, destination] = family === undefined ? [] : addressesOf(fields, family);
  const facts = { version: 2, command, source, destination, length } as const;
  if (isOpaque) return { ...facts, tlvs: [] };
  const tlvs = tlvsOf(fields);
  if (tlvs === undefined) {
    // What an unspecified family has besides is not specified either, and to be skipped.
    if (family === undefined) return { ...facts, tlvs: [] };
    return new Malformed("a field of the PROXY protocol header reaches beyond its end");
  }
  return whyNoTlvs(header, tlvs) ?? { ...facts, tlvs };
}

function readFixed(bytes: Uint8Array): Fixed | "incomplete" | Malformed {
  const seen = Math.min(bytes.length, PROXY_V2_FIXED_BYTES);
  for (let i = 0; i < Math.min(seen, PROXY_V2_SIGNATURE.length); i++) {
    if (bytes[i] !== PROXY_V2_SIGNATURE[i]) {
      return new Malformed("the connection does not begin with a PROXY protocol header");
    }
  }
  if (seen <= 12) return "incomplete";
  const fields = new Fields(bytes.subarray(12, seen));
  const versionAndCommand = fields.uint8();
  if (versionAndCommand >> 4 !== 2) return new Malformed("the version of the PROXY protocol header is not 2");
  if ((versionAndCommand & 15) > 1) {
    return new Malformed("the command of the PROXY protocol header is neither LOCAL nor PROXY");
  }
  const isLocal = (versionAndCommand & 15) === 0;
  if (seen <= 13) return "incomplete";
  const familyAndTransport = fields.uint8();
  const [family, transport] = [familyAndTransport >> 4, familyAndTransport & 15];
  // LOCAL has a family which is to be ignored, whatever it is.
  if (!isLocal && (family > UNIX || transport > DATAGRAM)) {
    return new Malformed("the address family of the PROXY protocol header is unknown");
  }
  if (seen < PROXY_V2_FIXED_BYTES) return "incomplete";
  const rest = fields.uint16();
  const length = PROXY_V2_FIXED_BYTES + rest;
  if (length > MAX_PROXY_HEADER_BYTES) {
    return new Malformed(`the PROXY protocol header is longer than ${MAX_PROXY_HEADER_BYTES} bytes`);
  }
  const command = isLocal ? "local" : "proxy";
  if (isLocal || family === 0 || transport === 0) {
    return { command, family: undefined, isOpaque: familyAndTransport !== 0, length };
  }
  if (rest < addressBlockBytes(family)) {
    return new Malformed("the PROXY protocol header is shorter than the addresses of its family");
  }
  return { command, family, isOpaque: false, length };
}

function addressBlockBytes(family: number): number {
  const ports = family === UNIX ? 0 : 4;
  return 2 * (ADDRESS_BYTES[family] ?? 0) + ports;
}

function addressesOf(fields: Fields, family: number): [Address, Address] {
  const length = ADDRESS_BYTES[family] ?? 0;
  const [source, destination] = [fields.bytes(length), fields.bytes(length)];
  if (family === UNIX) return [unixAddress(source), unixAddress(destination)];
  return [
    { transport: "tcp", host: ipText(source), port: fields.uint16() },
    { transport: "tcp", host: ipText(destination), port: fields.uint16() },
  ];
}

/** A path ends with its first zero; the abstract names of Linux, which begin with one, are given as no path. */
function unixAddress(bytes: Uint8Array): Address {
  const end = bytes.indexOf(0);
  return { transport: "unix", path: decoder.decode(bytes.subarray(0, end === -1 ? undefined : end)) };
}

/** Undefined when one reaches beyond the end. */
function tlvsOf(fields: Fields): Tlv[] | undefined {
  const tlvs: Tlv[] = [];
  while (fields.left > 0) {
    const type = fields.uint8();
    tlvs.push({ type, value: fields.bytes(fields.uint16()).slice() });
  }
  return fields.isShort ? undefined : tlvs;
}

function whyNoTlvs(header: Uint8Array, tlvs: readonly Tlv[]): Malformed | undefined {
  if (tlvs.some(({ type, value }) => type === TLV_TYPE.uniqueId && value.length > MAX_UNIQUE_ID_BYTES)) {
    return new Malformed(
      `the unique id of the PROXY protocol header is longer than ${MAX_UNIQUE_ID_BYTES} bytes`,
    );
  }
  const sums = tlvs.filter(({ type }) => type === TLV_TYPE.crc32c);
  if (sums.length === 0) return undefined;
  return sums.length === 1 && isSumOf(header, tlvs)
    ? undefined
    : new Malformed("the checksum of the PROXY protocol header is wrong");
}

/** Whether the checksum among these is the header's, which is taken with zeros in its place (the specification, 2.2.3). */
function isSumOf(header: Uint8Array, tlvs: readonly Tlv[]): boolean {
  const before = tlvs.findIndex(({ type }) => type === TLV_TYPE.crc32c);
  const [sum] = tlvs.slice(before);
  if (sum?.value.length !== 4) return false;
  // The facts are the last part of the header, each with three bytes before its value.
  const after = tlvs.slice(before + 1).reduce((bytes, { value }) => bytes + 3 + value.length, 0);
  const zeroed = header.slice();
  zeroed.fill(0, header.length - after - 4, header.length - after);
  const [a = 0, b = 0, c = 0, d = 0] = sum.value;
  return crc32c(zeroed) === (a << 24 | b << 16 | c << 8 | d) >>> 0;
}

/**
 * Writes headers of the PROXY protocol. Pure.
 *
 * Where one end is IPv4 and the other IPv6, both are written as IPv6, the first as IPv4-mapped (RFC 4291, 2.5.5.2): the client's
 * address is what a header is for, and it survives so. The zone of a link-local address has no place in a header and is left out.
 */

import type { Endpoint } from "../core/endpoint.ts";
import { ipBytes, ipText, isMapped } from "../core/ip_bytes.ts";
import { crc32c } from "./crc32c.ts";
import { PROXY_V2_FIXED_BYTES, PROXY_V2_SIGNATURE, type Tlv, TLV_TYPE } from "./proxy_header.ts";

/** What a header of version 2 says. */
export type ProxyV2 =
  & {
    /** In this order. No checksum: that is what `checksum` is for. */
    readonly tlvs?: readonly Tlv[];
    /** Adds a CRC-32C of the header. */
    readonly checksum?: boolean;
  }
  & (
    | { readonly command: "local" }
    | { readonly command: "proxy"; readonly source: Endpoint; readonly destination: Endpoint }
  );

const [LOCAL, PROXY] = [0x20, 0x21];
const [UNSPECIFIED, TCP4, TCP6] = [0x00, 0x11, 0x21];

/** Version 1 for what has no address, or none that matters (the specification, 2.1). */
const UNKNOWN_LINE = "PROXY UNKNOWN\r\n";

const encoder = new TextEncoder();

/** A line of version 1; `UNKNOWN` when an end is a Unix socket. */
export function writeProxyV1(source: Endpoint, destination: Endpoint): Uint8Array<ArrayBuffer> {
  const ends = endsOf(source, destination);
  if (ends === undefined) return encoder.encode(UNKNOWN_LINE);
  const { family, hosts: [from, to], ports } = ends;
  const name = family === TCP4 ? "TCP4" : "TCP6";
  return encoder.encode(`PROXY ${name} ${lineText(from)} ${lineText(to)} ${ports.join(" ")}\r\n`);
}

/**
 * A header of version 2. Its declared length is that of the bytes that follow.
 *
 * A session with an end that is a Unix socket is written as LOCAL, with its facts, as HAProxy does: a receiver may refuse PROXY without
 * IP addresses, and HAProxy itself does.
 *
 * @throws {RangeError} When the facts are longer than a header can be.
 */
export function writeProxyV2(said: ProxyV2): Uint8Array<ArrayBuffer> {
  const { tlvs = [], checksum = false } = said;
  const ends = said.command === "local" ? undefined : endsOf(said.source, said.destination);
  const addressBytes = ends === undefined ? 0 : 2 * ends.hosts[0].length + 4;
  const factBytes = tlvs.reduce((sum, { value }) => sum + 3 + value.length, 0);
  const rest = addressBytes + factBytes + (checksum ? 7 : 0);
  if (rest > 0xffff) throw new RangeError(`Cannot write ${rest} bytes into a PROXY protocol header`);
  const header = new Uint8Array(PROXY_V2_FIXED_BYTES + rest);
  const view = new DataView(header.buffer);
  header.set(PROXY_V2_SIGNATURE);
  header[12] = ends === undefined ? LOCAL : PROXY;
  header[13] = ends === undefined ? UNSPECIFIED : ends.family;
  view.setUint16(14, rest);
  if (ends !== undefined) writeEnds(ends, header, view);
  let at = PROXY_V2_FIXED_BYTES + addressBytes;
  for (const { type, value } of tlvs) {
    header[at] = type;
    view.setUint16(at + 1, value.length);
    header.set(value, at + 3);
    at += 3 + value.length;
  }
  if (checksum) {
    header[at] = TLV_TYPE.crc32c;
    view.setUint16(at + 1, 4);
    // It is taken while it is 0.
    view.setUint32(at + 3, crc32c(header));
  }
  return header;
}

/** The header with which a client itself says who speaks: this end of its connection, to the peer. */
export function writeClientHeader(
  version: "v1" | "v2",
  { local, peer }: { readonly local: Endpoint; readonly peer: Endpoint },
): Uint8Array<ArrayBuffer> {
  if (version === "v1") return writeProxyV1(local, peer);
  return writeProxyV2({ command: "proxy", source: local, destination: peer });
}

/** A header that names no client, for a connection that a proxy makes for itself, as a health check. */
export function writeOwnHeader(version: 1 | 2, checksum: boolean): Uint8Array<ArrayBuffer> {
  return version === 1 ? encoder.encode(UNKNOWN_LINE) : writeProxyV2({ command: "local", checksum });
}

function writeEnds({ hosts: [from, to], ports }: Ends, header: Uint8Array, view: DataView): void {
  header.set(from, PROXY_V2_FIXED_BYTES);
  header.set(to, PROXY_V2_FIXED_BYTES + from.length);
  const at = PROXY_V2_FIXED_BYTES + 2 * from.length;
  view.setUint16(at, ports[0]);
  view.setUint16(at + 2, ports[1]);
}

interface Ends {
  readonly family: number;
  /** The bytes of both addresses in that family. */
  readonly hosts: readonly [readonly number[], readonly number[]];
  readonly ports: readonly [number, number];
}

/** Undefined when one end has no IP address. */
function endsOf(source: Endpoint, destination: Endpoint): Ends | undefined {
  if (source.transport !== "tcp" || destination.transport !== "tcp") return undefined;
  const [from, to] = [hostBytes(source.host), hostBytes(destination.host)];
  if (from === undefined || to === undefined) return undefined;
  const ports = [source.port, destination.port] as const;
  if (from.length === 4 && to.length === 4) return { family: TCP4, hosts: [from, to], ports };
  return { family: TCP6, hosts: [mapped(from), mapped(to)], ports };
}

/** An IPv4-mapped address is the IPv4 address that it is. */
function hostBytes(host: string): readonly number[] | undefined {
  const bytes = ipBytes(host);
  return bytes?.length === 16 && isMapped(bytes) ? bytes.slice(12) : bytes;
}

function mapped(bytes: readonly number[]): readonly number[] {
  return bytes.length === 16 ? bytes : [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes];
}

/** IPv6 has groups of hexadecimal digits alone (the specification, 2.1), also for an IPv4-mapped address. */
function lineText(bytes: readonly number[]): string {
  if (bytes.length === 4 || !isMapped(bytes)) return ipText(bytes);
  return `::ffff:${hexGroup(bytes, 12)}:${hexGroup(bytes, 14)}`;
}

function hexGroup(bytes: readonly number[], at: number): string {
  return ((bytes[at] ?? 0) << 8 | (bytes[at + 1] ?? 0)).toString(16);
}

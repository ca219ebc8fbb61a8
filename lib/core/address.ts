/**
 * Addresses as people write them: `host:port`, `[v6]:port`, `:port`, `unix:/path`, `udp:host:port`.
 *
 * `parse…` takes text and throws an {@linkcode InputError} with one sentence that says what to write;
 * {@linkcode formatAddress} is its inverse.
 */

import { isIP, isIPv4 } from "./is_ip.ts";
import { InputError } from "./errors.ts";
import { parseIPv6Host } from "./zone.ts";

/** A TCP address. `host` is an IP address (a link-local one with its zone) or a name; it is empty for "all addresses of this machine". */
export interface TcpAddress {
  readonly transport: "tcp";
  readonly host: string;
  /** 0 to 65535; 0, for a listener only, lets the system choose. */
  readonly port: number;
}

/** As {@linkcode TcpAddress}, for datagrams (RFC 768). */
export interface UdpAddress {
  readonly transport: "udp";
  readonly host: string;
  readonly port: number;
}

/** An address with a host and a port. */
export type IpAddress = TcpAddress | UdpAddress;

/** A Unix domain socket. */
export interface UnixAddress {
  readonly transport: "unix";
  readonly path: string;
}

/** Where connections are accepted or dialled. */
export type StreamAddress = TcpAddress | UnixAddress;

/** Where to listen or whom to dial. */
export type Address = StreamAddress | UdpAddress;

/** A label of a host name (RFC 1123), with the underscore that container networks use. */
const HOST_LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;

/** The longest path of a Unix socket on Linux: `sun_path` has 108 bytes, one of them the closing zero. */
export const UNIX_PATH_MAX_BYTES = 107;

/** The longest one to listen on: its socket is made beside it, with `.new` at its end, and takes its place (socket_file.ts). */
const UNIX_LISTEN_PATH_MAX_BYTES = UNIX_PATH_MAX_BYTES - ".new".length;

/** What the path of a Unix socket is for. */
export interface PathUse {
  /** As messages call it. */
  readonly what: string;
  readonly maxBytes: number;
}

export const TO_LISTEN_ON: PathUse = {
  what: "the path of a socket to listen on",
  maxBytes: UNIX_LISTEN_PATH_MAX_BYTES,
};
export const TO_DIAL: PathUse = { what: "the path of a socket", maxBytes: UNIX_PATH_MAX_BYTES };

/** What is said of a path that is too long; undefined when it is not. */
export function whyPathTooLong(path: string, { what, maxBytes }: PathUse): string | undefined {
  const bytes = new TextEncoder().encode(path).length;
  return bytes <= maxBytes ? undefined : `${what} has at most ${maxBytes} bytes; this has ${bytes}`;
}

/** What stands before an address for datagrams. */
const UDP = "udp:";

/** Reads where to listen: `:port` means all addresses, port 0 one that the system chooses. */
export function parseListenAddress(text: string): Address {
  if (text.startsWith(UDP)) return asUdp(parseHostPort(text, UDP.length));
  // As nginx and Traefik have it.
  const place = /^(\S*:\d+)[ /]udp$/i.exec(text)?.[1];
  if (place !== undefined) throw new InputError(`${quote(text)} is not an address; write udp:${place}`);
  return parseStreamListenAddress(text);
}

/** As {@linkcode parseListenAddress}, for connections alone. */
export function parseStreamListenAddress(text: string): StreamAddress {
  return parseAddress(text, TO_LISTEN_ON);
}

/** Reads whom to dial, also for datagrams: a host is needed, and a port that is not 0. */
export function parseConnectAddress(text: string): Address {
  return text.startsWith(UDP)
    ? checkDialable(asUdp(parseHostPort(text, UDP.length)), text)
    : parseDialAddress(text);
}

/** As {@linkcode parseConnectAddress}, for connections alone. */
export function parseDialAddress(text: string): StreamAddress {
  const address = parseAddress(text, TO_DIAL);
  return address.transport === "unix" ? address : checkDialable(address, text);
}

/** The same place, for datagrams. */
export function asUdp({ host, port }: IpAddress): UdpAddress {
  return { transport: "udp", host, port };
}

function checkDialable<Dialled extends IpAddress>(address: Dialled, text: string): Dialled {
  if (address.host === "") {
    const local = formatAddress({ ...address, host: "127.0.0.1" });
    throw new InputError(`${quote(text)} names no host to dial; write ${local}`);
  }
  if (address.port === 0) throw new InputError(`${quote(text)}: port 0 cannot be dialled; write 1 to 65535`);
  return address;
}

/** The address as {@linkcode parseListenAddress} reads it. */
export function formatAddress(address: Address): string {
  if (address.transport === "unix") return `unix:${address.path}`;
  const text = formatHostPort(address.host, address.port);
  return address.transport === "udp" ? `udp:${text}` : text;
}

/** `host:port`, with brackets around an IPv6 address and an IPv4-mapped one (RFC 4291, 2.5.5.2) as IPv4. */
export function formatHostPort(host: string, port: number): string {
  const v4 = host.startsWith("::ffff:") ? host.slice(7) : host;
  if (v4 !== host && isIPv4(v4)) return `${v4}:${port}`;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An address whose host is a name, which has to be resolved before it can be used. */
export function hasName(address: Address): address is IpAddress {
  if (address.transport === "unix" || address.host === "") return false;
  // Only an IPv6 address has colons, and what stands behind its % is no name of a host.
  return !address.host.includes(":") && !isIP(address.host);
}

/** An address whose host is an IPv6 address. */
export function isIPv6Address(address: Address): boolean {
  return address.transport !== "unix" && address.host.includes(":");
}

function parseAddress(text: string, use: PathUse): StreamAddress {
  if (text.startsWith("unix:")) return parseUnixPath(text, use);
  if (text.startsWith(UDP)) {
    throw new InputError(`${quote(text)}: UDP does not fit here; write host:port or unix:/path`);
  }
  return parseHostPort(text, 0);
}

/** @param start Where the host begins; before it stands what says that the address is for datagrams. */
function parseHostPort(text: string, start: number): TcpAddress {
  const prefix = text.slice(0, start);
  const place = text.slice(start);
  const authority = /^(?:[a-z][a-z\d+.-]*:)?\/\/([^/]+)/i.exec(place)?.[1];
  if (authority !== undefined) {
    const rest = /:\d+$/.test(authority) ? authority : `${authority}:80`;
    throw new InputError(`${quote(text)} is not an address; write only host:port, as ${prefix}${rest}`);
  }
  if (/\s/.test(text)) throw new InputError(`${quote(text)} is not one address: it contains a space`);
  const colon = place.endsWith("]") ? -1 : place.lastIndexOf(":");
  if (/^\d+$/.test(place)) {
    throw new InputError(
      `${quote(text)} is only a port; write ${prefix}:${place} or ${prefix}127.0.0.1:${place}`,
    );
  }
  if (colon === -1 && place.startsWith("/")) {
    throw new InputError(`${quote(text)} has no port; for a Unix socket write unix:${place}`);
  }
  if (colon === -1) {
    const forms = prefix === "" ? "host:port, [v6]:port or unix:/path" : "udp:host:port or udp:[v6]:port";
    throw new InputError(`${quote(text)} has no port; write ${forms}`);
  }
  return {
    transport: "tcp",
    host: parseHost(place.slice(0, colon), text),
    port: parsePort(place.slice(colon + 1), text),
  };
}

function parseUnixPath(text: string, use: PathUse): UnixAddress {
  const path = text.slice("unix:".length);
  if (path.startsWith("@")) {
    throw new InputError(
      `${quote(text)}: an abstract socket has no file that says who may connect; write unix:/path/to.sock`,
    );
  }
  if (path === "" || path.endsWith("/")) {
    throw new InputError(`${quote(text)} names no socket file; write unix:/path/to.sock`);
  }
  if (path.includes("\0")) throw new InputError(`${quote(text)}: the path of a socket has no zero byte`);
  const why = whyPathTooLong(path, use);
  if (why !== undefined) throw new InputError(`${quote(text)}: ${why}`);
  return { transport: "unix", path };
}

function parsePort(digits: string, text: string): number {
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : NaN;
  if (!(port <= 65535)) {
    throw new InputError(
      `${quote(text)}: ${quote(digits)} is not a port; the port is a number from 0 to 65535`,
    );
  }
  return port;
}

function parseHost(host: string, text: string): string {
  if (host === "") return host;
  if (host.startsWith("[") && host.endsWith("]")) {
    return parseIPv6Host(host.slice(1, -1), text);
  }
  if (host === "*") {
    throw new InputError(
      `${quote(text)}: * is no host; to listen on all addresses write ${text.replace("*", "")}`,
    );
  }
  if (host.includes("/")) throw new InputError(`${quote(text)} is not an address; write only host:port`);
  if (/^tcp:[^:]*$/.test(host)) {
    throw new InputError(`${quote(text)}: write it without tcp:, as ${text.replace("tcp:", "")}`);
  }
  if (host.includes(":")) {
    throw new InputError(`${quote(text)}: write an IPv6 address in brackets, as [::1]:8001`);
  }
  if (isIPv4(host)) return host;
  const labels = host.replace(/\.$/, "").split(".");
  const isName = host.length <= 253 && labels.every((label) => HOST_LABEL.test(label));
  // A name whose last label is a number would be read by some resolvers as an odd IPv4 address ("10.1", "0x7f000001").
  if (!isName || /^(\d+|0x[0-9a-f]*)$/i.test(labels.at(-1) ?? "")) {
    throw new InputError(`${quote(text)}: ${quote(host)} is neither a host name nor an IP address`);
  }
  return host;
}

function quote(text: string): string {
  return JSON.stringify(text);
}

/** Whether only this machine can reach it: a Unix socket, or an address of the loopback (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3). */
export function isLocal(address: Address): boolean {
  if (address.transport === "unix") return true;
  const { host } = address;
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

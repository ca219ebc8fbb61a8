/**
 * Whose fault it is that a dial failed. Pure.
 *
 * | errno                                          | whose         | what follows                                             |
 * | ---------------------------------------------- | ------------- | -------------------------------------------------------- |
 * | EMFILE, ENFILE, EADDRNOTAVAIL, EADDRINUSE,     | our own: a    | nothing for the backend, which was not even asked        |
 * | ENOBUFS, ENOMEM, ESOURCE                       | shortage      |                                                          |
 * | EAGAIN of a Unix socket                        | the backend's | its queue is full: dialled again until the timeout       |
 * | ECONNREFUSED, ECONNRESET, ETIMEDOUT, ENOENT    | the backend's | counts against it                                        |
 * | ENETUNREACH, EHOSTUNREACH, ENETDOWN            | the way's     | counts against it: sessions cannot reach it, others may  |
 * | EACCES, EPERM, NotCapable                      | a rule's      | counts against it, for the same reason                   |
 *
 * A shortage passes and is the same for every backend. A rule or a missing route stays, and other backends may be reached.
 */

import { type Address, isIPv6Address } from "../core/address.ts";
import { errnoOf, reasonOf } from "../core/errors.ts";
import { isMissingInterface } from "../core/zone.ts";

/** What this machine has run out of, in plain words, by the name of the error number (errno(3)). */
const SHORTAGES: Readonly<Record<string, string>> = {
  /** Of this process, and of the whole system. */
  EMFILE: "no open file left",
  ENFILE: "no open file left on this machine",
  /** All ports that may be used towards this address are (ip(7), ip_local_port_range). */
  EADDRNOTAVAIL: "no local port left",
  EADDRINUSE: "no local port left",
  /** The engine epoll's own. */
  ESOURCE: "its source is no address of this machine",
  ENOBUFS: "no memory for sockets left",
  ENOMEM: "no memory left",
};

/** What the system says in a way that only it understands. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  EACCES: "not permitted by this machine",
  EPERM: "not permitted by this machine",
  EAGAIN: "its queue is full",
};

/**
 * What this machine lacked, in plain words; undefined when the failure is none of its own.
 *
 * @param address What was dialled: IPv6 that is switched off looks like a lack of ports (see ipv6.ts).
 */
export function shortageOf(error: unknown, address?: Address): string | undefined {
  const shortage = SHORTAGES[errnoOf(error) ?? ""];
  const isUncertain = isAddressMissing(error) && address !== undefined && isIPv6Address(address);
  return isUncertain ? `${shortage}, or no IPv6 on this machine` : shortage;
}

/** Whether it was a file descriptor: then waiting helps, since each session that ends frees two. */
export function isDescriptorShortage(error: unknown): boolean {
  const code = errnoOf(error);
  return code === "EMFILE" || code === "ENFILE";
}

/** Whether there was no local address to dial from: mostly because all its ports are in use. */
export function isAddressMissing(error: unknown): boolean {
  return errnoOf(error) === "EADDRNOTAVAIL";
}

/** Whether the queue of a Unix socket was full, as that of a backend that is busy for a moment. */
export function isQueueFull(error: unknown): boolean {
  return errnoOf(error) === "EAGAIN";
}

/** Why a dial failed or a connection broke, in a few plain words without the system's numbers. */
export function describeDialFault(error: unknown, address?: Address): string {
  const known = shortageOf(error, address) ?? REASONS[errnoOf(error) ?? ""];
  if (known !== undefined) return known;
  // Names are resolved before; what is left to look up is the interface of a link-local address.
  if (isMissingInterface(error)) return "this machine has no such network interface";
  return reasonOf(error).toLowerCase();
}

/**
 * Which of several failures is told, where a peer has several addresses: the heaviest. Whether the peer is well is not known when this
 * program had no descriptor left to ask at one address, or no local port. But on a machine without IPv6 its addresses fail in the same
 * way as without a port.
 */
export function dialFaultWeight(error: unknown, address: Address): number {
  if (isDescriptorShortage(error)) return 3;
  if (isAddressMissing(error)) return isIPv6Address(address) ? 0 : 2;
  return 1;
}

import type { Address } from "../../core/address.ts";
import { zoneOf } from "../../core/zone.ts";
import type { Libc } from "./libc.ts";
import { AF_INET, SIOCGIFINDEX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_STREAM } from "./linux.ts";

/** Of struct ifreq: a name with its final zero, and a union that begins with the index. */
const IFREQ_BYTES = 40;
const NAME_BYTES = 16;

/**
 * The number of the interface of a link-local address; 0 for any other, or where there is no such interface.
 *
 * `if_nametoindex` is not used: it makes a kind of socket that a confined thread may not make.
 */
export function zoneIndex(
  libc: Pick<Libc, "socket" | "ioctl" | "close">,
  address: Address,
): number {
  const zone = address.transport === "unix" ? undefined : zoneOf(address.host);
  if (zone === undefined) return 0;
  if (/^\d+$/.test(zone)) return Number(zone);
  const name = new TextEncoder().encode(zone);
  if (name.length >= NAME_BYTES) return 0;
  const request = new Uint8Array(IFREQ_BYTES);
  request.set(name);
  // A confined thread may make only one kind of socket.
  const kind = address.transport === "udp" ? SOCK_DGRAM : SOCK_STREAM;
  const fd = libc.socket(AF_INET, kind | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  const isFound = libc.ioctl(fd, SIOCGIFINDEX, request) === 0;
  libc.close(fd);
  return isFound ? new DataView(request.buffer).getInt32(NAME_BYTES, true) : 0;
}

/** IPv4 subnets with a port, as permissions have them: `10.0.0.0/8:8080`, or `10.0.0.0/8` for any port. */

import { isIPv4, isIPv6 } from "./is_ip.ts";
import type { Address } from "./address.ts";
import { InputError } from "./errors.ts";

/** All addresses with the same leading bits (RFC 4632). */
export interface Subnet {
  /** Its first address. */
  readonly network: string;
  /** 0 to 32. */
  readonly prefixBits: number;
  /** Undefined is any port. */
  readonly port: number | undefined;
}

const FORM = "write it as 10.0.0.0/8:8080";

/** Reads a subnet. IPv6 is refused, because the runtime has no permissions for its subnets. */
export function parseSubnet(text: string): Subnet {
  const quoted = JSON.stringify(text);
  const [, network = "", bits = "", port] = /^(.*?)\/(3[0-2]|[12]?\d)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (isIPv6(text.replace(/^\[/, "").replace(/\]?\/.*$/, ""))) {
    throw new InputError(`${quoted}: only subnets of IPv4 can be permitted; ${FORM}`);
  }
  const subnet = {
    network,
    prefixBits: Number(bits),
    port: port === undefined ? undefined : Number(port),
  };
  if (!isIPv4(network) || (subnet.port ?? 0) > 65_535) {
    throw new InputError(`${quoted} is not a subnet; ${FORM}`);
  }
  if (subnet.port === 0) throw new InputError(`${quoted}: port 0 cannot be dialled; write 1 to 65535`);
  const first = ipv4Text(firstOf(ipv4Number(network), subnet.prefixBits));
  if (first === network) return subnet;
  throw new InputError(
    `${quoted} does not begin at its first address; write ${formatSubnet({ ...subnet, network: first })}`,
  );
}

/** The subnet as {@linkcode parseSubnet} reads it, which is also how a permission is written. */
export function formatSubnet({ network, prefixBits, port }: Subnet): string {
  return `${network}/${prefixBits}${port === undefined ? "" : `:${port}`}`;
}

/** Whether an address is one of the subnet's, and has its port. */
export function isWithin(address: Address, { network, prefixBits, port }: Subnet): boolean {
  if (address.transport === "unix" || !isIPv4(address.host)) return false;
  if (port !== undefined && address.port !== port) return false;
  return firstOf(ipv4Number(address.host), prefixBits) === ipv4Number(network);
}

function ipv4Number(host: string): number {
  return host.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function ipv4Text(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}

function firstOf(number: number, prefixBits: number): number {
  const size = 2 ** (32 - prefixBits);
  return Math.floor(number / size) * size;
}

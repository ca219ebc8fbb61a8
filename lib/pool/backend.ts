import { type Address, formatAddress } from "../core/address.ts";
import { withoutZone } from "../core/zone.ts";
import type { BackendRow } from "./row.ts";

/** A member of a pool. */
export interface Backend {
  /** Its row on the scoreboard. */
  readonly row: BackendRow;
  readonly name: string;
  /** By IP address or socket path; names were resolved in the control plane. */
  readonly address: Address;
  /** Where else it is dialled when that fails: the other addresses of its name. */
  readonly otherAddresses?: readonly Address[];
  /** The name of its host as it was written, where that is one: what its certificate is for. */
  readonly host?: string;
  /** Why its name has no address, in one sentence: then it cannot be dialled, and `address` is what was written. */
  readonly unresolved?: string;
  /** Whether it is picked only when no other can be. */
  readonly isBackup: boolean;
}

/** Every address that a backend may be dialled at. */
export function addressesOf({ address, otherAddresses = [], unresolved }: Backend): Address[] {
  return unresolved === undefined ? [address, ...otherAddresses] : [];
}

/** Whether it is dialled at other addresses than before, all of them: then it is another program, whatever its name. */
export function isElsewhere(before: Backend, now: Backend): boolean {
  if (before.unresolved !== undefined || now.unresolved !== undefined) return false;
  const known = addressesOf(before).map(formatAddress);
  return addressesOf(now).every((address) => !known.includes(formatAddress(address)));
}

/** What it is called towards itself, by TLS: a name or an IP address; undefined for a Unix socket. */
export function hostOf({ address, host }: Backend): string | undefined {
  return host ?? (address.transport === "tcp" ? withoutZone(address.host) : undefined);
}

import type { Address } from "../core/address.ts";

/** A member of a pool. */
export interface Backend {
  /** Its row on the scoreboard. */
  readonly row: number;
  readonly name: string;
  /** By IP address or socket path; names were resolved in the control plane. */
  readonly address: Address;
  /** Whether it is picked only when no other can be. */
  readonly isBackup: boolean;
}

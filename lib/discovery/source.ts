/** The contract of a source: something that knows the members of a pool, and tells of them as they change. */

import type { Address } from "../core/address.ts";

/** A backend as a source knows it. */
export interface Member {
  /** By IP address, name or socket path. */
  readonly address: Address;
  /** Unlike that of any other member; by default its address. */
  readonly name: string;
  /** 0 to 256. */
  readonly weight: number;
  /** 0 is no limit. */
  readonly maxConnections: number;
  readonly backup: boolean;
  /** The name that stands for its address, where there is one: what its certificate is for. */
  readonly host?: string;
}

/** All members at a moment, in whatever order. */
export interface Found {
  readonly members: readonly Member[];
  /** What was left out and why, or why there is nothing: a sentence each. */
  readonly refused: readonly string[];
}

export interface Source {
  /**
   * Tells of the members and of every change of them until `stop`. What cannot be reached is told with its reason each time that it
   * is tried, and tried again with growing pauses. A source that can be reached again says so by telling of the members. Never rejects.
   */
  follow(
    onFound: (found: Found) => void,
    onTrouble: (why: string) => void,
    stop: AbortSignal,
  ): Promise<void>;
}

/** Waits so long, or until the signal; see sleep.ts. A test may have another clock. */
export type Pause = (ms: number, stop: AbortSignal) => Promise<void>;

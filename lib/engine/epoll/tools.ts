import type { Buffers } from "./buffers.ts";
import type { Datagrams } from "./datagrams/datagrams.ts";
import type { Departure } from "./departure.ts";
import type { Libc } from "./libc.ts";
import type { Loads } from "./loads.ts";
import type { Loop } from "./loop.ts";

/** What all connections of a thread use. */
export interface EngineTools {
  readonly libc: Libc;
  readonly loop: Loop;
  readonly buffers: Buffers;
  readonly datagrams: Datagrams;
  readonly loads: Loads;
  /** Connections that left their sessions and are to be reset when all was delivered. */
  readonly departures: Set<Departure>;
  /** Whether the local address of a connection that was dialled is asked for when it is closed. */
  readonly remembersLocal: boolean;
}

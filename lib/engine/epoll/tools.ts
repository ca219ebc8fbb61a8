import type { Buffers } from "./buffers.ts";
import type { Libc } from "./libc.ts";
import type { Loads } from "./loads.ts";
import type { Loop } from "./loop.ts";

/** What all connections of a thread use. */
export interface EngineTools {
  readonly libc: Libc;
  readonly loop: Loop;
  readonly buffers: Buffers;
  readonly loads: Loads;
  /** Whether the local address of a connection that was dialled is asked for when it is closed. */
  readonly remembersLocal: boolean;
}

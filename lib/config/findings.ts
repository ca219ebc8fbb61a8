/** What is found about a configuration, by the paths of its keys. */

import type { Path } from "./place.ts";

/** A fault whose place is still to be looked up. */
export interface PathFault {
  readonly path: Path;
  readonly message: string;
  /** True: the key is wrong where it is, whatever its value. */
  readonly atKey?: boolean;
  /** What else has a part in it: its place is said as well if it is in another file. */
  readonly other?: Path;
}

/** What is wrong, and what is allowed but probably not meant. */
export interface Findings {
  readonly faults: readonly PathFault[];
  readonly notes: readonly PathFault[];
}

/** What a thread can still do once it is confined, and by what it is. Types only. */

/** What a thread needs besides the sockets that are open already. */
export interface Reach {
  /** Whether its sockets are for datagrams, all of them; else none of them is. */
  readonly hasDatagrams: boolean;
  /** The TCP ports that it dials. */
  readonly ports: readonly number[] | "any";
  /** Whether it dials Unix sockets. */
  readonly mayDialUnix: boolean;
  /** Whether it binds sockets to a local address before it dials. */
  readonly mayBind: boolean;
  /** Whether it makes load: it accepts nothing, receives its datagrams one by one, and has an alarm. */
  readonly makesLoad?: boolean;
}

/**
 * What confines a thread. No kernel so far knows ports of datagrams: who has them may send them anywhere.
 *
 * `permissions`: those of the runtime. `landlock`: no file can be opened, and no other port dialled. `landlock_files`: the same for
 * files alone, by an older kernel. `seccomp`: no system call that it does not need.
 */
export type ConfinedBy = "permissions" | "landlock" | "landlock_files" | "seccomp";

export interface Confinement {
  readonly by: readonly ConfinedBy[];
  /** Why it is no more than that, in a few words; undefined when nothing is missing. */
  readonly missing: string | undefined;
}

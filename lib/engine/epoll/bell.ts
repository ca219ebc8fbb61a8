/**
 * The bell that wakes all loops of a process: an eventfd (eventfd(2)) that each of them watches edge-triggered. It is only ever
 * written, so that each write is an edge for every loop.
 */

import { SystemError } from "./errno.ts";
import type { Libc } from "./libc.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK } from "./linux.ts";

const ONE = new BigUint64Array([1n]);

/**
 * Makes a bell; the caller closes it.
 *
 * @throws {SystemError} when there is no descriptor left.
 */
export function makeBell(libc: Libc): number {
  const bell = libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (bell < 0) throw new SystemError(libc.errno());
  return bell;
}

/** Wakes all loops. */
export function ring(libc: Pick<Libc, "write">, bell: number): void {
  libc.write(bell, ONE, 8);
}

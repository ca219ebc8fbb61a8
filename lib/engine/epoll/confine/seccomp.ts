/** The filter of system calls (seccomp(2)). */

import type { Reach } from "../../confinement.ts";
import { SystemError } from "../errno.ts";
import type { Libc } from "../libc.ts";
import { AUDIT_ARCH, compileFilter } from "./bpf.ts";
import { allowedCalls } from "./calls.ts";

const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2n;

export type SeccompCalls = Pick<Libc, "prctl_buffer" | "addressOf" | "errno">;

/**
 * Confines the calling thread, and those that it starts, for good. It must have given up new privileges (PR_SET_NO_NEW_PRIVS).
 *
 * @throws {SystemError} when the kernel has no such filters.
 */
export function restrictCalls(libc: SeccompCalls, reach: Reach): void {
  const { arch } = Deno.build;
  const program = compileFilter(AUDIT_ARCH[arch], allowedCalls(arch, reach, Deno.pid));
  // struct sock_fprog: the number of instructions, and where they are.
  const header = new ArrayBuffer(16);
  const view = new DataView(header);
  view.setUint16(0, program.length / 8, true);
  view.setBigUint64(8, libc.addressOf(program), true);
  if (libc.prctl_buffer(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0n, 0n) < 0) {
    throw new SystemError(libc.errno());
  }
}

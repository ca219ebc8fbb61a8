/** A thread gives up, by the kernel's own means, all that it does not need to serve. */

import { reasonOf } from "../../../core/errors.ts";
import type { ConfinedBy, Confinement, Reach } from "../../confinement.ts";
import { SystemError } from "../errno.ts";
import type { Libc } from "../libc.ts";
import { ABI_WITH_PORTS, type LandlockCalls, restrictFilesAndPorts } from "./landlock.ts";
import { restrictCalls, type SeccompCalls } from "./seccomp.ts";

const PR_SET_NO_NEW_PRIVS = 38;

export type ConfineCalls = LandlockCalls & SeccompCalls & Pick<Libc, "prctl">;

/**
 * Confines the calling thread as far as the kernel can, for good. Other threads stay as they are. It is done once, when the thread
 * has all the files and listening sockets that it needs.
 */
export function confine(libc: ConfineCalls, reach: Reach): Confinement {
  const by: ConfinedBy[] = [];
  const missing: string[] = [];
  const attempt = (what: string, restrict: () => void): void => {
    try {
      restrict();
    } catch (error) {
      missing.push(`${what}: ${reasonOf(error)}`);
    }
  };
  attempt("no_new_privs", () => giveUpNewPrivileges(libc));
  attempt("landlock", () => {
    const abi = restrictFilesAndPorts(libc, reach);
    by.push(abi < ABI_WITH_PORTS ? "landlock_files" : "landlock");
    if (abi < ABI_WITH_PORTS) missing.push(`landlock: version ${abi} of this kernel knows no ports`);
  });
  // The last one: the other two would be refused after it.
  attempt("seccomp", () => {
    restrictCalls(libc, reach);
    by.push("seccomp");
  });
  return { by, missing: missing.length === 0 ? undefined : missing.join(", ") };
}

/** No program that is run from here on has more rights than this one (prctl(2)). */
function giveUpNewPrivileges(libc: Pick<Libc, "prctl" | "errno">): void {
  if (libc.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n) < 0) throw new SystemError(libc.errno());
}

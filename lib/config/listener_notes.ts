/** What a listener may say but probably does not get. */

import { canonicalHost } from "../core/overlap.ts";
import type { PathFault } from "./findings.ts";
import type { EngineName } from "./engine_names.ts";
import { DEFAULT_BACKLOG } from "./listener_schema.ts";
import type { Config } from "./schema.ts";

/** What Linux allows since 5.4 unless it is told otherwise; before it was 128. */
const USUAL_SOMAXCONN = 4096;

/** What the runtime gives a Unix socket; it has no option for it. */
const UNIX_BACKLOG = 1024;

/** All addresses of this machine. */
const ALL_HOSTS: readonly string[] = ["::", "0.0.0.0"];

/**
 * Notes on listeners that were checked.
 *
 * @param engine Undefined when it is not known yet.
 *
 * The system cuts a backlog to its own limit and does not say so. The limit itself stands in /proc, which the runtime lets
 * no program read that is not allowed everything; so all that can be said is that a backlog is above the usual limit.
 */
export function notesOnListeners(
  listeners: Config["listeners"],
  engine: EngineName | undefined,
): PathFault[] {
  return listeners.flatMap(({ backlog, listen }, i) => {
    if (
      engine === "runtime" && listen.transport === "udp" && ALL_HOSTS.includes(canonicalHost(listen.host))
    ) {
      const message =
        "with the engine runtime the system chooses the address that answers come from, which a client " +
        "may not expect where this machine has several; listen on one of them, or use engine: epoll";
      return [{ path: ["listeners", i, "listen"], message }];
    }
    const path = ["listeners", i, "backlog"];
    if (listen.transport === "unix" && engine !== "epoll" && backlog !== DEFAULT_BACKLOG) {
      return [{ path, message: `a Unix socket has a backlog of ${UNIX_BACKLOG}, whatever this says` }];
    }
    if (backlog <= USUAL_SOMAXCONN) return [];
    const message =
      `Linux cuts a backlog to net.core.somaxconn, which is ${USUAL_SOMAXCONN} unless it was raised`;
    return [{ path, message }];
  });
}

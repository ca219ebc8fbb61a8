/** Sockets of the service manager (sd_listen_fds(3)): systemd listens before the program runs, and between its runs. */

import type { EngineName } from "../config/engine_names.ts";
import {
  type Given,
  type GivenSocket,
  type NamedDescriptor,
  socketsAmong,
} from "../control/given_sockets.ts";
import { formatAddress } from "../core/address.ts";
import type { Recorder } from "../core/log.ts";

/** The first one; before it are stdin, stdout and stderr. */
const FIRST_DESCRIPTOR = 3;

/** What the environment says about them. */
const ACTIVATION_VARIABLES: readonly string[] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/**
 * The sockets of the service manager for a balancer to listen with; undefined where there are none. What cannot be used is told.
 *
 * @param engine Of the balancer.
 */
export function givenByManager(engine: EngineName, log: Pick<Recorder, "warn">): Given | undefined {
  const activated = activatedSockets();
  if (activated.length === 0) return undefined;
  if (engine !== "epoll") {
    const reason = "the engine runtime cannot use sockets of the service manager; it needs epoll";
    log.warn("sockets_not_used", { sockets: activated.length, reason });
    return undefined;
  }
  const { sockets, unfit } = socketsAmong(activated);
  for (const { descriptor, name } of unfit) {
    log.warn("socket_not_used", { descriptor, name, reason: "no connections or datagrams can come by it" });
  }
  return { sockets, settled: new Map() };
}

/** Tells which sockets of the service manager were closed: a client that connects there gets no answer. */
export function sayUnused(unused: readonly GivenSocket[], log: Pick<Recorder, "warn">): void {
  for (const { address, name = "" } of unused) {
    log.warn("socket_not_used", {
      address: formatAddress(address),
      name,
      reason: "no listener has this address",
    });
  }
}

/** Those that were passed to this process; none where it may not read the environment. */
function activatedSockets(): readonly NamedDescriptor[] {
  const [pid, count, names = ""] = ACTIVATION_VARIABLES.map(variable);
  // A program in between may have left them in the environment of its children.
  if (Number(pid) !== Deno.pid || !/^\d{1,5}$/.test(count ?? "")) return [];
  const list = names.split(":");
  return Array.from({ length: Number(count) }, (_, i) => {
    return { descriptor: FIRST_DESCRIPTOR + i, name: list[i] ?? "" };
  });
}

/** A value of the environment, where it may be read. */
export function variable(name: string): string | undefined {
  const isGranted = Deno.permissions.querySync({ name: "env", variable: name }).state === "granted";
  return isGranted ? Deno.env.get(name) : undefined;
}

/** Where the listeners of a configuration listen: `:0` and names made concrete, before a worker starts. */

import type { Config } from "../config/schema.ts";
import { type Address, formatAddress } from "../core/address.ts";
import { RunError } from "../core/errors.ts";
import type { Holder } from "../core/overlap.ts";
import { resolveAddress } from "../core/resolve.ts";
import { type ListenerOptions, socketsOf } from "../dataplane/messages.ts";
import { settleAddresses } from "../engine/runtime/settle.ts";
import { opensTls } from "./greetings.ts";
import { type Given, holdersOf } from "./given_sockets.ts";
import type { PortHold } from "./port_hold.ts";

/** What runs already. */
interface Running {
  readonly plan: {
    readonly listeners: readonly ListenerOptions[];
    readonly settled: ReadonlyMap<string, readonly Address[]>;
  };
  readonly config: Config;
  /** Listeners for datagrams of older plans, whose flows are not all over. */
  readonly lingering?: readonly ListenerOptions[];
}

/**
 * Settles every address that is not settled yet and makes sure that it can be listened on.
 *
 * @param running What the configuration takes the place of.
 * @param ports Holds the ports that the system chose; the caller releases them.
 * @param given Sockets that are listened with already, where nothing runs yet.
 * @return The sockets of each listener, by {@linkcode listenKey}.
 * @throws {RunError} when a name cannot be resolved, or an address cannot be listened on.
 */
export async function settleListeners(
  config: Config,
  running: Running | undefined,
  ports: PortHold | undefined,
  given: Given = { sockets: [], settled: new Map() },
): Promise<Map<string, readonly Address[]>> {
  const settled = new Map<string, readonly Address[]>();
  const before = running?.plan.settled ?? given.settled;
  for (const listener of config.listeners) {
    const sockets = before.get(listenKey(listener));
    if (sockets !== undefined) settled.set(listenKey(listener), sockets);
  }
  const fresh = config.listeners.filter((listener) => !settled.has(listenKey(listener)));
  const resolved = await Promise.all(fresh.map((listener) => resolveAddress(listener.listen)));
  const staying = [...settled.values()].flat();
  const held = running === undefined ? holdersOf(given) : holders(running, config, staying);
  const found = await settleAndHold(fresh, () => settleAddresses(resolved, held), config, ports);
  fresh.forEach((listener, i) => settled.set(listenKey(listener), found[i] ?? [listener.listen]));
  return settled;
}

/** Between the moment in which the system has chosen a port and that in which it is held, another program may be given it. */
const MAX_CHOICES = 5;

async function settleAndHold(
  listeners: Config["listeners"],
  settle: () => readonly (readonly Address[])[],
  config: Config,
  ports: PortHold | undefined,
): Promise<readonly (readonly Address[])[]> {
  for (let choice = 1;; choice++) {
    const found = settle();
    if (ports === undefined) return found;
    try {
      // deno-lint-ignore no-await-in-loop -- another choice is made only when this one was taken
      await holdChosenPorts(listeners, found, config, ports);
      return found;
    } catch (error) {
      // deno-lint-ignore no-await-in-loop -- as above
      await ports.release();
      if (!isTaken(error) || choice === MAX_CHOICES) throw error;
    }
  }
}

/** As both engines tell it. */
function isTaken(error: unknown): boolean {
  const cause = error instanceof RunError ? error.cause : undefined;
  return cause instanceof Error && (cause as { code?: unknown }).code === "EADDRINUSE";
}

async function holdChosenPorts(
  listeners: Config["listeners"],
  found: readonly (readonly Address[])[],
  config: Config,
  ports: PortHold,
): Promise<void> {
  const chosen = listeners.flatMap((listener, i) => {
    const { listen, backlog, keepalive } = listener;
    if (listen.transport === "unix" || listen.port !== 0) return [];
    const options = { backlog, keepalive, opensTls: opensTls(listener, config) };
    return (found[i] ?? []).map((address) => ({ address, options }));
  });
  for (const { address, options } of chosen) {
    // deno-lint-ignore no-await-in-loop -- it does not wait: a port is listened on at once
    if (address.transport !== "unix") await ports.hold(address, options);
  }
}

/** Keyed by the address text; port 0 also by the name of the listener, since each gets a port of its own. */
export function listenKey({ name, listen }: Config["listeners"][number]): string {
  const written = formatAddress(listen);
  return listen.transport !== "unix" && listen.port === 0 ? `${name} ${written}` : written;
}

/**
 * What this program listens on while the next configuration is put into force.
 *
 * @param staying Sockets of listeners whose address has not changed.
 */
function holders(running: Running, next: Config, staying: readonly Address[]): Holder[] {
  const { plan, config, lingering = [] } = running;
  const listeners = [...plan.listeners, ...lingering].flatMap((listener) =>
    socketsOf(listener).map((address) => ({
      address,
      what: `listener ${JSON.stringify(listener.name)}`,
      isStaying: staying.includes(address),
      isShareable: true,
    }))
  );
  if (config.admin === undefined) return listeners;
  const address = config.admin.listen;
  const isStaying = next.admin !== undefined && formatAddress(next.admin.listen) === formatAddress(address);
  return [...listeners, { address, what: "the admin page", isStaying, isShareable: false }];
}

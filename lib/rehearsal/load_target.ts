/** Which listener a rehearsal loads, and with what. Pure. */

import type { PathFault } from "../config/findings.ts";
import type { Config } from "../config/schema.ts";
import { type Address, formatAddress } from "../core/address.ts";
import { meantBy } from "../core/other_names.ts";
import type { LoadPlan } from "../load/plan.ts";
import { httpRequest } from "../load/request.ts";
import type { LoadSettings } from "./plan_schema.ts";

/** Why a load cannot go to its listener; none when it can. @param wanted Its name; undefined is the first. */
export function listenerFaults(wanted: string | undefined, { listeners }: Config): PathFault[] {
  const path = ["load", ...(wanted === undefined ? [] : ["listener"])];
  const names = listeners.map(({ name }) => name);
  const listener = listeners[targetOf(wanted, listeners)];
  if (listener === undefined) {
    const near = meantBy(wanted ?? "", names);
    const hint = near === undefined ? `use ${names.join(", ")}` : `did you mean ${near}?`;
    return [{ path, message: `there is no listener ${JSON.stringify(wanted)}; ${hint}` }];
  }
  const reason = listener.flows !== undefined
    ? "takes datagrams"
    : listener.tls !== undefined
    ? "opens TLS"
    : listener.proxyProtocol !== undefined
    ? "wants a PROXY header"
    : undefined;
  if (reason === undefined) return [];
  const message = `the listener ${listener.name} ${reason}, and the load of a rehearsal is plain HTTP; ` +
    "load another one, with listener";
  return [{ path, message }];
}

/** The name of the pool that the load comes to: it is no TLS, which routes look at. Undefined where it comes to none. */
export function loadedPool(wanted: string | undefined, { listeners }: Config): string | undefined {
  return listeners[targetOf(wanted, listeners)]?.pool;
}

/** Its number among the listeners; -1 when there is none of that name. */
export function targetOf(wanted: string | undefined, listeners: Config["listeners"]): number {
  return wanted === undefined ? 0 : listeners.findIndex(({ name }) => name === wanted);
}

/** The load of one run. Servers answer with their names, so that the report can tell who has. */
export function loadPlanOf(load: LoadSettings, address: Address): LoadPlan {
  const dialled = reachable(address);
  const host = dialled.transport === "tcp" ? formatAddress(dialled) : "localhost";
  return {
    addresses: [dialled],
    host: undefined,
    connections: load.connections,
    requests: Infinity,
    durationMs: load.durationMs,
    newConnection: !load.keepConnections,
    hold: false,
    request: { text: httpRequest(host, !load.keepConnections) },
    pipeline: 1,
    rate: load.rate,
    rampMs: load.rampMs,
    expect: { kind: "http" },
    verify: false,
    timeoutMs: load.timeoutMs,
    proxyProtocol: undefined,
    tls: undefined,
  };
}

/** Where all addresses are listened on, this machine is one of them. */
function reachable(address: Address): Address {
  if (address.transport !== "tcp" || !["", "0.0.0.0", "::"].includes(address.host)) return address;
  return { ...address, host: "127.0.0.1" };
}

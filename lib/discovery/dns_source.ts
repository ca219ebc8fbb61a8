/** A name of DNS whose addresses, all of them, are the members. */

import { formatHostPort, type TcpAddress } from "../core/address.ts";
import { lookUp, NameError } from "../core/lookup.ts";
import { askNameServer } from "./name_server.ts";
import { polling } from "./poll.ts";
import { againAfter, type AskOptions } from "./refresh.ts";
import type { Member, Source } from "./source.ts";

export interface DnsSourceOptions extends AskOptions {
  readonly name: string;
  /** Of every member. */
  readonly port: number;
  /** Undefined: the resolver of the system, which does not say how long an answer holds. */
  readonly resolver: TcpAddress | undefined;
}

export function dnsSource(options: DnsSourceOptions): Source {
  const { name, port } = options;
  return polling(async (stop) => {
    const { addresses, ttlSeconds, why } = await addressesOf(options, stop);
    return {
      members: addresses.map((host) => memberAt(host, port, name)),
      refused: why === undefined ? [] : [why],
      againMs: againAfter(ttlSeconds, options),
    };
  }, options.pause);
}

/** A member that is known by its address alone. */
export function memberAt(host: string, port: number, name: string): Member {
  const address: TcpAddress = { transport: "tcp", host, port };
  return {
    address,
    name: formatHostPort(host, port),
    weight: 1,
    maxConnections: 0,
    backup: false,
    host: name.replace(/\.$/, ""),
  };
}

export interface Addresses {
  readonly addresses: readonly string[];
  readonly ttlSeconds: number | undefined;
  /** Why there are none; undefined where there are some. */
  readonly why: string | undefined;
}

/**
 * All addresses of a name, of both families.
 *
 * @throws {Error} with one sentence, when it cannot be found out.
 */
export async function addressesOf(
  { name, resolver }: Pick<DnsSourceOptions, "name" | "resolver">,
  stop: AbortSignal,
): Promise<Addresses> {
  if (resolver === undefined) return await knownToSystem(name);
  const [v4, v6] = await Promise.all([
    askNameServer(resolver, name, "A", stop),
    askNameServer(resolver, name, "AAAA", stop),
  ]);
  const addresses = [...v4.addresses, ...v6.addresses];
  const ttls = [v4, v6].flatMap(({ ttlSeconds }) => ttlSeconds ?? []);
  return {
    addresses,
    ttlSeconds: ttls.length === 0 ? undefined : Math.min(...ttls),
    why: addresses.length > 0 ? undefined : noAddress(name, v4.exists && v6.exists),
  };
}

async function knownToSystem(name: string): Promise<Addresses> {
  try {
    return { addresses: await lookUp(name), ttlSeconds: undefined, why: undefined };
  } catch (error) {
    if (!(error instanceof NameError) || !error.isUnknown) throw error;
    return { addresses: [], ttlSeconds: undefined, why: error.message };
  }
}

function noAddress(name: string, exists: boolean): string {
  return new NameError(name, exists ? "it has no address" : "there is no such name", true).message;
}

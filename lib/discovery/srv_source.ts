/** A service of DNS (RFC 2782): the addresses of its targets are the members. */

import type { TcpAddress } from "../core/address.ts";
import { reasonOf } from "../core/errors.ts";
import { whyTooMany } from "../core/member_limit.ts";
import type { ServiceRecord } from "../wire/dns_message.ts";
import { addressesOf, memberAt } from "./dns_source.ts";
import { askNameServer } from "./name_server.ts";
import { polling } from "./poll.ts";
import { againAfter, type AskOptions } from "./refresh.ts";
import type { Member, Source } from "./source.ts";
import { systemNameServer } from "./system_name_server.ts";

export interface SrvSourceOptions extends AskOptions {
  /** As `_db._tcp.internal`. */
  readonly name: string;
  /** Undefined: the first name server of the system. */
  readonly resolver: TcpAddress | undefined;
}

/** Targets that are looked up at once. */
const LOOKUPS_AT_ONCE = 16;

/** Of a backend; a record may have up to 65535. */
const MAX_WEIGHT = 256;

export function srvSource(options: SrvSourceOptions): Source {
  const { name } = options;
  /** The last addresses of each target: one that cannot be looked up keeps them. */
  let known = new Map<string, readonly string[]>();
  return polling(async (stop) => {
    const resolver = options.resolver ?? await systemNameServer();
    const { services, ttlSeconds, exists } = await askNameServer(resolver, name, "SRV", stop);
    const targets = [...new Set(services.map(({ target }) => target))].filter((it) => it !== "");
    const { addresses, ttls, refused } = await lookUpAll(targets, resolver, known, stop);
    known = addresses;
    if (services.length === 0) {
      refused.push(`the service ${JSON.stringify(name)} ${exists ? "has no records" : "does not exist"}`);
    }
    const times = [...ttls, ...(ttlSeconds === undefined ? [] : [ttlSeconds])];
    return {
      members: membersOf(services, addresses),
      refused,
      againMs: againAfter(times.length === 0 ? undefined : Math.min(...times), options),
    };
  }, options.pause);
}

interface Targets {
  readonly addresses: Map<string, readonly string[]>;
  readonly ttls: number[];
  readonly refused: string[];
}

async function lookUpAll(
  targets: readonly string[],
  resolver: TcpAddress,
  known: ReadonlyMap<string, readonly string[]>,
  stop: AbortSignal,
): Promise<Targets> {
  const found: Targets = { addresses: new Map(), ttls: [], refused: [] };
  const lookUpOne = async (name: string): Promise<void> => {
    try {
      const { addresses, ttlSeconds, why } = await addressesOf({ name, resolver }, stop);
      found.addresses.set(name, addresses);
      if (ttlSeconds !== undefined) found.ttls.push(ttlSeconds);
      if (why !== undefined) found.refused.push(why);
    } catch (error) {
      found.addresses.set(name, known.get(name) ?? []);
      found.refused.push(reasonOf(error));
    }
  };
  for (let i = 0; i < targets.length; i += LOOKUPS_AT_ONCE) {
    // deno-lint-ignore no-await-in-loop -- not all at once
    await Promise.all(targets.slice(i, i + LOOKUPS_AT_ONCE).map(lookUpOne));
    checkCount([...found.addresses.values()].reduce((sum, { length }) => sum + length, 0));
  }
  return found;
}

/** One answer may name thousands of targets, and another one thousands of addresses for each. */
function checkCount(members: number): void {
  const tooMany = whyTooMany(members);
  if (tooMany !== undefined) throw new Error(tooMany);
}

/**
 * Those of the lowest priority take the sessions, and all others are backups. Pure.
 *
 * @throws {Error} with one sentence, when there are more than a pool may have.
 */
export function membersOf(
  services: readonly ServiceRecord[],
  addresses: ReadonlyMap<string, readonly string[]>,
): Member[] {
  const usable = services.filter(({ target, port }) => port > 0 && (addresses.get(target) ?? []).length > 0);
  const first = Math.min(...usable.map(({ priority }) => priority));
  const heaviest = Math.max(...usable.map(({ weight }) => weight));
  const scale = heaviest > MAX_WEIGHT ? MAX_WEIGHT / heaviest : 1;
  const members = new Map<string, Member>();
  for (const { target, port, priority, weight } of bestOfEach(usable)) {
    checkCount(members.size);
    for (const host of addresses.get(target) ?? []) {
      const member = {
        ...memberAt(host, port, target),
        // 0 is a small share (RFC 2782), and not none.
        weight: Math.max(1, Math.round(weight * scale)),
        backup: priority > first,
      };
      const earlier = members.get(member.name);
      // The same address under two targets counts once, by the better of the two.
      if (earlier === undefined || (earlier.backup && !member.backup)) members.set(member.name, member);
    }
  }
  checkCount(members.size);
  return [...members.values()];
}

/** Each target and port once, with its lowest priority. */
function bestOfEach(services: readonly ServiceRecord[]): ServiceRecord[] {
  const best = new Map<string, ServiceRecord>();
  for (const service of services) {
    const key = `${service.port} ${service.target}`;
    const known = best.get(key);
    if (known === undefined || service.priority < known.priority) best.set(key, service);
  }
  return [...best.values()];
}

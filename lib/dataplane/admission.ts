/** Which clients of a listener are let in: by where they come from, how many connections they have, and how fast they open them. */

import type { Endpoint } from "../core/endpoint.ts";
import { ipMatcher } from "../core/ip_matcher.ts";
import type { IPRange } from "../core/ip_range.ts";
import { readIP } from "../core/ip_words.ts";
import type { ListenerRow } from "../pool/row.ts";
import type { SourceLedger } from "../pool/source_ledger.ts";
import { AT_LIMIT, type ConnectionRate } from "../pool/source_table.ts";
import type { DenialReason } from "./record.ts";

/** As a worker is told. */
export interface AdmissionOptions {
  /** Whose clients are let in; empty: everyone's. */
  readonly allow: readonly IPRange[];
  /** Whose are not, also where they are allowed. */
  readonly deny: readonly IPRange[];
  /** For each source; undefined: none. */
  readonly perSource?: SourceLimits;
}

/** A source is an IPv4 address, or the first 64 bits of an IPv6 address. */
export interface SourceLimits {
  /** Connections at once, over all workers; 0 is no limit. */
  readonly maxConnections: number;
  readonly rate: ConnectionRate | undefined;
}

/** Stands for a place that is not counted. */
export const UNCOUNTED = -1;

export interface Admission {
  /** Takes a place for a client, which is to be given back once unless it is {@linkcode UNCOUNTED}; or says why there is none. */
  enter(client: Endpoint): number | DenialReason;
  leave(place: number): void;
}

/**
 * A client without an IP address is in no range and has no limits of its own: it is let in where everyone is.
 *
 * @param row Of the listener.
 * @param sources Undefined where no listener limits them.
 */
export function admissionOf(
  { allow, deny, perSource }: AdmissionOptions,
  row: ListenerRow,
  sources: SourceLedger | undefined,
): Admission {
  const [isAllowed, isDenied] = [ipMatcher(allow), ipMatcher(deny)];
  const isOpen = allow.length === 0;
  const enter = perSource === undefined || sources === undefined
    ? () => UNCOUNTED
    : limitedEntry(perSource, row, sources);
  return {
    enter: (client) => {
      if (client.transport === "unix") return isOpen ? UNCOUNTED : "denied";
      if (!isOpen && !isAllowed(client.host)) return "denied";
      if (deny.length > 0 && isDenied(client.host)) return "denied";
      return enter(client.host);
    },
    leave: (place) => sources?.giveBack(place),
  };
}

function limitedEntry(
  { maxConnections, rate }: SourceLimits,
  row: ListenerRow,
  sources: SourceLedger,
): (host: string) => number | DenialReason {
  const words = new Uint32Array(4);
  return (host) => {
    const family = readIP(host, words);
    if (family === undefined) return UNCOUNTED;
    const place = sources.take(row, words, family === 4 ? 1 : 2, maxConnections);
    if (place === AT_LIMIT) return "source_limit";
    if (place < 0) return UNCOUNTED;
    if (rate === undefined || sources.table.charge(place, rate, Date.now() * 1_000)) return place;
    sources.giveBack(place);
    return "connection_rate";
  };
}

/**
 * Flows that end as any sender can have them end, thousands a second: a record of each would be another flood. The first of a second leave
 * records, and the others are summed up.
 */

import { type Endpoint, formatEndpoint } from "../core/endpoint.ts";
import { type EndReason, UNSERVED } from "./record.ts";

/** Those of a listener and for one reason that have left no record, since the last time. */
export interface FlowSum {
  readonly listener: string;
  readonly reason: EndReason;
  readonly count: number;
  /** One of them. */
  readonly client: string;
}

/** The ends that are summed up. */
const SUMMED = UNSERVED.union(new Set<EndReason>(["forgotten", "backend_reset", "idle_timeout"]));

/** So many leave a record, of each worker, listener and reason in each period. */
const MAX_RECORDS = 10;
const PERIOD_MS = 1_000;

/** What is asked of a session that has ended. */
interface Ended {
  readonly endReason: EndReason;
  readonly source: Endpoint;
  readonly listener: { readonly name: string };
}

interface Sum {
  readonly listener: string;
  readonly reason: EndReason;
  /** Records in this period. */
  records: number;
  /** Of those that left none: how many, and one of them. */
  count: number;
  client: Endpoint | undefined;
}

export class FlowSums {
  #sums = new Map<string, Sum>();
  #periodEndMs = 0;

  /**
   * Sums up a session that has ended, where it is a flow that leaves no record for it.
   *
   * @param areRecorded Whether any session leaves a record.
   * @return Whether it did.
   */
  sumsUp(session: Ended, areRecorded: boolean): boolean {
    const { endReason: reason } = session;
    if (!SUMMED.has(reason)) return false;
    const { source, listener: { name: listener } } = session;
    if (source.transport !== "udp") return false;
    const key = `${listener} ${reason}`;
    let sum = this.#sums.get(key);
    if (sum === undefined) {
      this.#sums.set(key, sum = { listener, reason, records: 0, count: 0, client: undefined });
    }
    if (areRecorded && sum.records < MAX_RECORDS) {
      sum.records++;
      return false;
    }
    sum.count++;
    sum.client ??= source;
    return true;
  }

  /** What has been summed up since the last time. */
  handOver(): FlowSum[] {
    const sums: FlowSum[] = [];
    for (const sum of this.#sums.values()) {
      const { listener, reason, count, client } = sum;
      if (client === undefined) continue;
      sums.push({ listener, reason, count, client: formatEndpoint(client) });
      sum.count = 0;
      sum.client = undefined;
    }
    return sums;
  }

  /** Call it after {@linkcode handOver}: a new period begins with no records. */
  onTick(nowMs: number): void {
    if (nowMs < this.#periodEndMs) return;
    this.#periodEndMs = nowMs + PERIOD_MS;
    this.#sums = new Map();
  }
}

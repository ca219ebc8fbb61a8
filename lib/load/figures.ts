/** What is counted during a run. */

import { ERROR_KINDS, type ErrorKind } from "./error_kind.ts";
import { type CountedTimes, Latencies } from "./latencies.ts";

export type ErrorCounts = Record<ErrorKind, number>;

/** What was counted in a while; goes from thread to thread. */
export interface Counted {
  /** Those that were answered, whole and right. */
  readonly requests: number;
  readonly errors: ErrorCounts;
  /** What the first of the kind `other` was. */
  readonly reason: string | undefined;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly latencies: CountedTimes;
  readonly connects: CountedTimes;
  /** Replies by the name that they say. */
  readonly backends: ReadonlyMap<string, number>;
  /** Replies with names beyond those that are kept. */
  readonly otherBackends: number;
}

/** So many names are kept: there may be a different one in each reply. */
const MAX_NAMES = 4_096;

export class Figures {
  requests = 0;
  sentBytes = 0;
  receivedBytes = 0;
  readonly errors: ErrorCounts = noErrors();
  reason: string | undefined;
  /** From the beginning of a request, or when it was meant to begin, to the end of its reply. */
  readonly latencies = new Latencies();
  /** From the dial until a request can be sent. */
  readonly connects = new Latencies();
  readonly backends = new Map<string, number>();
  otherBackends = 0;

  failed(kind: ErrorKind, count: number, reason?: string): void {
    this.errors[kind] += count;
    if (kind === "other" && count > 0) this.reason ??= reason;
  }

  named(name: string, count = 1): void {
    const before = this.backends.get(name);
    if (before === undefined && this.backends.size >= MAX_NAMES) this.otherBackends += count;
    else this.backends.set(name, (before ?? 0) + count);
  }

  add(counted: Counted): void {
    this.requests += counted.requests;
    this.sentBytes += counted.sentBytes;
    this.receivedBytes += counted.receivedBytes;
    for (const kind of ERROR_KINDS) this.errors[kind] += counted.errors[kind];
    this.reason ??= counted.reason;
    this.latencies.addAll(counted.latencies);
    this.connects.addAll(counted.connects);
    for (const [name, count] of counted.backends) this.named(name, count);
    this.otherBackends += counted.otherBackends;
  }

  /** Gives what was counted since the last time. */
  take(): Counted {
    const { requests, sentBytes, receivedBytes, reason, otherBackends } = this;
    const taken = {
      ...{ requests, sentBytes, receivedBytes, reason, otherBackends },
      errors: { ...this.errors },
      latencies: this.latencies.take(),
      connects: this.connects.take(),
      backends: new Map(this.backends),
    };
    this.requests =
      this.sentBytes =
      this.receivedBytes =
      this.otherBackends =
        0;
    Object.assign(this.errors, noErrors());
    this.backends.clear();
    return taken;
  }

  get errorCount(): number {
    return Object.values(this.errors).reduce((sum, it) => sum + it);
  }
}

function noErrors(): ErrorCounts {
  return Object.fromEntries(ERROR_KINDS.map((kind) => [kind, 0])) as ErrorCounts;
}

import type { Backend } from "../pool/backend.ts";

/** What a session needs only until it has a backend. */
export class Search {
  /** Backends that were dialled without success. */
  readonly tried: Backend[] = [];
  /** The backend at which it has a slot. */
  picked: Backend | undefined;
  firstDialMs = 0;
  lastDialMs = 0;
  /** When the dial that is under way has taken too long. */
  deadlineMs = Infinity;
  /** Since when this machine lacks something for a dial. */
  shortSinceMs: number | undefined;
  /** Ends what is under way: a dial, a rest, or the wait in line. */
  cancel: (() => void) | undefined;

  /** @param timeoutMs 0 is none. */
  dialBegins(backend: Backend, nowMs: number, timeoutMs: number, isFirst: boolean): void {
    this.picked = backend;
    this.lastDialMs = nowMs;
    if (isFirst) this.firstDialMs = nowMs;
    this.deadlineMs = timeoutMs === 0 ? Infinity : nowMs + timeoutMs;
  }

  /** @return How long all dials have taken, with what lay between them. */
  dialEnds(nowMs: number): number {
    this.cancel = undefined;
    this.deadlineMs = Infinity;
    return nowMs - this.firstDialMs;
  }
}

/** An attempt to reach a backend, and why it failed, in a few plain words. */
export interface FailedDial {
  readonly backend: Backend;
  readonly failure: string;
  /** Whether it is the backend's fault, and not a lack of something on this machine. */
  readonly isBackends: boolean;
}

/** Before the first dial of a backend that was dialled without success; doubles with each one that follows, three times. */
const RETRY_PAUSE_MS = 500;

/** Pause before a backend is dialled again, after `dials` unsuccessful dials, when there is no other. */
export function restBeforeSameMs(dials: number): number {
  return RETRY_PAUSE_MS * 2 ** Math.min(dials - 1, 3);
}

/** As long as a dial may take by default; for pools whose dials may take as long as the system wants. */
const SHORTAGE_PATIENCE_MS = 5_000;

/** Each dial without a local port makes the system look through all of them, so there are only a few. */
const SHORTAGE_PAUSE_MS = 100;
const MAX_SHORTAGE_PAUSE_MS = 1_000;

/**
 * How long a session rests that has found no local port, for which it waits as long as a dial may take; undefined when it has
 * waited for that long. Each rest is as long as all those before.
 */
export function shortageRestMs(waitedMs: number, dialTimeoutMs: number): number | undefined {
  if (waitedMs >= (dialTimeoutMs || SHORTAGE_PATIENCE_MS)) return undefined;
  return Math.min(Math.max(waitedMs, SHORTAGE_PAUSE_MS), MAX_SHORTAGE_PAUSE_MS);
}

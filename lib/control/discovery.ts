/** The source of one pool: its last good members, and what has become of it. */

import type { DiscoverConfig } from "../config/discover_schema.ts";
import { formatDuration } from "../core/duration.ts";
import type { Recorder } from "../core/log.ts";
import type { Found, Member, Pause, Source } from "../discovery/source.ts";
import { sourceTitle } from "./make_source.ts";

export interface DiscoveryOptions {
  readonly pool: string;
  readonly discover: DiscoverConfig;
  readonly source: Source;
  /** The members of the source whose place it takes: they stay until it has its own. */
  readonly before: readonly Member[];
  readonly log: Recorder;
  /** Waits; a test may have another clock. */
  readonly pause: Pause;
  /** Told when the members may have changed. */
  readonly onChanged: () => void;
}

/** A source that fails again before works as badly as before, and nothing more is said. */
const STEADY_MS = 10_000;

export class Discovery {
  readonly title: string;
  /** Since when it is as it is, in milliseconds since 1970. */
  sinceMs = Date.now();
  /** Why it cannot be used at the moment; empty when it can. */
  trouble = "";
  readonly #options: DiscoveryOptions;
  readonly #stop = new AbortController();
  /** Since when it fails, at times or all the time, as far as that has been said. */
  #failsSinceMs: number | undefined;
  /** Aborted when it fails again. */
  #recovery = new AbortController();
  readonly #answered = Promise.withResolvers<void>();
  /** What the source has said last, in its order; undefined once it is sorted. */
  #unsorted: Found | undefined;
  #found: Found;
  /** What was taken last, as text, by which a change is noticed. */
  #taken = "";
  #following: Promise<void> = Promise.resolve();

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.title = sourceTitle(options.discover);
    this.#found = { members: options.before, refused: [] };
  }

  /** What is known last that can be used, sorted by name, so that every balancer has it in the same order. */
  get found(): Found {
    if (this.#unsorted !== undefined) {
      const { members, refused } = this.#unsorted;
      this.#found = { members: members.toSorted(byName), refused: refused.toSorted() };
      this.#unsorted = undefined;
    }
    return this.#found;
  }

  /** Whether it is another one than when this was asked last. */
  takeChange(): boolean {
    const text = JSON.stringify(this.found);
    if (text === this.#taken) return false;
    this.#taken = text;
    return true;
  }

  /** Resolves when the source has said something, be it that it cannot be reached. */
  get answered(): Promise<void> {
    return this.#answered.promise;
  }

  start(): void {
    const { source } = this.#options;
    this.#following = source.follow(
      (found) => this.#onFound(found),
      (why) => this.#onTrouble(why),
      this.#stop.signal,
    );
  }

  /** Ends the source; resolves when nothing is asked any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#recovery.abort();
    this.#answered.resolve();
    await this.#following;
  }

  #onFound({ members, refused }: Found): void {
    const { discover: { allowEmpty }, onChanged } = this.#options;
    if (members.length === 0 && !allowEmpty) {
      return this.#onTrouble(refused[0] ?? "the answer has no members");
    }
    this.#endTrouble();
    // Sorted when it is wanted: there may be ten thousand of them, and a hundred answers before that.
    this.#unsorted = { members, refused };
    onChanged();
    this.#answered.resolve();
  }

  /** Said once, however often it works in between; while it lasts, the reason is kept up to date. */
  #onTrouble(why: string): void {
    const { pool, log } = this.#options;
    if (this.trouble === "") this.sinceMs = Date.now();
    this.trouble = why;
    this.#answered.resolve();
    this.#recovery.abort();
    if (this.#failsSinceMs !== undefined) return;
    this.#failsSinceMs = this.sinceMs;
    const count = this.found.members.length;
    const meanwhile = count === 0
      ? "it has no members yet"
      : `its last ${count === 1 ? "member stays" : `${count} members stay`}`;
    log.warn("discovery_failed", { pool, source: this.title, reason: why, meanwhile });
  }

  #endTrouble(): void {
    if (this.trouble === "") return;
    this.trouble = "";
    this.sinceMs = Date.now();
    void this.#sayWhenSteady();
  }

  async #sayWhenSteady(): Promise<void> {
    const { pool, log, pause } = this.#options;
    const { signal } = this.#recovery = new AbortController();
    const failedFor = formatDuration(Math.max(0, this.sinceMs - (this.#failsSinceMs ?? this.sinceMs)));
    await pause(STEADY_MS, signal);
    if (signal.aborted || this.#stop.signal.aborted) return;
    this.#failsSinceMs = undefined;
    log.info("discovery_works_again", { pool, source: this.title, failed_for: failedFor });
  }
}

function byName(one: Member, other: Member): number {
  return one.name < other.name ? -1 : one.name > other.name ? 1 : 0;
}

// deno-lint-ignore-file no-await-in-loop -- one try after the other

/** Tries again to resolve the names of backends that are down for want of an address. */

import type { IpAddress } from "../core/address.ts";
import { sleep } from "../core/sleep.ts";
import type { Names, Resolved } from "./names.ts";

/** Before the first retry; doubles up to the second. */
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;

/** An address that is a name without addresses. */
export interface Unresolved {
  readonly address: IpAddress;
  readonly reason: string;
}

export interface NameRetriesOptions {
  readonly names: Names;
  /** Addresses of the plan in force whose names are not resolved, and why, as the plan has it. */
  readonly unresolved: () => readonly Unresolved[];
  /** Makes a new plan of the same configuration and puts it into force. Must not reject. */
  readonly apply: () => Promise<void>;
  /** See sleep.ts. */
  readonly sleep?: (ms: number, stop: AbortSignal) => Promise<void>;
}

export class NameRetries {
  readonly #options: NameRetriesOptions;
  #hosts = new Set<string>();
  #stop = new AbortController();
  #trying: Promise<void> = Promise.resolve();

  constructor(options: NameRetriesOptions) {
    this.#options = options;
  }

  /** Call it whenever another plan is in force: a name that is new among the unresolved begins with the first pause. */
  follow(): void {
    const hosts = new Set(this.#options.unresolved().map(({ address }) => address.host));
    const isNews = [...hosts].some((host) => !this.#hosts.has(host));
    this.#hosts = hosts;
    if (!isNews) return;
    this.#stop.abort();
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.#trying = this.#trying.then(() => this.#tryAgain(signal));
  }

  /** Ends the retries; nothing is applied after it. */
  stop(): void {
    this.#stop.abort();
  }

  async #tryAgain(stop: AbortSignal): Promise<void> {
    const { names, unresolved, apply, sleep: pause = sleep } = this.#options;
    let pauseMs = FIRST_PAUSE_MS;
    while (!stop.aborted && unresolved().length > 0) {
      await pause(pauseMs, stop);
      pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
      if (stop.aborted) return;
      const left = unresolved();
      await names.refresh(left.map(({ address }) => address));
      if (!stop.aborted && left.some((it) => isNews(it, names.of(it.address)))) await apply();
    }
  }
}

/** Whether a name is resolved by now, or is not for another reason. */
function isNews({ reason }: Unresolved, now: Resolved): boolean {
  return "addresses" in now || now.reason !== reason;
}

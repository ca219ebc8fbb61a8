/** A source that is followed, by a clock that runs fast, and what it has said. */

import { formatAddress } from "../../lib/core/address.ts";
import type { Found, Member, Pause, Source } from "../../lib/discovery/source.ts";
import { parseDialAddress } from "../../lib/core/address.ts";
import { until } from "../support/balancer.ts";

/** A pause that is over after a hundredth of its time, and is noted. */
export class FastClock {
  readonly pauses: number[] = [];

  readonly pause: Pause = (ms, stop) => {
    this.pauses.push(ms);
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        stop.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, Math.max(5, ms / 100));
      stop.addEventListener("abort", end);
    });
  };
}

export class Followed implements AsyncDisposable {
  readonly found: Found[] = [];
  readonly troubles: string[] = [];
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(source: Source) {
    this.#ended = source.follow(
      (found) => this.found.push(found),
      (why) => this.troubles.push(why),
      this.#stop.signal,
    );
  }

  /** Addresses of the members of now, sorted. */
  get addresses(): string[] {
    return (this.found.at(-1)?.members ?? []).map(({ address }) => formatAddress(address)).sort();
  }

  get members(): readonly Member[] {
    return this.found.at(-1)?.members ?? [];
  }

  /** Waits until the members have these addresses, in whatever order. */
  async sees(...addresses: string[]): Promise<void> {
    const wanted = JSON.stringify([...addresses].sort());
    const have = (): boolean => this.found.length > 0 && JSON.stringify(this.addresses) === wanted;
    await until(have, `the members are ${wanted}; they are ${this.addresses}; ${this.troubles.at(-1)}`);
  }

  /** Waits for trouble that is told from now on, and gives it. */
  async trouble(fits = /./): Promise<string> {
    const before = this.troubles.length;
    const newOne = (): string | undefined => this.troubles.slice(before).find((it) => fits.test(it));
    await until(() => newOne() !== undefined, `there is trouble like ${fits}; ${this.troubles.at(-1)}`);
    return newOne() ?? "";
  }

  /** Resolves when nothing is told any more. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

/** A member as the short form has it. */
export function parseMember(text: unknown): Member {
  if (typeof text !== "string" || !/^\S+:\d+$/.test(text)) throw new Error(`${text} is no member`);
  const address = parseDialAddress(text);
  return { address, name: formatAddress(address), weight: 1, maxConnections: 0, backup: false };
}

export function parseList(list: unknown): Member[] {
  if (!Array.isArray(list)) throw new Error("there is no list");
  return list.map(parseMember);
}

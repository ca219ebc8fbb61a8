/** The names of backends: what they stand for, and why one stands for nothing. */

import { formatHostPort, type IpAddress } from "../core/address.ts";
import { type LookUp, lookUp, NameError, noAnswerWithin } from "../core/lookup.ts";

export interface NamesOptions {
  readonly lookUp?: LookUp;
  /** Whether this program may dial `ip:port`. */
  readonly isAllowed?: (host: string) => boolean;
  /** How long {@linkcode Names.refresh} waits for answers. */
  readonly deadlineMs?: number;
}

/** What a name stands for, or why not. */
export type Resolved = { readonly addresses: readonly IpAddress[] } | { readonly reason: string };

/** A start or a reload waits no longer for names; what comes later is noticed by the next retry. */
const DEADLINE_MS = 2_000;

/** Each lookup keeps a thread of the runtime busy, of which there are 512, for files as well. */
const MAX_LOOKUPS_AT_ONCE = 256;

interface Name {
  /** The last addresses that were found; they outlive a name server that does not answer. */
  addresses: readonly string[];
  /** Why the last lookup found none; empty when it did. */
  failure: string;
  /** A lookup is never started a second time while the first goes on. */
  pending: Promise<void> | undefined;
}

export class Names {
  readonly #lookUp: LookUp;
  readonly #isAllowed: (host: string) => boolean;
  readonly #deadlineMs: number;
  readonly #names = new Map<string, Name>();
  readonly #stopped = Promise.withResolvers<void>();
  #running = 0;
  /** Lookups that wait until fewer are running. */
  readonly #waiting: (() => void)[] = [];

  constructor(options: NamesOptions = {}) {
    this.#lookUp = options.lookUp ?? lookUp;
    this.#isAllowed = options.isAllowed ?? mayDial;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  }

  /** Looks these up; resolves when each has an answer, at the latest at the deadline. Never rejects. */
  async refresh(addresses: readonly IpAddress[]): Promise<void> {
    if (addresses.length === 0) return;
    const hosts = new Set(addresses.map(({ host }) => host));
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#deadlineMs);
    const answers = [...hosts].map((host) => this.#ask(host));
    await Promise.race([Promise.all(answers), late, this.#stopped.promise]);
    clearTimeout(timer);
  }

  /** Waits for no answer any more. */
  stop(): void {
    this.#stopped.resolve();
  }

  /** Forgets all names but these. */
  keepOnly(addresses: readonly IpAddress[]): void {
    const hosts = new Set(addresses.map(({ host }) => host));
    for (const host of this.#names.keys()) if (!hosts.has(host)) this.#names.delete(host);
  }

  /** What an address stands for, as far as is known by now. */
  of(address: IpAddress): Resolved {
    const name = this.#names.get(address.host);
    if (name === undefined || name.addresses.length === 0) {
      const why = name?.failure ||
        new NameError(address.host, noAnswerWithin(this.#deadlineMs), false).message;
      return { reason: why };
    }
    const { port } = address;
    const allowed = name.addresses.filter((host) => this.#isAllowed(formatHostPort(host, port)));
    if (allowed.length > 0) return { addresses: allowed.map((host) => ({ ...address, host })) };
    const [first = ""] = name.addresses;
    const quoted = JSON.stringify(address.host);
    return { reason: `the name ${quoted} is ${first}, which sockbal was started without permission to dial` };
  }

  /** Whether the name of an address was looked up before, with whatever result. */
  isKnown({ host }: IpAddress): boolean {
    return this.#names.has(host);
  }

  /** Why the last lookup of a name failed that has addresses from before; undefined when it did not. */
  staleReason({ host }: IpAddress): string | undefined {
    const name = this.#names.get(host);
    return name === undefined || name.addresses.length === 0 ? undefined : name.failure || undefined;
  }

  #ask(host: string): Promise<void> {
    const name = this.#names.get(host) ?? { addresses: [], failure: "", pending: undefined };
    this.#names.set(host, name);
    name.pending ??= this.#lookUpInTurn(host).then(
      (found) => {
        // Name servers give their answers in turn; another order alone is no news.
        if (!isSameSet(found, name.addresses)) name.addresses = found;
        name.failure = "";
      },
      (error: unknown) => {
        name.failure = error instanceof Error ? error.message : String(error);
        if (error instanceof NameError && error.isUnknown) name.addresses = [];
      },
    ).finally(() => name.pending = undefined);
    return name.pending;
  }

  async #lookUpInTurn(host: string): Promise<readonly string[]> {
    if (this.#running >= MAX_LOOKUPS_AT_ONCE) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running++;
    try {
      return await this.#lookUp(host);
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }
}

function mayDial(host: string): boolean {
  return Deno.permissions.querySync({ name: "net", host }).state === "granted";
}

function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((it) => other.includes(it));
}

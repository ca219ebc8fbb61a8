/** A source of backends that says what the test has it say. */

import { formatAddress, parseDialAddress } from "../../lib/core/address.ts";
import type { DiscoverConfig } from "../../lib/config/discover_schema.ts";
import type { Found, Member, Pause, Source } from "../../lib/discovery/source.ts";

type ToldMember = string | Member | Omit<Partial<Member>, "address"> & { readonly address: string };

export class FakeSource implements Source {
  /** Of each pause between changes, how long it was to be. */
  readonly pauses: number[] = [];
  /** How often it was begun to be followed. */
  followed = 0;
  readonly #followers = new Set<{ onFound: (found: Found) => void; onTrouble: (why: string) => void }>();
  #last: Found | string | undefined;

  /** For a balancer in a test: a source for every pool, and pauses that are over at once. */
  get discovery(): { readonly source: (discover: DiscoverConfig) => Source; readonly pause: Pause } {
    return {
      source: () => this,
      pause: (ms) => {
        this.pauses.push(ms);
        return new Promise((resolve) => setTimeout(resolve, 1));
      },
    };
  }

  get followers(): number {
    return this.#followers.size;
  }

  async follow(
    onFound: (found: Found) => void,
    onTrouble: (why: string) => void,
    stop: AbortSignal,
  ): Promise<void> {
    const follower = { onFound, onTrouble };
    this.followed++;
    this.#followers.add(follower);
    if (typeof this.#last === "string") onTrouble(this.#last);
    else if (this.#last !== undefined) onFound(this.#last);
    await new Promise<void>((resolve) => stop.addEventListener("abort", () => resolve()));
    this.#followers.delete(follower);
  }

  /** Names the members: by their addresses, or with more than these. */
  tell(members: readonly ToldMember[], refused: readonly string[] = []): void {
    this.#last = { members: members.map(memberOf), refused };
    for (const { onFound } of this.#followers) onFound(this.#last);
  }

  fail(why: string): void {
    this.#last = why;
    for (const { onTrouble } of this.#followers) onTrouble(why);
  }
}

export function memberOf(told: ToldMember): Member {
  if (typeof told !== "string" && typeof told.address !== "string") return told as Member;
  const { address: written, ...facts } = typeof told === "string" ? { address: told } : told;
  const address = parseDialAddress(String(written));
  return { name: formatAddress(address), weight: 1, maxConnections: 0, backup: false, ...facts, address };
}

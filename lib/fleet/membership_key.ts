// deno-lint-ignore-file no-await-in-loop -- one try after the other

/** The key of this balancer: put under a lease, and kept. A key that another balancer holds is left alone. */

import type { EtcdClient } from "../discovery/etcd_client.ts";
import { grantLease, keepLease, revokeLease, writeIf } from "../discovery/etcd_writes.ts";
import { formatRegistration, parseRegistration, type Registration } from "./registration.ts";

/** What changed under the key meanwhile is looked at so often before the next round. */
const TRIES = 3;

export class MembershipKey {
  readonly #key: string;
  readonly #ttlS: number;
  #lease: string | undefined;
  /** What was put last, with its lease and revision; undefined: nothing that is known to be there. */
  #put: { readonly value: string; readonly lease: string; readonly revision: string } | undefined;
  #holder: Registration | undefined;
  /** Since when, in milliseconds that only go up. */
  #heldSinceMs = 0;

  constructor(key: string, ttlS: number) {
    this.#key = key;
    this.#ttlS = ttlS;
  }

  /**
   * The other balancer that has this name; undefined when there is none, or it may still be the one whose place this one takes: that
   * leaves, or its lease runs out.
   */
  get holder(): Registration | undefined {
    return performance.now() - this.#heldSinceMs < this.#ttlS * 1_000 ? undefined : this.#holder;
  }

  /** The key has changed, and not to what was put here. */
  forget(): void {
    this.#put = undefined;
  }

  /** Whether a key of etcd with this value is what was put here. */
  isOwn(value: string | undefined): boolean {
    return value !== undefined && value === this.#put?.value;
  }

  /** Has the lease live on. One that has run out is given up, and its key with it. */
  async keep(client: EtcdClient, stop: AbortSignal): Promise<void> {
    if (this.#lease === undefined || await keepLease(client, this.#lease, stop)) return;
    this.#lease = undefined;
    this.#put = undefined;
  }

  /** Puts what this balancer says of itself, unless it is there already or the name is another one's. */
  async register(client: EtcdClient, own: Registration, stop: AbortSignal): Promise<void> {
    // Without its key, the lease may be gone as well.
    if (this.#put === undefined) await this.keep(client, stop);
    this.#lease ??= (await grantLease(client, this.#ttlS, stop)).id;
    const [lease, value] = [this.#lease, formatRegistration(own)];
    if (this.#put?.value === value && this.#put.lease === lease) return;
    for (let tries = 0; tries < TRIES; tries++) {
      const { revision = "0" } = this.#put ?? {};
      const written = await writeIf(client, [{ key: this.#key, revision }], [{
        key: this.#key,
        value,
        lease,
      }], stop);
      if (written !== undefined) {
        this.#put = { value, lease, revision: written };
        this.#holder = undefined;
        return;
      }
      // The key itself comes before all that begin with it.
      const { entries: [found] } = await client.range(this.#key, 1, stop);
      const holder = found?.key === this.#key ? parseRegistration(own.name, found.value) : undefined;
      if (holder !== undefined && holder.run !== own.run) {
        this.#put = undefined;
        if (holder.run !== this.#holder?.run) this.#heldSinceMs = performance.now();
        this.#holder = holder;
        return;
      }
      this.#put = found?.key === this.#key
        ? { value: found.value, lease: "", revision: found.revision }
        : undefined;
    }
  }

  /** Says that this balancer goes as it should, and takes the key away. */
  async leave(client: EtcdClient, own: Registration, stop: AbortSignal): Promise<void> {
    if (this.#lease === undefined) return;
    if (this.#put !== undefined) await this.register(client, { ...own, isLeaving: true }, stop);
    await revokeLease(client, this.#lease, stop);
    this.#lease = undefined;
    this.#put = undefined;
  }
}

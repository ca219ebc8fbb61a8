/** Backends that the operator has added to pools, or has changed; apart from the file, and over it. */

import type { BackendConfig } from "../config/pool_schema.ts";

export class AddedMembers {
  readonly #pools = new Map<string, Map<string, BackendConfig>>();

  of(pool: string): readonly BackendConfig[] {
    return [...this.#pools.get(pool)?.values() ?? []];
  }

  get(pool: string, name: string): BackendConfig | undefined {
    return this.#pools.get(pool)?.get(name);
  }

  put(pool: string, member: BackendConfig): void {
    const known = this.#pools.get(pool) ?? new Map<string, BackendConfig>();
    this.#pools.set(pool, known.set(member.name, member));
  }

  remove(pool: string, name: string): void {
    this.#pools.get(pool)?.delete(name);
  }

  get all(): { readonly pool: string; readonly member: BackendConfig }[] {
    return [...this.#pools].flatMap(([pool, members]) =>
      [...members.values()].map((member) => ({ pool, member }))
    );
  }
}

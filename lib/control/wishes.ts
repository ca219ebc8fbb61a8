/** What the operator wants of backends that have not come yet, as it was kept over a restart. */

import type { BackendFacts, OperatorState } from "../pool/scoreboard.ts";

/** What is not as the configuration has it. */
export interface Wish {
  /** Undefined: enabled. */
  readonly operator?: Exclude<OperatorState, "enabled">;
  /** Undefined: as configured. */
  readonly weight?: number;
}

export class Wishes {
  /** What the fleet wants of a backend that comes, whose weight the configuration says; it holds over what was kept here. */
  shared: (pool: string, backend: string, configuredWeight: number) => Partial<BackendFacts> = () => ({});
  readonly #pools = new Map<string, Map<string, Wish>>();

  add(pool: string, backend: string, wish: Wish): void {
    const known = this.#pools.get(pool) ?? new Map<string, Wish>();
    this.#pools.set(pool, known.set(backend, wish));
  }

  /** What is wanted of a backend that comes. It is taken once: a backend that goes and comes back is a new one, but to the fleet. */
  take(pool: string, backend: string, configuredWeight: number): Partial<BackendFacts> {
    const wish = this.#pools.get(pool)?.get(backend) ?? {};
    this.#pools.get(pool)?.delete(backend);
    return { ...wish, ...this.shared(pool, backend, configuredWeight) };
  }

  /** Those that were not taken. */
  get all(): { readonly pool: string; readonly backend: string; readonly wish: Wish }[] {
    return [...this.#pools].flatMap(([pool, backends]) => {
      return [...backends].map(([backend, wish]) => ({ pool, backend, wish }));
    });
  }
}

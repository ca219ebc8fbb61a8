/** What the operator wants of backends that are not there: they have gone, or have not come since a restart. */

import { MAX_MEMBERS } from "../core/member_limit.ts";
import type { BackendFacts, OperatorState } from "../pool/scoreboard.ts";

/** What is not as the configuration has it. */
export interface Wish {
  /** Undefined: enabled. */
  readonly operator?: Exclude<OperatorState, "enabled">;
  /** Undefined: as configured. */
  readonly weight?: number;
  /** The configured weight that it was given over. It holds for as long as that is configured; undefined: always. */
  readonly over?: number;
}

/** @return Undefined when all is as configured. */
export function wishOf(
  { operator, weight }: Pick<BackendFacts, "operator" | "weight">,
  configuredWeight: number | undefined,
): Wish | undefined {
  const wish: Wish = {
    ...(operator === "enabled" ? {} : { operator }),
    ...(weight === configuredWeight || configuredWeight === undefined
      ? {}
      : { weight, over: configuredWeight }),
  };
  return Object.keys(wish).length === 0 ? undefined : wish;
}

export class Wishes {
  /** What the fleet wants of a backend that comes, whose weight the configuration says; it holds over what was kept here. */
  shared: (pool: string, backend: string, configuredWeight: number) => Partial<BackendFacts> = () => ({});
  readonly #pools = new Map<string, Map<string, Wish>>();

  /** Of a pool, as many are kept as it may have members, and then the later ones. */
  add(pool: string, backend: string, wish: Wish): void {
    const known = this.#pools.get(pool) ?? new Map<string, Wish>();
    this.#pools.set(pool, known.set(backend, wish));
    const [oldest] = known.keys();
    if (known.size > MAX_MEMBERS && oldest !== undefined) known.delete(oldest);
  }

  forget(pool: string, backend: string): void {
    this.#pools.get(pool)?.delete(backend);
  }

  /** What is wanted of a backend that comes: it is there from then on, and has it. */
  take(pool: string, backend: string, configuredWeight: number): Partial<BackendFacts> {
    const { operator, weight, over = configuredWeight } = this.#pools.get(pool)?.get(backend) ?? {};
    this.forget(pool, backend);
    return {
      ...(operator === undefined ? {} : { operator }),
      ...(weight === undefined || over !== configuredWeight ? {} : { weight }),
      ...this.shared(pool, backend, configuredWeight),
    };
  }

  /** Those that were not taken. */
  get all(): { readonly pool: string; readonly backend: string; readonly wish: Wish }[] {
    return [...this.#pools].flatMap(([pool, backends]) => {
      return [...backends].map(([backend, wish]) => ({ pool, backend, wish }));
    });
  }
}

/** A pool in one worker: picks a backend and takes its slot in one synchronous step. */

import type { Address } from "../core/address.ts";
import type { Picker } from "../balance/picker.ts";
import { roundRobin } from "../balance/round_robin.ts";
import type { Scoreboard } from "./scoreboard.ts";

/** A member of a pool. */
export interface Backend {
  /** Its row on the scoreboard. */
  readonly row: number;
  readonly name: string;
  /** By IP address or socket path; names were resolved in the control plane. */
  readonly address: Address;
}

export interface PoolOptions {
  /** Its row on the scoreboard. */
  readonly row: number;
  readonly name: string;
  readonly algorithm: "round_robin";
  readonly backends: readonly Backend[];
  readonly dialTimeoutMs: number;
  /** Other backends tried when a dial fails. */
  readonly retries: number;
}

export class Pool {
  readonly options: PoolOptions;
  readonly #scoreboard: Scoreboard;
  readonly #worker: number;
  readonly #pick: Picker<Backend>;

  constructor(options: PoolOptions, scoreboard: Scoreboard, worker: number) {
    this.options = options;
    this.#scoreboard = scoreboard;
    this.#worker = worker;
    this.#pick = roundRobin(options.backends);
  }

  /**
   * Picks a backend and takes a slot at it, which the caller gives back with {@linkcode release}, once.
   *
   * @param tried Backends that this session has dialled in vain.
   * @return Undefined when there is no backend left to try.
   */
  take(tried: readonly Backend[]): Backend | undefined {
    const backend = this.#pick(this.#scoreboard.takeTurn(this.options.row), tried);
    if (backend !== undefined) this.#scoreboard.takeSlot(backend.row, this.#worker);
    return backend;
  }

  release(backend: Backend): void {
    this.#scoreboard.releaseSlot(backend.row, this.#worker);
  }
}

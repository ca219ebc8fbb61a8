/** Keeps what the operator wants over a restart, where the configuration names a file for it. */

import { reasonOf } from "../core/errors.ts";
import type { Balancer } from "./balancer.ts";
import { type OperatorState, readStateFile, writeStateFile } from "./state_file.ts";
import type { Wish } from "./wishes.ts";

/** Several orders in a row are written together. */
const WRITE_AFTER_MS = 100;

export class KeptState {
  readonly #balancer: Balancer;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(balancer: Balancer) {
    this.#balancer = balancer;
  }

  /** Takes over what was kept. Call it before the balancer starts. What cannot be read is told, and nothing is kept of it. */
  async restore(): Promise<void> {
    const { config: { stateFile }, membership, journal } = this.#balancer;
    if (stateFile === undefined) return;
    try {
      const state = await readStateFile(stateFile);
      for (const { pool, backend, wish } of state?.wishes ?? []) membership.wishes.add(pool, backend, wish);
      for (const { pool, member } of state?.added ?? []) membership.added.put(pool, member);
    } catch (error) {
      journal.error("state_not_read", { reason: reasonOf(error) });
    }
  }

  /** The operator has changed something. */
  changed(): void {
    if (this.#balancer.config.stateFile === undefined) return;
    this.#timer ??= setTimeout(() => this.#write(), WRITE_AFTER_MS);
  }

  /** Writes what is to be written. */
  async stop(): Promise<void> {
    if (this.#timer !== undefined) this.#write();
    await this.#writing;
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { config: { stateFile }, journal } = this.#balancer;
    if (stateFile === undefined) return;
    const state = this.#state();
    this.#writing = this.#writing.then(() => writeStateFile(stateFile, state)).catch((error) => {
      journal.error("state_not_written", { file: stateFile, reason: reasonOf(error) });
    });
  }

  #state(): OperatorState {
    const { plan, scoreboard, membership } = this.#balancer;
    const wishes = plan.pools.flatMap(({ name: pool, backends }) => {
      return backends.flatMap(({ name: backend, row }) => {
        const { operator, weight } = scoreboard.facts(row);
        const wish: Wish = {
          ...(operator === "enabled" ? {} : { operator }),
          ...(weight === membership.backend(pool, backend)?.weight ? {} : { weight }),
        };
        return Object.keys(wish).length === 0 ? [] : [{ pool, backend, wish }];
      });
    });
    return { wishes: [...wishes, ...membership.wishes.all], added: membership.added.all };
  }
}

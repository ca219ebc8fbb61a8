/** Keeps what the operator wants over a restart, where the configuration names a file for it. */

import { reasonOf } from "../core/errors.ts";
import type { Balancer } from "./balancer.ts";
import {
  keepAside,
  type OperatorState,
  readStateFile,
  type UnsharedWish,
  writeStateFile,
} from "./state_file.ts";
import { wishOf } from "./wishes.ts";

/** Several orders in a row are written together. */
const WRITE_AFTER_MS = 100;

export class KeptState {
  readonly #balancer: Balancer;
  readonly #unshared: () => readonly UnsharedWish[];
  /** The file in force, as far as it was followed. */
  #file: string | undefined;
  /** The file that was read or written last: what is in it is known, and may be overwritten. */
  #known: string | undefined;
  /** The file that could not be read at the start. */
  #unread: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** @param unshared What the fleet may not know. */
  constructor(balancer: Balancer, unshared: () => readonly UnsharedWish[]) {
    this.#balancer = balancer;
    this.#unshared = unshared;
    this.#file = balancer.config.stateFile;
  }

  /**
   * Takes over what was kept. Call it before the balancer starts. What cannot be read is told, nothing is taken over from it, and it is
   * kept aside when there is something to be written.
   *
   * @return It; undefined where there is none.
   */
  async restore(): Promise<OperatorState | undefined> {
    const { config: { stateFile }, membership, journal } = this.#balancer;
    if (stateFile === undefined) return undefined;
    try {
      const state = await readStateFile(stateFile);
      for (const { pool, backend, wish } of state?.wishes ?? []) membership.wishes.add(pool, backend, wish);
      for (const { pool, member } of state?.added ?? []) membership.added.put(pool, member);
      this.#known = stateFile;
      return state;
    } catch (error) {
      this.#unread = stateFile;
      journal.error("state_not_read", { reason: reasonOf(error) });
      return undefined;
    }
  }

  /** The operator has changed something. */
  changed(): void {
    if (this.#balancer.config.stateFile === undefined) return;
    this.#timer ??= setTimeout(() => this.#write(), WRITE_AFTER_MS);
  }

  /** A configuration may have come into force: another file than before is written at once. */
  follow(): void {
    const { stateFile } = this.#balancer.config;
    if (stateFile === this.#file) return;
    this.#file = stateFile;
    this.#write();
  }

  /** Writes what is to be written. */
  async flush(): Promise<void> {
    if (this.#timer !== undefined) this.#write();
    await this.#writing;
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { config: { stateFile }, journal } = this.#balancer;
    if (stateFile === undefined) return;
    const state = this.#state();
    this.#writing = this.#writing.then(() => this.#put(stateFile, state)).catch((error) => {
      journal.error("state_not_written", { file: stateFile, reason: reasonOf(error) });
    });
  }

  async #put(file: string, state: OperatorState): Promise<void> {
    if (file !== this.#known && !await this.#isReadable(file)) {
      const aside = await keepAside(file);
      if (aside !== undefined) this.#balancer.journal.warn("state_kept_aside", { file, as: aside });
    }
    await writeStateFile(file, state);
    this.#known = file;
  }

  async #isReadable(file: string): Promise<boolean> {
    return file !== this.#unread && await readStateFile(file).then(() => true, () => false);
  }

  #state(): OperatorState {
    const { plan, scoreboard, membership } = this.#balancer;
    const wishes = plan.pools.flatMap(({ name: pool, backends }) => {
      return backends.flatMap(({ name: backend, row }) => {
        const wish = wishOf(scoreboard.facts(row), membership.backend(pool, backend)?.weight);
        return wish === undefined ? [] : [{ pool, backend, wish }];
      });
    });
    return {
      wishes: [...wishes, ...membership.wishes.all],
      added: membership.added.all,
      unshared: this.#unshared(),
    };
  }
}

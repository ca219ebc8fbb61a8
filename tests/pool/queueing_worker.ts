/// <reference lib="deno.worker" />
// deno-lint-ignore-file no-await-in-loop -- the steps of a session follow one another

/** A worker whose sessions take slots at a pool, wait in line for them, hold them briefly and release them. */

import { asRow } from "../support/rows.ts";
import { setImmediate } from "node:timers/promises";
import type { Backend } from "../../lib/pool/backend.ts";
import { Ledger } from "../../lib/pool/ledger.ts";
import { Pool, type PoolOptions } from "../../lib/pool/pool.ts";
import type { PoolRow } from "../../lib/pool/row.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { onlyWhenWoken } from "./only_when_woken.ts";
import { queueOf } from "./shared_pool.ts";

/** A row of the scoreboard where workers say that they are there. */
export const START: PoolRow = asRow(5_000);

export interface Order {
  readonly scoreboard: SharedArrayBuffer;
  readonly ledger: SharedArrayBuffer;
  /** Sessions that hold each backend, as the sessions themselves count. */
  readonly holding: SharedArrayBuffer;
  readonly pool: PoolOptions;
  readonly worker: number;
  readonly workers: number;
  /** How many sessions, and how many of them at once. */
  readonly sessions: number;
  readonly atOnce: number;
  /** Takes what there is, gets in line and then hangs. */
  readonly hangs?: boolean;
}

export interface Outcome {
  /** How often each session was served. */
  readonly served: Uint8Array;
  /** How many had to get in line. */
  readonly waited: number;
  /** The most that held each backend at once. */
  readonly most: Int32Array;
}

class Sessions {
  readonly outcome: { served: Uint8Array; waited: number; most: Int32Array };
  readonly #pool: Pool;
  readonly #holding: Int32Array;
  readonly #backends: readonly Backend[];
  #next = 0;

  constructor(pool: Pool, holding: Int32Array, sessions: number) {
    this.#pool = pool;
    this.#backends = pool.options.backends;
    this.#holding = holding;
    this.outcome = {
      served: new Uint8Array(sessions),
      waited: 0,
      most: new Int32Array(this.#backends.length),
    };
  }

  /** One session after the other, until there are no more. */
  async run(): Promise<void> {
    const { served } = this.outcome;
    while (this.#next < served.length) await this.#serve(this.#next++);
  }

  async #serve(session: number): Promise<void> {
    const tried: Backend[] = [];
    // Every seventh finds that its first backend does not answer, and needs another one.
    for (const isLast of session % 7 === 0 ? [false, true] : [true]) {
      const mayPass = tried.length > 0 || queueOf(this.#pool).isEmpty;
      const backend = (mayPass ? this.#pool.take(tried, 0) : undefined) ?? await this.#wait(session, tried);
      await this.#hold(session, backend);
      this.#pool.release(backend);
      tried.push(backend);
      if (isLast) this.outcome.served[session] = (this.outcome.served[session] ?? 0) + 1;
    }
  }

  async #wait(session: number, tried: readonly Backend[]): Promise<Backend> {
    const queue = queueOf(this.#pool);
    for (let attempt = 0;; attempt++) {
      const queued = queue.join(tried, 0, 0);
      if (queued === undefined) throw new Error("the queue is full");
      this.outcome.waited++;
      if (session % 11 === 0) queue.halfClosed(queued);
      // Every thirteenth leaves, and comes again.
      if (session % 13 === 0 && attempt === 0) {
        await setImmediate();
        queue.leave(queued);
      }
      const outcome = await queued.outcome;
      if (typeof outcome === "object") return outcome;
      if (outcome !== undefined) throw new Error(outcome);
    }
  }

  async #hold(session: number, backend: Backend): Promise<void> {
    const { most } = this.outcome;
    const at = this.#backends.indexOf(backend);
    most[at] = Math.max(most[at] ?? 0, Atomics.add(this.#holding, at, 1) + 1);
    await (session % 3 === 0 ? setImmediate() : undefined);
    Atomics.sub(this.#holding, at, 1);
  }
}

async function run(order: Order): Promise<void> {
  onlyWhenWoken();
  const scoreboard = new Scoreboard(order.scoreboard);
  const ledger = new Ledger(scoreboard, order.ledger);
  const pool = new Pool(order.pool, { scoreboard, ledger, worker: order.worker, onFailing: () => {} });
  if (order.hangs) return hang(pool, order.sessions);

  await allAreThere(scoreboard, ledger, order.workers);
  const sessions = new Sessions(pool, new Int32Array(order.holding), order.sessions);
  await Promise.all(Array.from({ length: order.atOnce }, () => sessions.run()));
  self.postMessage(sessions.outcome satisfies Outcome);
}

/** All begin together. The others sleep until the last one is there. */
async function allAreThere(scoreboard: Scoreboard, ledger: Ledger, workers: number): Promise<void> {
  ledger.take(START, 0);
  scoreboard.wake(START);
  for (;;) {
    const wakes = scoreboard.wakes(START);
    if (scoreboard.count(START) >= workers) return;
    await scoreboard.woken(START, wakes, Infinity);
  }
}

function hang(pool: Pool, sessions: number): never {
  while (pool.take([], 0) !== undefined);
  for (let i = 0; i < sessions; i++) queueOf(pool).join([], 0, 0);
  self.postMessage("hangs");
  for (;;);
}

self.onmessage = ({ data }: MessageEvent<Order>): void => void run(data);

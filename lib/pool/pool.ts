/** A pool in one worker: picks a backend and takes its slot in one synchronous step. */

import { type AlgorithmName, algorithms } from "../balance/algorithms.ts";
import type { Load, Picker } from "../balance/picker.ts";
import type { Endpoint } from "../core/endpoint.ts";
import type { NextSource } from "../core/next_source.ts";
import type { TlsClientOptions } from "../core/tls_options.ts";
import { availableOf, weightOf, type WhenAllDown } from "./availability.ts";
import type { Backend } from "./backend.ts";
import { type HashKey, keyOf } from "./hash_key.ts";
import type { Ledger } from "./ledger.ts";
import { Queue, type QueueOptions } from "./queue.ts";
import type { PoolRow } from "./row.ts";
import type { BackendFacts, Scoreboard } from "./scoreboard.ts";
import { inTurn } from "./sources.ts";

/** Settings that can change while the pool is in use. */
export interface PoolTuning {
  readonly dialTimeoutMs: number;
  /** Dials after the first: at another backend while there is one, else at the same after a pause. */
  readonly retries: number;
  /** Local addresses for dials; empty leaves them to the system. */
  readonly sources: readonly string[];
  readonly whenAllDown: WhenAllDown;
  /** Failures in a row after which a backend is reported; 0 is never. */
  readonly consecutiveFailures: number;
}

/** How backends are told who the client is: by a header of the PROXY protocol. */
export interface IntroductionOptions {
  readonly version: 1 | 2;
  /** Whether the header has a checksum, which version 2 alone can have. */
  readonly checksum: boolean;
}

/** Fixed for as long as the pool is in use. */
export interface PoolStructure {
  /** Its row on the scoreboard. */
  readonly row: PoolRow;
  readonly name: string;
  readonly algorithm: AlgorithmName;
  readonly hashKey: HashKey;
  /** Undefined when sessions do not wait for a free backend. */
  readonly queue: QueueOptions | undefined;
  /** Undefined tells backends nothing. */
  readonly introduction?: IntroductionOptions;
  /** How backends are spoken to by TLS; undefined where they are not. */
  readonly tls?: TlsClientOptions;
}

export interface PoolOptions extends PoolStructure {
  readonly tuning: PoolTuning;
  readonly backends: readonly Backend[];
}

/** A change of a pool that is in use; `row` says of which. */
export type PoolChange = Pick<PoolOptions, "row" | "tuning" | "backends">;

export interface PoolDeps {
  readonly scoreboard: Scoreboard;
  readonly ledger: Ledger;
  /** The number of the worker, which no other living one has. */
  readonly worker: number;
  /** Told when a backend has failed `consecutiveFailures` times in a row. */
  readonly onFailing: (backend: Backend) => void;
  readonly random?: () => number;
}

export class Pool {
  /** Where sessions wait for a free backend; undefined when they do not. */
  readonly queue: Queue | undefined;
  /** Where backends are dialled from; undefined leaves it to the system. */
  nextSource: NextSource | undefined;
  readonly #worker: number;
  readonly #scoreboard: Scoreboard;
  readonly #ledger: Ledger;
  readonly #onFailing: (backend: Backend) => void;
  readonly #random: () => number;
  #options: PoolOptions;
  #version: number | undefined;
  #primaries: Tier | undefined;
  #backups: Tier | undefined;

  constructor(options: PoolOptions, deps: PoolDeps) {
    const { scoreboard, ledger, worker, onFailing, random = Math.random } = deps;
    this.#options = options;
    this.#scoreboard = scoreboard;
    this.#ledger = ledger;
    this.#onFailing = onFailing;
    this.#random = random;
    this.#worker = worker;
    this.nextSource = inTurn(options.tuning.sources, worker);
    if (options.queue !== undefined) {
      this.queue = new Queue(options.row, options.queue, this, { scoreboard, ledger, worker });
    }
  }

  get options(): PoolOptions {
    return this.#options;
  }

  get name(): string {
    return this.#options.name;
  }

  /**
   * Applies new tuning and members. Slots of members that leave are released by row, as before. A member with the row of an earlier
   * one is the same backend.
   */
  adjust({ tuning, backends }: Pick<PoolChange, "tuning" | "backends">): void {
    this.#options = { ...this.#options, tuning, backends };
    this.nextSource = inTurn(tuning.sources, this.#worker);
    this.#version = undefined;
    this.queue?.serve();
  }

  /**
   * Picks a backend and takes a slot at it, which the caller gives back with {@linkcode release}, once.
   *
   * @param tried Backends that this session has dialled without success.
   * @param key What `maglev` picks by; 0 for the others.
   * @return Undefined when no backend is free that was not tried.
   */
  take(tried: readonly Backend[], key: number): Backend | undefined {
    this.#keepUpToDate();
    const turn = this.#scoreboard.takeTurn(this.options.row);
    return this.#takeFrom(this.#primaries, turn, key, tried) ??
      this.#takeFrom(this.#backups, turn, key, tried);
  }

  /** What `maglev` picks by for the client of a session, which may have asked for a server by name. */
  keyOf(session: { readonly source: Endpoint }, serverName?: string): number {
    return keyOf(session, this.options.algorithm, this.options.hashKey, serverName);
  }

  release(backend: Backend): void {
    this.#ledger.giveBack(backend.row);
    this.queue?.serve();
  }

  /** Whether a backend that was not tried may be picked as soon as it is free. */
  hasOther(tried: readonly Backend[]): boolean {
    this.#keepUpToDate();
    return [this.#primaries, this.#backups].some((tier) => tier?.backends.some((it) => !has(tried, it)));
  }

  /** Notes that a backend refused a session, or reset it before its first byte. */
  failed(backend: Backend): void {
    const { consecutiveFailures } = this.options.tuning;
    if (consecutiveFailures === 0) return;
    // Reported again with every so many, in case that it could not be ejected before.
    if (this.#scoreboard.addFailure(backend.row) % consecutiveFailures === 0) this.#onFailing(backend);
  }

  /** Notes that a backend has answered. */
  answered(backend: Backend): void {
    if (this.options.tuning.consecutiveFailures > 0) this.#scoreboard.clearFailures(backend.row);
  }

  #takeFrom(
    tier: Tier | undefined,
    turn: number,
    key: number,
    tried: readonly Backend[],
  ): Backend | undefined {
    if (tier === undefined) return undefined;
    tier.tried = tried;
    for (;;) {
      const backend = tier.backends[tier.pick(turn, key, tier)];
      if (backend === undefined) return undefined;
      // Another worker may have taken the last slot since it was looked at; then another backend is picked.
      if (this.#ledger.take(backend.row, this.#scoreboard.maxConnections(backend.row))) return backend;
    }
  }

  /** Builds the pickers anew when a fact about a backend has changed. */
  #keepUpToDate(): void {
    const version = this.#scoreboard.version(this.options.row);
    if (version === this.#version) return;
    // The version is read before the facts: what changes meanwhile is seen with the next pick.
    this.#version = version;
    const known = this.options.backends.map(({ row, isBackup, unresolved }) => {
      return { facts: this.#scoreboard.facts(row), isBackup, unresolved };
    });
    const { primaries, backups } = availableOf(known, this.options.tuning.whenAllDown);
    const facts = known.map((it) => it.facts);
    this.#primaries = this.#tier(primaries, facts);
    this.#backups = this.#tier(backups, facts);
  }

  #tier(positions: readonly number[], facts: readonly BackendFacts[]): Tier | undefined {
    if (positions.length === 0) return undefined;
    const backends: Backend[] = [];
    const weights: number[] = [];
    for (const position of positions) {
      const [backend, fact] = [this.options.backends[position], facts[position]];
      if (backend === undefined || fact === undefined) continue;
      backends.push(backend);
      weights.push(weightOf(fact));
    }
    return new Tier(backends, weights, this.options.algorithm, this.#scoreboard, this.#random);
  }
}

/** Backends that are picked among each other, and their loads as a picker asks for them. */
class Tier implements Load {
  readonly backends: readonly Backend[];
  readonly pick: Picker;
  /** Of the session that is being served. */
  tried: readonly Backend[] = [];
  readonly #scoreboard: Scoreboard;

  constructor(
    backends: readonly Backend[],
    weights: readonly number[],
    algorithm: AlgorithmName,
    scoreboard: Scoreboard,
    random: () => number,
  ) {
    this.backends = backends;
    this.#scoreboard = scoreboard;
    const members = backends.map(({ name }, i) => ({ name, weight: weights[i] ?? 1 }));
    this.pick = algorithms[algorithm](members, random);
  }

  active(member: number): number {
    const backend = this.backends[member];
    return backend === undefined ? 0 : this.#scoreboard.count(backend.row);
  }

  isFree(member: number): boolean {
    const backend = this.backends[member];
    if (backend === undefined) return false;
    const limit = this.#scoreboard.maxConnections(backend.row);
    if (limit > 0 && this.#scoreboard.count(backend.row) >= limit) return false;
    return !has(this.tried, backend);
  }
}

/**
 * Compares by row and name: a new configuration brings the same backends as other objects, and the row of a departed backend may be
 * reused while a session that tried it still waits.
 */
function has(backends: readonly Backend[], { row, name }: Backend): boolean {
  for (const backend of backends) if (backend.row === row && backend.name === name) return true;
  return false;
}

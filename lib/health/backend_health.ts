import type { Recorder } from "../core/log.ts";
import { type Backend, isElsewhere } from "../pool/backend.ts";
import type { TlsClientOptions } from "../core/tls_options.ts";
import { hostOf } from "../pool/backend.ts";
import type { TlsClients } from "./tls_clients.ts";
import type { IntroductionOptions } from "../pool/pool.ts";
import type { BackendRow, PoolRow } from "../pool/row.ts";
import { asNew, type Scoreboard } from "../pool/scoreboard.ts";
import type { CheckResult, HealthCheck } from "./check.ts";
import { runChecks } from "./check_loop.ts";
import { eject, type EjectionLimits, isEjected, NEVER_EJECTED } from "./outlier.ts";
import { type Opening, prepareProbe } from "./probe.ts";
import { initialStanding, nextStanding } from "./rise_fall.ts";
import { sleep } from "../core/sleep.ts";
import { rampAt } from "./slow_start.ts";
import type { ShortageNotes } from "./shortage_notes.ts";
import type { StartPace } from "./start_pace.ts";

/** How the backends of a pool are watched, and what follows from it. */
export interface HealthRules {
  /** Undefined: they are not checked. */
  readonly healthCheck: HealthCheck | undefined;
  /** Whether a new backend gets sessions before its first check. */
  readonly initial: "up" | "down";
  readonly outlierDetection: EjectionLimits;
  /** 0 is at once. */
  readonly slowStartMs: number;
  /** What becomes of the sessions of a backend that goes down. */
  readonly onBackendDown: "keep" | "close";
}

/** A pool as the monitor sees it. */
export interface WatchedPool {
  readonly row: PoolRow;
  readonly name: string;
  readonly backends: readonly Backend[];
  readonly rules: HealthRules;
  /** How sessions introduce their clients to backends, which then expect a header of each connection. */
  readonly introduction?: IntroductionOptions | undefined;
  /** How sessions open TLS to backends. */
  readonly tls?: TlsClientOptions | undefined;
}

export interface HealthDeps {
  readonly scoreboard: Scoreboard;
  readonly log: Recorder;
  readonly pace: StartPace;
  /** Told of checks that could not be made for want of something of our own. */
  readonly shortages: ShortageNotes;
  readonly tlsClients: TlsClients;
  /** Ends the sessions of a backend, known by its row, that has gone down. */
  readonly endSessions: (backend: BackendRow) => void;
  /** How many backends of a pool, known by its row, are ejected. */
  readonly ejectedIn: (pool: PoolRow) => number;
}

/** What is known about the health of one backend: its checks, its ejections, and its way back. */
export class BackendHealth {
  /** What the last change was about, in a few words; empty before the first. */
  reason = "";
  /** When that was, in milliseconds since 1970. */
  sinceMs = Date.now();
  /** Results of checks so far; short are those that were not made for want of something of this machine. */
  readonly checks = { ok: 0, failed: 0, short: 0 };
  /** Ejections so far. */
  ejections = 0;

  readonly #deps: HealthDeps;
  #pool: WatchedPool;
  #backend: Backend;
  #standing = initialStanding(true);
  #history = NEVER_EJECTED;
  #stopChecks = new AbortController();
  #checking = Promise.resolve();
  #returnTimer: ReturnType<typeof setTimeout> | undefined;
  #rampTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #isNewcomer: boolean;

  /**
   * Begins to check at once, if the pool has checks and the backend an address.
   *
   * @param isNewcomer Whether it has come while others serve: then it starts slowly.
   */
  constructor(pool: WatchedPool, backend: Backend, deps: HealthDeps, isNewcomer = false) {
    this.#pool = pool;
    this.#backend = backend;
    this.#deps = deps;
    this.#isNewcomer = isNewcomer;
    this.#forget();
    if (backend.unresolved === undefined) this.#startChecks();
    else this.#setUnresolved(backend.unresolved);
    if (isNewcomer && this.#standing.isUp) this.#startSlowly();
  }

  /** The row of the pool. */
  get pool(): PoolRow {
    return this.#pool.row;
  }

  get isEjected(): boolean {
    return isEjected(this.#history, performance.now());
  }

  get isChecked(): boolean {
    return this.#pool.rules.healthCheck !== undefined;
  }

  /** Goes on under the rules of a new configuration; checks that stay the same are not interrupted. */
  follow(pool: WatchedPool, backend: Backend): void {
    const before = this.#backend;
    const isSameCheck = isSame(checkOf(pool), checkOf(this.#pool)) &&
      isSame(placeOf(backend), placeOf(before));
    this.#pool = pool;
    this.#backend = backend;
    if (backend.unresolved !== undefined && before.unresolved !== undefined) {
      if (backend.unresolved === this.reason) return;
      this.reason = backend.unresolved;
      return this.#say("warn", "name_not_resolved", {});
    }
    if (isSameCheck) return;
    this.#stopChecks.abort();
    if (isElsewhere(before, backend)) this.#forget();
    if (backend.unresolved !== undefined) return this.#setUnresolved(backend.unresolved);
    this.#startChecks();
    if (before.unresolved !== undefined && !this.isChecked) {
      this.#standing = initialStanding(true);
      return this.#setUp(true, "its name is resolved");
    }
    if (this.isChecked || this.#standing.isUp) return;
    this.#standing = initialStanding(true);
    this.#setUp(true, "no longer checked");
  }

  /** The backend has reached its pool's limit of consecutive failures: ejects it, unless too many are ejected. */
  failing(): void {
    const { rules, backends, row } = this.#pool;
    const { scoreboard, ejectedIn } = this.#deps;
    const nowMs = performance.now();
    const inPool = { size: backends.length, ejected: ejectedIn(row) };
    const history = eject(this.#history, inPool, rules.outlierDetection, nowMs);
    if (history === undefined) return;
    this.#history = history;
    this.ejections++;
    // Whole milliseconds, whatever the clock's fractions make of the difference.
    const forMs = Math.round(history.untilMs - nowMs);
    scoreboard.clearFailures(this.#backend.row);
    this.#change({ isEjected: true }, "sessions with it failed");
    this.#say("warn", "backend_ejected", { for_ms: forMs });
    clearTimeout(this.#returnTimer);
    this.#returnTimer = setTimeout(() => this.#return(), forMs + 1);
  }

  /** Ends checks and timers; resolves when no check is under way. What was found stays on the scoreboard. */
  async stop(): Promise<void> {
    this.#stopChecks.abort();
    clearTimeout(this.#returnTimer);
    clearTimeout(this.#rampTimer);
    await this.#checking;
  }

  /** Nothing is known about it: it is as the pool wants new backends, and its first check decides alone. */
  #forget(): void {
    clearTimeout(this.#returnTimer);
    clearTimeout(this.#rampTimer);
    const isUp = !this.isChecked || this.#pool.rules.initial === "up";
    this.#standing = initialStanding(isUp);
    this.#history = NEVER_EJECTED;
    this.reason = this.isChecked ? "not checked yet" : "";
    this.sinceMs = Date.now();
    const { scoreboard } = this.#deps;
    const { isEjected, rampPercent, ...facts } = scoreboard.facts(this.#backend.row);
    if (facts.isUp === isUp && !isEjected && rampPercent === 100) return;
    scoreboard.setFacts(this.#pool.row, this.#backend.row, asNew(isUp));
  }

  /** A backend without an address is down, and there is nothing to check. */
  #setUnresolved(reason: string): void {
    this.#standing = initialStanding(false);
    this.#setUp(false, reason);
  }

  #startChecks(): void {
    const { healthCheck } = this.#pool.rules;
    if (healthCheck === undefined) return;
    const { shortages } = this.#deps;
    const probe = prepareProbe(healthCheck, this.#opening(), (shortage) => {
      this.checks.short++;
      shortages.note(this.#pool.name, this.#backend.name, shortage);
    });
    const { address, otherAddresses } = this.#backend;
    this.#stopChecks = new AbortController();
    const before = this.#checking;
    const { signal } = this.#stopChecks;
    this.#checking = before.then(() =>
      runChecks({
        intervalMs: healthCheck.intervalMs,
        probe: (stop, report) => probe(address, stop, report, otherAddresses),
        report: (result) => this.#onResult(result, healthCheck),
        turn: () => this.#deps.pace.next(this.#pool.row),
        now: () => performance.now(),
        random: Math.random,
        sleep,
      }, signal)
    );
  }

  /** What is checked on a port of its own is another service than the one that sessions go to, and is asked as it is. */
  #opening(): Opening {
    const { rules: { healthCheck }, introduction, tls, name } = this.#pool;
    if (healthCheck?.port !== undefined) return {};
    if (tls === undefined) return { introduction };
    const { tlsClients } = this.#deps;
    return { introduction, tls: { client: () => tlsClients.of(name, tls), host: hostOf(this.#backend) } };
  }

  #onResult({ ok, saw }: CheckResult, check: HealthCheck): void {
    this.checks[ok ? "ok" : "failed"]++;
    const isFirst = !this.#standing.isKnown;
    if (isFirst) this.reason = saw;
    const { hasChanged, ...standing } = nextStanding(this.#standing, ok, check);
    this.#standing = standing;
    if (hasChanged) this.#setUp(ok, saw, isFirst);
  }

  /** @param isFirst Whether it was the first check: a backend that was there from the start has nothing to recover from. */
  #setUp(isUp: boolean, reason: string, isFirst = false): void {
    this.#change({ isUp }, reason);
    if (isUp && (!isFirst || this.#isNewcomer)) this.#startSlowly();
    this.#say(isUp ? "info" : "warn", isUp ? "backend_up" : "backend_down", {});
    if (!isUp && this.#pool.rules.onBackendDown === "close") {
      this.#deps.endSessions(this.#backend.row);
    }
  }

  #return(): void {
    this.#deps.scoreboard.clearFailures(this.#backend.row);
    this.#change({ isEjected: false }, "its ejection is over");
    this.#startSlowly();
    this.#say("info", "backend_returned", {});
  }

  /** From a tenth of its weight to all of it, in ten steps. */
  #startSlowly(startedMs = performance.now()): void {
    clearTimeout(this.#rampTimer);
    const { percent, nextInMs } = rampAt(performance.now() - startedMs, this.#pool.rules.slowStartMs);
    const { scoreboard } = this.#deps;
    scoreboard.setFacts(this.#pool.row, this.#backend.row, { rampPercent: percent });
    if (nextInMs === undefined) return;
    this.#rampTimer = setTimeout(() => this.#startSlowly(startedMs), Math.ceil(nextInMs));
  }

  #change(facts: { isUp: boolean } | { isEjected: boolean }, reason: string): void {
    const { scoreboard } = this.#deps;
    this.reason = reason;
    this.sinceMs = Date.now();
    scoreboard.setFacts(this.#pool.row, this.#backend.row, facts);
  }

  #say(level: "info" | "warn", event: string, fields: Record<string, unknown>): void {
    const { name: pool } = this.#pool;
    const { name: backend } = this.#backend;
    this.#deps.log[level](event, { pool, backend, reason: this.reason, ...fields });
  }
}

/** How a backend is checked. */
function checkOf({ rules: { healthCheck }, introduction, tls }: WatchedPool): unknown {
  return healthCheck?.port === undefined ? [healthCheck, introduction, tls] : [healthCheck];
}

/** Where a backend is checked. */
function placeOf(backend: Backend): unknown {
  const { address, otherAddresses, unresolved } = backend;
  return [address, otherAddresses, unresolved === undefined, hostOf(backend)];
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

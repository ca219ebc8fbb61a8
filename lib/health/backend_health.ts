import type { Recorder } from "../core/log.ts";
import type { Backend } from "../pool/backend.ts";
import type { Scoreboard } from "../pool/scoreboard.ts";
import type { CheckResult, HealthCheck } from "./check.ts";
import { runChecks } from "./check_loop.ts";
import { eject, type EjectionLimits, isEjected, NEVER_EJECTED } from "./outlier.ts";
import { prepareProbe } from "./probe.ts";
import { INITIAL_STANDING, nextStanding } from "./rise_fall.ts";
import { sleep } from "./sleep.ts";
import { rampAt } from "./slow_start.ts";
import type { Turns } from "./turns.ts";

/** How the backends of a pool are watched, and what follows from it. */
export interface HealthRules {
  /** Undefined: they are not checked. */
  readonly healthCheck: HealthCheck | undefined;
  readonly outlierDetection: EjectionLimits;
  /** 0 is at once. */
  readonly slowStartMs: number;
  /** What becomes of the sessions of a backend that goes down. */
  readonly onBackendDown: "keep" | "close";
}

/** A pool as the monitor sees it. */
export interface WatchedPool {
  readonly row: number;
  readonly name: string;
  readonly backends: readonly Backend[];
  readonly rules: HealthRules;
}

export interface HealthSurroundings {
  readonly scoreboard: Scoreboard;
  readonly log: Recorder;
  readonly turns: Turns;
  /** Ends the sessions of a backend, known by its row, that has gone down. */
  readonly endSessions: (backend: number) => void;
  /** How many backends of a pool, known by its row, are ejected. */
  readonly ejectedIn: (pool: number) => number;
}

/** What is known about the health of one backend: its checks, its ejections, and its way back. */
export class BackendHealth {
  /** What the last change was about, in a few words; empty before the first. */
  reason = "";
  /** When that was, in milliseconds since 1970. */
  sinceMs = Date.now();
  /** Results of checks so far. */
  readonly checks = { ok: 0, failed: 0 };
  /** Ejections so far. */
  ejections = 0;

  readonly #surroundings: HealthSurroundings;
  #pool: WatchedPool;
  #backend: Backend;
  #standing = INITIAL_STANDING;
  #history = NEVER_EJECTED;
  #stopChecks = new AbortController();
  #checking = Promise.resolve();
  #returnTimer: ReturnType<typeof setTimeout> | undefined;
  #rampTimer: ReturnType<typeof setTimeout> | undefined;

  /** Begins to check at once, if the pool has checks. */
  constructor(pool: WatchedPool, backend: Backend, surroundings: HealthSurroundings) {
    this.#pool = pool;
    this.#backend = backend;
    this.#surroundings = surroundings;
    this.#startChecks();
  }

  /** The row of the pool. */
  get pool(): number {
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
    const isSameCheck = isSame(pool.rules.healthCheck, this.#pool.rules.healthCheck) &&
      isSame(backend.address, this.#backend.address);
    this.#pool = pool;
    this.#backend = backend;
    if (isSameCheck) return;
    this.#stopChecks.abort();
    this.#startChecks();
    if (this.isChecked || this.#standing.isUp) return;
    this.#standing = INITIAL_STANDING;
    this.#setUp(true, "no longer checked");
  }

  /** The backend has failed as many sessions in a row as its pool bears: ejects it, if the pool can spare it. */
  failing(): void {
    const { rules, backends, row } = this.#pool;
    const { scoreboard, ejectedIn } = this.#surroundings;
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

  #startChecks(): void {
    const { healthCheck } = this.#pool.rules;
    if (healthCheck === undefined) return;
    const probe = prepareProbe(healthCheck);
    const { address } = this.#backend;
    this.#stopChecks = new AbortController();
    const before = this.#checking;
    const { signal } = this.#stopChecks;
    this.#checking = before.then(() =>
      runChecks({
        intervalMs: healthCheck.intervalMs,
        probe: (stop) => probe(address, stop),
        report: (result) => this.#hear(result, healthCheck),
        turns: this.#surroundings.turns,
        now: () => performance.now(),
        random: Math.random,
        sleep,
      }, signal)
    );
  }

  #hear({ ok, saw }: CheckResult, check: HealthCheck): void {
    this.checks[ok ? "ok" : "failed"]++;
    const { hasChanged, ...standing } = nextStanding(this.#standing, ok, check);
    this.#standing = standing;
    if (hasChanged) this.#setUp(ok, saw);
  }

  #setUp(isUp: boolean, reason: string): void {
    this.#change({ isUp }, reason);
    if (isUp) this.#startSlowly();
    this.#say(isUp ? "info" : "warn", isUp ? "backend_up" : "backend_down", {});
    if (!isUp && this.#pool.rules.onBackendDown === "close") {
      this.#surroundings.endSessions(this.#backend.row);
    }
  }

  #return(): void {
    this.#surroundings.scoreboard.clearFailures(this.#backend.row);
    this.#change({ isEjected: false }, "its ejection is over");
    this.#startSlowly();
    this.#say("info", "backend_returned", {});
  }

  /** From a tenth of its weight to all of it, in ten steps. */
  #startSlowly(startedMs = performance.now()): void {
    clearTimeout(this.#rampTimer);
    const { percent, nextInMs } = rampAt(performance.now() - startedMs, this.#pool.rules.slowStartMs);
    const { scoreboard } = this.#surroundings;
    scoreboard.setFacts(this.#backend.row, { rampPercent: percent });
    scoreboard.tellChanged(this.#pool.row);
    if (nextInMs === undefined) return;
    this.#rampTimer = setTimeout(() => this.#startSlowly(startedMs), Math.ceil(nextInMs));
  }

  #change(facts: { isUp: boolean } | { isEjected: boolean }, reason: string): void {
    const { scoreboard } = this.#surroundings;
    this.reason = reason;
    this.sinceMs = Date.now();
    scoreboard.setFacts(this.#backend.row, facts);
    scoreboard.tellChanged(this.#pool.row);
  }

  #say(level: "info" | "warn", event: string, fields: Record<string, unknown>): void {
    const { name: pool } = this.#pool;
    const { name: backend } = this.#backend;
    this.#surroundings.log[level](event, { pool, backend, reason: this.reason, ...fields });
  }
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

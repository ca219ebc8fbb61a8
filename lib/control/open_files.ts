/**
 * The descriptors of the whole program, budgeted: what sessions may have is what the limit leaves beside the control plane,
 * the admin side, the checks, and the workers that a reload or a death will start.
 *
 * So accepting pauses while all of these can still go on. The runtime does not tell the limit (it raises the soft one to the
 * hard one by itself), so with its engine it is found out by opening duplicates of one socket, ten to twenty microseconds each: a
 * thousand at the start, and more when sessions come near what is known. With the engine epoll the system says it.
 */

import { ADMIN_BACKLOG, MAX_ADMIN_CONNECTIONS } from "../admin/connections.ts";
import { RunError } from "../core/errors.ts";
import type { Recorder } from "../core/log.ts";
import { flowsOfSessions } from "../dataplane/flows.ts";
import type { EngineHost } from "./engine_host.ts";
import type { FilesRow } from "../pool/row.ts";
import type { Scoreboard } from "../pool/scoreboard.ts";

/** A session holds a connection to its client and one to its backend. */
const FILES_PER_SESSION = 2;

/** What a worker has open beside its listening sockets. */
const FILES_PER_WORKER = 6;

/** What is open for a moment while the modules of workers are loaded. */
const LOADING_FILES = 8;

/** Configuration, token, log, names that are looked up. */
const OWN_FILES = 16;

/** Looked for at the start. */
const FIRST_LOOK_FILES = 1_024;

/** Looked for at once later; holds up the control plane for a few hundred milliseconds at most. */
const MAX_LOOK_FILES = 16_384;

/** A shortage that lasts is not told all the time. */
const TELL_AGAIN_MS = 10_000;

/** What a configuration needs. */
export interface FileNeeds {
  readonly workers: number;
  readonly listeners: number;
  readonly hasAdmin: boolean;
  readonly checkedBackends: number;
  /** The sum of `max_connections`; 0 when there is none. */
  readonly maxConnections: number;
}

/** What the engine knows of descriptors. */
type Counted = Pick<EngineHost, "countFree" | "openFiles">;

export class OpenFiles {
  readonly #scoreboard: Scoreboard;
  readonly #row: FilesRow;
  readonly #log: Recorder;
  readonly #system: Counted;
  #needs: FileNeeds = { workers: 0, listeners: 0, hasAdmin: false, checkedBackends: 0, maxConnections: 0 };
  /** How many there are beside what the program had at its start; undefined when that cannot be found out. */
  #known: number | undefined;
  /** Whether there are no more than that. */
  #isLimit = false;
  /** Of the workers that there are. */
  #workerFiles = 0;
  #lastToldMs = -Infinity;

  /** @param row A row of the scoreboard, which counts the sessions of all listeners and keeps their limit. */
  constructor(scoreboard: Scoreboard, row: FilesRow, log: Recorder, system: Counted) {
    this.#scoreboard = scoreboard;
    this.#row = row;
    this.#log = log;
    this.#system = system;
  }

  get row(): FilesRow {
    return this.#row;
  }

  /** Descriptors that are open, and how many there may be; undefined where that cannot be found out. */
  get inUse(): { readonly open: number; readonly max: number } | undefined {
    return this.#system.openFiles();
  }

  /** Finds out how many there are, before anything is started, and says so when they cannot carry `max_connections`. */
  begin(needs: FileNeeds): void {
    this.#needs = needs;
    const needed = needs.maxConnections * FILES_PER_SESSION + this.#reserved(needs);
    const wanted = Math.max(FIRST_LOOK_FILES, needed);
    this.#known = this.#system.countFree(wanted);
    this.#isLimit = this.#known !== undefined && this.#known < wanted;
    this.follow(needs);
    if (needs.maxConnections === 0 || this.#known === undefined || this.#known >= needed) return;
    this.#log.warn("open_files_too_few", {
      max_connections: needs.maxConnections,
      needed_files: needed,
      possible_files: this.#known,
      carries_connections: this.#sessionLimit(this.#known),
      advice: `raise the limit (ulimit -n, LimitNOFILE) to ${needed} or lower max_connections`,
    });
  }

  /** Another configuration is in force. */
  follow(needs: FileNeeds): void {
    this.#needs = needs;
    this.#publish();
  }

  /**
   * Makes sure that workers can be started. The runtime ends the whole program when it makes a worker and finds no
   * descriptor for it.
   *
   * @throws {RunError} that says what is missing.
   */
  check(workers: number, listeners: number): void {
    const needed = workers * (FILES_PER_WORKER + listeners) + LOADING_FILES;
    const openable = this.#system.countFree(needed) ?? needed;
    const free = Math.min(openable, this.#isLimit ? this.#unclaimed() : needed);
    if (free >= needed) return;
    const count = workers === 1 ? "a worker" : `${workers} workers`;
    throw new RunError(
      `not enough open files to start ${count}: ${needed} are needed, ${Math.max(0, free)} are free`,
    );
  }

  /** Counts the files of a worker that is started now, until the returned function is called. */
  claim(listeners: number): () => void {
    const files = FILES_PER_WORKER + listeners;
    this.#workerFiles += files;
    this.#publish();
    return () => {
      this.#workerFiles -= files;
      this.#publish();
    };
  }

  /** Sessions, or flows of their part, have used up what is known to be there: looks for more, and says so when there is none. */
  wanted(): void {
    if (this.#known === undefined) return;
    if (!this.#isLimit) this.#look(Math.min(this.#known, MAX_LOOK_FILES), this.#known);
    const limit = this.#sessionLimit(this.#known);
    const isShort = this.#isLimit && this.#scoreboard.count(this.#row) >= flowsOfSessions(limit);
    if (!isShort || performance.now() - this.#lastToldMs < TELL_AGAIN_MS) return;
    this.#lastToldMs = performance.now();
    this.#log.warn("open_files_short", {
      sessions: limit,
      reason:
        "connections wait, or flows end for others: more sessions would leave too few open files for everything else",
      advice: "raise the limit (ulimit -n, LimitNOFILE)",
    });
  }

  #look(more: number, known: number): void {
    const found = this.#system.countFree(more) ?? 0;
    this.#known = Math.max(known, this.#sessionFiles() + this.#workerFiles + found);
    this.#isLimit = found < more;
    this.#publish();
  }

  /** What neither sessions nor workers have, nor the control plane may need. */
  #unclaimed(): number {
    const { workers, listeners } = this.#needs;
    const others = this.#reserved(this.#needs) - 2 * workers * (FILES_PER_WORKER + listeners);
    return (this.#known ?? Infinity) - others - this.#workerFiles - this.#sessionFiles();
  }

  /** One place is taken for each connection that is waited for, and has no descriptor yet. */
  #sessionFiles(): number {
    const { workers, listeners } = this.#needs;
    return Math.max(0, this.#scoreboard.count(this.#row) - workers * listeners) * FILES_PER_SESSION;
  }

  #publish(): void {
    if (this.#known !== undefined) this.#scoreboard.setLimit(this.#row, this.#sessionLimit(this.#known));
  }

  /** So that each worker can wait for a connection at each listener, it is never less than that. */
  #sessionLimit(known: number): number {
    const { workers, listeners } = this.#needs;
    const left = known - this.#reserved(this.#needs) -
      Math.max(0, this.#workerFiles - workers * (FILES_PER_WORKER + listeners));
    return Math.max(Math.floor(left / FILES_PER_SESSION), workers * listeners + 1);
  }

  /** For the workers that there are, as many more for a reload, and everything else that is no session. */
  #reserved({ workers, listeners, hasAdmin, checkedBackends }: FileNeeds): number {
    return 2 * workers * (FILES_PER_WORKER + listeners) + LOADING_FILES + OWN_FILES + checkedBackends +
      (hasAdmin ? MAX_ADMIN_CONNECTIONS + ADMIN_BACKLOG : 0);
  }
}

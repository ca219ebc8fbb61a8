/** One data-plane worker, seen from the control plane. */

import type { Recorder } from "../core/log.ts";
import { RunError } from "../core/errors.ts";
import type { FromWorker, LiveSessionFacts, PlaneOptions, ToWorker } from "../dataplane/messages.ts";
import type { EndReason, SessionRecord } from "../dataplane/record.ts";
import type { PoolTuning } from "../pool/pool.ts";
import type { TallyEntry } from "../pool/tally.ts";
import { type Permissions, workerPermissions } from "./permissions.ts";

export interface DataWorkerOptions {
  readonly entry: string;
  readonly plane: PlaneOptions;
  readonly permissions: Permissions;
  readonly hears: WorkerNews;
  readonly log: Recorder;
}

/** What a worker tells while it works. */
export interface WorkerNews {
  /** A backend, known by its row, has failed as often in a row as its pool bears. */
  readonly onFailing: (backend: number) => void;
  /** What sessions of the worker have added up to since the last time. */
  readonly onTally: (entries: readonly TallyEntry[]) => void;
}

/** How a worker ended. */
export type WorkerEnd = { readonly drained: true; readonly closedSessions: number } | {
  readonly drained: false;
  readonly reason: string;
};

/** A client that could not be served at all is worth a warning. */
const UNSERVED: ReadonlySet<EndReason> = new Set(
  ["dial_failed", "no_backend", "queue_full", "queue_timeout", "internal_error"] as const,
);

export class DataWorker {
  /** Resolves when the worker accepts connections; rejects with a {@linkcode RunError} when it cannot. */
  readonly listening: Promise<void>;
  /** The most that its clock was late, of late. */
  lagMs = 0;
  /** Resolves when the worker is no more. */
  readonly ended: Promise<WorkerEnd>;
  readonly #worker: Worker;
  readonly #log: Recorder;
  readonly #hears: WorkerNews;
  readonly #requests = new Map<number, (sessions: readonly LiveSessionFacts[]) => void>();
  #lastRequest = 0;
  readonly #listening = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<WorkerEnd>();

  constructor({ entry, plane, permissions, hears, log }: DataWorkerOptions) {
    this.#log = log;
    this.#hears = hears;
    this.listening = this.#listening.promise;
    this.ended = this.#ended.promise;
    // Whoever does not wait for `listening` learns of the failure from `ended`.
    this.listening.catch(() => {});
    const name = `data-plane-${plane.worker}`;
    this.#worker = new Worker(entry, {
      type: "module",
      name,
      deno: { permissions: workerPermissions(permissions) },
    });
    this.#worker.onmessage = (event: MessageEvent<FromWorker>) => this.#hear(event.data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end({ drained: false, reason: event.message });
    };
    this.#tell({ type: "start", options: plane });
  }

  /**
   * Stops accepting; resolves when it has. The worker ends when its last session has.
   *
   * @param takenOver Paths of Unix sockets at which others listen by now.
   */
  async drain(takenOver: readonly string[]): Promise<void> {
    this.#tell({ type: "drain", takenOver });
    await Promise.race([this.#closed.promise, this.ended]);
  }

  /** Ends the sessions that a drain has left. */
  closeSessions(): void {
    this.#tell({ type: "close" });
  }

  /** Goes by other rules from now on; as many as there are pools, in their order. */
  adjust(pools: readonly PoolTuning[]): void {
    this.#tell({ type: "adjust", pools });
  }

  /** Sessions that go on, the oldest first, at most so many; none of a worker that has ended. */
  async sessions(limit: number): Promise<readonly LiveSessionFacts[]> {
    const request = ++this.#lastRequest;
    const answer = new Promise<readonly LiveSessionFacts[]>((resolve) =>
      this.#requests.set(request, resolve)
    );
    this.#tell({ type: "list_sessions", request, limit });
    return await Promise.race([answer, this.ended.then(() => [])]);
  }

  /** Ends the sessions at a backend, which is known by its row. */
  endSessions(backend: number, reason: EndReason): void {
    this.#tell({ type: "end_sessions", backend, reason });
  }

  /** Ends the worker at once, with everything in it. */
  terminate(): void {
    this.#worker.terminate();
    this.#end({ drained: false, reason: "terminated" });
  }

  #tell(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #hear(message: FromWorker): void {
    switch (message.type) {
      case "listening":
        return this.#listening.resolve();
      case "closed":
        return this.#closed.resolve();
      case "sessions":
        for (const record of message.records) this.#logSession(record);
        return;
      case "failing":
        return this.#hears.onFailing(message.backend);
      case "tally":
        this.lagMs = message.lagMs;
        return this.#hears.onTally(message.entries);
      case "live_sessions":
        this.#requests.get(message.request)?.(message.sessions);
        this.#requests.delete(message.request);
        return;
      case "warning":
        return this.#log.warn(message.event, { ...message.fields });
      case "died":
        return this.#end({ drained: false, reason: message.reason });
      case "drained":
        return this.#end({ drained: true, closedSessions: message.closedSessions });
    }
  }

  #logSession(record: SessionRecord): void {
    if (UNSERVED.has(record.end)) this.#log.warn("session", { ...record });
    else this.#log.info("session", { ...record });
  }

  #end(end: WorkerEnd): void {
    this.#worker.terminate();
    this.#listening.reject(new RunError(end.drained ? "the data plane was stopped" : end.reason));
    this.#ended.resolve(end);
  }
}

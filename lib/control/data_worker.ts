/** One data-plane worker, seen from the control plane. */

import type { Logger } from "../core/log.ts";
import { RunError } from "../core/errors.ts";
import type { FromWorker, PlaneOptions, ToWorker } from "../dataplane/messages.ts";
import type { SessionRecord } from "../dataplane/record.ts";
import { type Permissions, workerPermissions } from "./permissions.ts";

export interface DataWorkerOptions {
  readonly entry: string;
  readonly plane: PlaneOptions;
  readonly permissions: Permissions;
  readonly log: Logger;
}

/** How a worker ended. */
export type WorkerEnd = { readonly drained: true; readonly closedSessions: number } | {
  readonly drained: false;
  readonly reason: string;
};

export class DataWorker {
  /** Resolves when the worker accepts connections; rejects with a {@linkcode RunError} when it cannot. */
  readonly listening: Promise<void>;
  /** Resolves when the worker is no more. */
  readonly ended: Promise<WorkerEnd>;
  readonly #worker: Worker;
  readonly #log: Logger;
  readonly #listening = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<WorkerEnd>();

  constructor({ entry, plane, permissions, log }: DataWorkerOptions) {
    this.#log = log;
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

  /** Stops accepting; the worker ends when its last session has. */
  drain(): void {
    this.#tell({ type: "drain" });
  }

  /** Ends the sessions that a drain has left. */
  closeSessions(): void {
    this.#tell({ type: "close" });
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
      case "sessions":
        for (const record of message.records) this.#logSession(record);
        return;
      case "warning":
        return this.#log.warn(message.event, { ...message.fields });
      case "died":
        return this.#end({ drained: false, reason: message.reason });
      case "drained":
        return this.#end({ drained: true, closedSessions: message.closedSessions });
    }
  }

  /** A client that could not be served at all is worth a warning. */
  #logSession(record: SessionRecord): void {
    const isFailure = record.end === "dial_failed" || record.end === "internal_error";
    if (isFailure) this.#log.warn("session", { ...record });
    else this.#log.info("session", { ...record });
  }

  #end(end: WorkerEnd): void {
    this.#worker.terminate();
    this.#listening.reject(new RunError(end.drained ? "the data plane was stopped" : end.reason));
    this.#ended.resolve(end);
  }
}

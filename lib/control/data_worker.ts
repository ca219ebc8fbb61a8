/** One data-plane worker, seen from the control plane. */

import type { Log } from "../core/log.ts";
import { RunError } from "../core/errors.ts";
import type {
  AllTlsKeys,
  FlowsAt,
  FromWorker,
  LiveSessionFacts,
  LiveSessionFilter,
  PassedDatagram,
  PlaneOptions,
  ToWorker,
} from "../dataplane/messages.ts";
import { type EndReason, UNSERVED } from "../dataplane/record.ts";
import type { PoolChange } from "../pool/pool.ts";
import type { BackendRow } from "../pool/row.ts";
import type { Denials } from "../dataplane/denials.ts";
import type { FlowSum } from "../dataplane/flow_sums.ts";
import type { TallyEntry } from "../pool/tally.ts";
import type { Confinement } from "../engine/confinement.ts";
import type { FlowExchange, FlowWorker } from "./flow_exchange.ts";
import { waitForAnswer } from "./patience.ts";
import { type Permissions, workerPermissions } from "./permissions.ts";

export interface DataWorkerOptions {
  readonly entry: string;
  readonly plane: PlaneOptions;
  readonly permissions: Permissions;
  /** Call it after each message; see EngineHost. */
  readonly ring: () => void;
  /** Called once, when it is no more, before anyone is told of that; see EngineOfWorker. */
  readonly reclaim: () => void;
  /** Where it gives and gets datagrams of flows that outlive a reload. */
  readonly flows: FlowExchange;
  readonly events: WorkerNews;
  readonly log: Log;
}

/** What a worker tells while it works. */
export interface WorkerNews {
  /** A backend has reached its pool's limit of consecutive failures. */
  readonly onFailing: (backend: BackendRow) => void;
  /** What sessions of the worker have added up to since the last time. */
  readonly onTally: (entries: readonly TallyEntry[]) => void;
  /** Clients were turned away. */
  readonly onDenials: (denials: readonly Denials[]) => void;
  /** Flows have ended, and left no record. */
  readonly onFlowSums: (sums: readonly FlowSum[]) => void;
  readonly onWarning: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Sessions have come to the limit that open files set. */
  readonly onFilesWanted: () => void;
}

/** How a worker ended. */
export type WorkerEnd = { readonly drained: true; readonly closedSessions: number } | {
  readonly drained: false;
  readonly reason: string;
};

/** No answer of a worker that hangs is waited for any longer. */
const ASK_PATIENCE_MS = 2_000;

/** A question to the worker that has no answer yet. */
interface Request {
  readonly resolve: (answer: unknown) => void;
  /** What the answer is when the worker ends. */
  readonly otherwise: unknown;
}

export class DataWorker implements FlowWorker {
  /** Resolves when the worker listens and is confined, and can be told to accept; rejects with a {@linkcode RunError} when it cannot. */
  readonly listening: Promise<Confinement>;
  /** Whether it has come to listen. */
  hasListened = false;
  /** Largest event-loop lag since the last report, in ms. */
  lagMs = 0;
  /** How it ended; undefined while it lives. */
  end: WorkerEnd | undefined;
  /** Resolves when the worker, told to drain, accepts no more connections, or is no more. */
  readonly closed: Promise<unknown>;
  /** Resolves when the worker is no more. */
  readonly ended: Promise<WorkerEnd>;
  readonly #worker: Worker;
  readonly #ring: () => void;
  readonly #reclaim: () => void;
  readonly #flows: FlowExchange;
  readonly #log: Log;
  readonly #events: WorkerNews;
  readonly #requests = new Map<number, Request>();
  #lastRequest = 0;
  readonly #listening = Promise.withResolvers<Confinement>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<WorkerEnd>();

  constructor({ entry, plane, permissions, ring, reclaim, flows, events, log }: DataWorkerOptions) {
    this.#log = log;
    this.#ring = ring;
    this.#reclaim = reclaim;
    this.#flows = flows;
    this.#events = events;
    this.listening = this.#listening.promise;
    this.ended = this.#ended.promise;
    this.closed = Promise.race([this.#closed.promise, this.ended]);
    // A caller that does not wait for `listening` learns of the failure from `ended`.
    this.listening.catch(() => {});
    const name = `data-plane-${plane.worker}`;
    this.#worker = new Worker(entry, {
      type: "module",
      name,
      deno: { permissions: workerPermissions(permissions) },
    });
    this.#worker.onmessage = (event: MessageEvent<FromWorker>) => this.#handle(event.data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end({ drained: false, reason: event.message });
    };
    this.#tell({ type: "start", options: plane });
  }

  /** Begins to accept connections; call it when the worker listens. */
  accept(): void {
    this.#tell({ type: "accept" });
  }

  takeOver(flows: readonly FlowsAt[]): void {
    this.#tell({ type: "take_over", flows });
  }

  flowsOver(flows: readonly FlowsAt[]): void {
    this.#tell({ type: "flows_over", flows });
  }

  deliver(datagrams: readonly PassedDatagram[]): void {
    this.#tell({ type: "deliver", datagrams });
  }

  makeRoom(listener: string, count: number): void {
    this.#tell({ type: "make_room", listener, count });
  }

  /**
   * Tells the worker to stop accepting; `closed` resolves when it has. The worker ends when its last session has.
   *
   * @param readElsewhere Where others read datagrams from now on.
   */
  drain(isReplaced = false, readElsewhere: readonly string[] = []): void {
    this.#flows.leave(this);
    this.#tell({ type: "drain", isReplaced, readElsewhere });
  }

  /** Tells a worker that drains that others read datagrams at these addresses too from now on. */
  readElsewhere(listeners: readonly string[]): void {
    this.#tell({ type: "read_elsewhere", listeners });
  }

  /** Ends the sessions that a drain has left. */
  closeSessions(): void {
    this.#tell({ type: "close" });
  }

  /**
   * Goes by these from now on.
   *
   * @return Whether the worker does, or is no more; false when it has not answered.
   */
  async adjust(pools: readonly PoolChange[]): Promise<boolean> {
    const isDone = await this.#ask((request) => ({ type: "adjust", request, pools }), false);
    return isDone || this.end !== undefined;
  }

  /** Uses these keys from now on. @return As {@linkcode adjust}. */
  async renew(keys: AllTlsKeys): Promise<boolean> {
    const isDone = await this.#ask((request) => ({ type: "renew", request, keys }), false);
    return isDone || this.end !== undefined;
  }

  /** Sessions that go on, the oldest first, at most so many; none of a worker that has ended, or does not answer. */
  sessions(limit: number, filter: LiveSessionFilter): Promise<readonly LiveSessionFacts[]> {
    return this.#ask((request) => ({ type: "list_sessions", request, limit, filter }), []);
  }

  /** Ends one session; false when the worker has none with this id, or does not answer. */
  endSession(id: string, reason: EndReason): Promise<boolean> {
    return this.#ask((request) => ({ type: "end_session", request, id, reason }), false);
  }

  /** Ends the sessions at a backend, which is known by its row. */
  endSessions(backend: BackendRow, reason: EndReason): void {
    this.#tell({ type: "end_sessions", backend, reason });
  }

  /** Ends the worker at once, with everything in it. A worker that has ended keeps its own reason. */
  terminate(reason = "terminated"): void {
    this.#end({ drained: false, reason });
  }

  /** Asks and waits for the answer, which is `otherwise` when the worker ends without one, or hangs. */
  async #ask<T>(question: (request: number) => ToWorker, otherwise: T): Promise<T> {
    if (this.end !== undefined) return otherwise;
    const request = ++this.#lastRequest;
    const { promise, resolve } = Promise.withResolvers<T>();
    this.#requests.set(request, { resolve: resolve as (answer: unknown) => void, otherwise });
    this.#tell(question(request));
    const how = await waitForAnswer(promise, ASK_PATIENCE_MS);
    this.#requests.delete(request);
    return how === "answered" ? await promise : otherwise;
  }

  #answered(request: number, answer: unknown): void {
    this.#requests.get(request)?.resolve(answer);
    this.#requests.delete(request);
  }

  #tell(message: ToWorker): void {
    this.#worker.postMessage(message);
    this.#ring();
  }

  #handle(message: FromWorker): void {
    switch (message.type) {
      case "listening":
        this.hasListened = true;
        return this.#listening.resolve(message.confinement);
      case "handed_over":
        return this.#flows.handedOver(this, message.flows);
      case "flows_over":
        return this.#flows.over(this, message.flows);
      case "pass_on":
        this.#tell({ type: "passed_on", count: message.datagrams.length });
        return this.#flows.passOn(this, message.datagrams);
      case "room_wanted":
        return this.#flows.makeRoom(this, message.listener, message.count);
      case "closed":
        return this.#closed.resolve();
      case "sessions":
        for (const record of message.records) {
          this.#log.session(UNSERVED.has(record.end) ? "warn" : "info", record);
        }
        return;
      case "failing":
        return this.#events.onFailing(message.backend);
      case "files_wanted":
        return this.#events.onFilesWanted();
      case "denials":
        return this.#events.onDenials(message.denials);
      case "flow_sums":
        return this.#events.onFlowSums(message.sums);
      case "tally":
        this.lagMs = message.lagMs;
        return this.#events.onTally(message.entries);
      case "live_sessions":
        return this.#answered(message.request, message.sessions);
      case "adjusted":
        return this.#answered(message.request, true);
      case "session_ended":
        return this.#answered(message.request, message.found);
      case "warning":
        return this.#events.onWarning(message.event, message.fields);
      case "died":
        return this.#end({ drained: false, reason: message.reason });
      case "drained":
        return this.#end({ drained: true, closedSessions: message.closedSessions });
    }
  }

  #end(end: WorkerEnd): void {
    this.#worker.terminate();
    if (this.end === undefined) this.#reclaim();
    this.end ??= end;
    this.#flows.ended(this);
    this.#listening.reject(new RunError(end.drained ? "the data plane was stopped" : end.reason));
    for (const { resolve, otherwise } of this.#requests.values()) resolve(otherwise);
    this.#ended.resolve(end);
  }
}

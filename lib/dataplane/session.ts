/**
 * One connection's life: a small machine with one phase, and one method for each event. Everything happens in the turn of the
 * event loop in which it is noticed; nothing here waits.
 */

import type { Endpoint } from "../core/endpoint.ts";
import type { ClientSocket, Direction, RelayEvents, Socket } from "../engine/contract.ts";
import type { Backend } from "../pool/backend.ts";
import type { Pool } from "../pool/pool.ts";
import { Activity } from "./activity.ts";
import { type Greeted, Greeting } from "./greeting.ts";
import type { ListenerContext } from "./listener_context.ts";
import type { SessionPaces } from "./pacing.ts";
import type { Phase } from "./phase.ts";
import { prefaceOf } from "./preface.ts";
import type { DenialReason, EndReason } from "./record.ts";
import { type FailedDial, Search, type SearchTools, type Seeker } from "./search.ts";
import { overdue } from "./timeouts.ts";

/** Datagrams that were not passed on. */
export interface Drops {
  /** Since they were above a rate limit. */
  readonly overLimit: number;
  /** For want of room, or since the system would not send them. */
  readonly noRoom: number;
}

/** What sessions of one worker share. */
export interface SessionTools extends SearchTools {
  /** Put before a session's number, makes its id. */
  readonly sessionIdPrefix: string;
  /** A dial failed for want of something of this machine, in plain words; told once a session. */
  readonly onShortage: (session: Session, backend: Backend, what: string) => void;
  /** A fault of our own ends this session, and no other. */
  readonly onFault: (fault: unknown) => void;
  /** The session is over: both connections are closed, its slot is free, and nothing of it changes any more. */
  readonly onOver: (session: Session) => void;
}

/** Thousands of these rest in memory at once, so that what all sessions of a listener share is not in each of them. */
export class Session implements Greeted, Seeker, RelayEvents {
  readonly client: ClientSocket;
  /** How it came in. */
  readonly listener: ListenerContext;
  /** Gives its place at the limiter back. */
  readonly leave: () => void;
  /** Counts the sessions of its worker. */
  readonly number: number;
  phase: Phase = "greeting";
  /** Where it is routed; undefined before that. */
  pool: Pool | undefined;
  /** What its client said before it was routed; undefined where the listener does not ask. */
  greeting: Greeting | undefined;
  /** Why it was refused, in plain words; undefined when it was not. */
  why: string | undefined;
  /** Whom it is relayed to, and has a slot at; undefined before that. */
  backend: Backend | undefined;
  /** Its connection to {@linkcode backend}. */
  backendSocket: Socket | undefined;
  /** What moves in it, and when. */
  readonly activity: Activity;
  /** Where it stands among the sessions of its worker; theirs to set. */
  place = 0;

  attempts = 0;
  failedDials: FailedDial[] | undefined;
  queuedMs: number | undefined;
  dialMs = 0;
  diallingMs = 0;
  /** How fast it may move bytes; undefined before it is relayed, and where its listener does not say. */
  paces: SessionPaces | undefined;

  readonly #tools: SessionTools;
  #search: Search | undefined;
  #endReason: EndReason | undefined;
  /** Whether its peers are asked for signs of life. */
  #hasKeepalive = false;

  /** From here on the session owns `client`. */
  constructor(
    client: ClientSocket,
    listener: ListenerContext,
    leave: () => void,
    tools: SessionTools,
    number: number,
  ) {
    this.client = client;
    this.listener = listener;
    this.leave = leave;
    this.number = number;
    this.#tools = tools;
    this.activity = new Activity(tools.clock.exactMs());
  }

  /** Accepted: reads ahead, so that a client that leaves is noticed; greets the client where it is asked for, and goes to its pool. */
  begin(): void {
    const { greeting, pool } = this.listener;
    try {
      this.client.readAhead(this);
      if (greeting !== undefined) this.greeting = new Greeting(this, greeting);
      if (this.greeting !== undefined) this.greeting.begin();
      else if (pool !== undefined) this.route(pool);
    } catch (fault) {
      this.fault(fault);
    }
  }

  /** It is known where it goes. */
  route(pool: Pool): void {
    this.phase = "routed";
    this.pool = pool;
    const key = pool.keyOf(this, this.greeting?.hello?.serverName);
    this.#search = new Search(this, pool, this.#tools, key);
    this.#search.pick();
  }

  /** It is not served, for this reason, in plain words. */
  refuse(reason: EndReason, why: string): void {
    this.why = why;
    this.end(reason);
  }

  /** It is not let in: its client is told so by a reset, where the engine can send one. */
  deny(reason: DenialReason): void {
    this.client.reset();
    this.end(reason);
  }

  /** Its client: the one that a PROXY header names, or the one that has connected. */
  get source(): Endpoint {
    return this.greeting?.source ?? this.client.peer;
  }

  introduce(socket: Socket): void {
    const introduction = this.pool?.options.introduction;
    if (introduction !== undefined) socket.preface(prefaceOf(this, introduction));
  }

  /** The backend was reached: relays. */
  found(backend: Backend, socket: Socket, nowMs: number): void {
    this.activity.lastActiveMs = nowMs;
    this.backend = backend;
    this.backendSocket = socket;
    this.#search = undefined;
    // Its facts were passed on, and are up to 4 KiB.
    if (this.greeting !== undefined) this.greeting.tlvs = [];
    this.phase = "relaying";
    this.paces = this.listener.pace?.();
    this.#tools.engine.relay(this.client, socket, this, this.paces);
  }

  shortOf(backend: Backend, what: string): void {
    this.#tools.onShortage(this, backend, what);
  }

  writesPending(change: 1 | -1): void {
    this.activity.pendingWrites += change;
  }

  moved(direction: Direction, bytes: number): void {
    const { activity, backend } = this;
    if (direction === "out" && activity.bytesOut === 0 && backend !== undefined) this.pool?.answered(backend);
    activity.moved(direction, bytes);
  }

  /** A connection loses nothing. */
  answerLost(): void {}

  directionEnded(direction: Direction): void {
    this.activity.directionEnded(direction, this.#tools.clock.exactMs());
  }

  clientGone(): void {
    try {
      this.end("client_reset");
    } catch (fault) {
      this.fault(fault);
    }
  }

  /**
   * The client gets what is on its way, and a moment to go by itself. Closing at once would reset its connection, and what it
   * has not read yet would be lost (RFC 1122, 4.2.2.13).
   */
  backendGone(): void {
    // What was closed here is no fault of the backend.
    if (this.phase === "ended") return;
    if (this.activity.bytesOut === 0 && this.backend !== undefined) this.pool?.failed(this.backend);
    this.#endReason ??= "backend_reset";
    this.activity.isBackendGone = true;
  }

  clientTold(): void {
    this.activity.clientTold(this.#tools.clock.exactMs());
  }

  /** The relay is over. */
  finished(): void {
    this.end("done");
    this.#over();
  }

  fault(fault: unknown): void {
    this.#tools.onFault(fault);
    this.end("internal_error");
  }

  /** Asks, often, whether the session's time has come. */
  onTick(nowMs: number): void {
    try {
      this.activity.onTick(nowMs);
      if (this.isPaced) this.activity.lastActiveMs = nowMs;
      if (nowMs >= this.activity.nextLookMs) {
        const left = (this.client.unacknowledged ?? 0) + (this.backendSocket?.unacknowledged ?? 0);
        this.activity.lookedAt(left, nowMs, this.listener.limits.idleTimeoutMs);
      }
      if (!this.#hasKeepalive && this.phase === "relaying") this.#keepAlive();
      this.#search?.onTick(nowMs);
      if (this.phase === "greeting") this.greeting?.onTick(nowMs - this.activity.startedMs);
      const reason = overdue(this.activity, this.listener.limits, nowMs);
      if (reason !== undefined) this.end(reason);
    } catch (fault) {
      this.fault(fault);
    }
  }

  /** Whether a rate limit holds it back: bytes of it wait, or datagrams were dropped a moment ago. Then it is not idle. */
  get isPaced(): boolean {
    return this.paces !== undefined && (this.paces.isWaiting || this.paces.isDropping);
  }

  /** Of a flow: the datagrams that were dropped since the last time that it was asked; undefined when there is none. */
  newDrops(): Drops | undefined {
    return undefined;
  }

  /** With the first tick: a short session needs no signs of life, and each option is a system call. */
  #keepAlive(): void {
    this.#hasKeepalive = true;
    const { keepalive } = this.listener;
    if (keepalive.idleMs === 0) return;
    for (const socket of [this.client, this.backendSocket]) socket?.keepAlive(keepalive);
  }

  /** Unlike that of any other session, also of other workers and other runs. */
  get id(): string {
    return this.#tools.sessionIdPrefix + this.number;
  }

  /** Since it was accepted. */
  get ageMs(): number {
    return this.#tools.clock.exactMs() - this.activity.startedMs;
  }

  get endReason(): EndReason {
    return this.#endReason ?? "internal_error";
  }

  /** Ends the session: closes both connections, which ends everything on them. The first reason stands. */
  end(reason: EndReason): void {
    this.#endReason ??= reason;
    if (this.phase === "ended") return;
    const isRelaying = this.phase === "relaying";
    this.phase = "ended";
    if (isRelaying && this.#endReason !== "done") this.#cut();
    this.client.close();
    this.backendSocket?.close();
    this.paces?.release();
    // A relay has to come to its end first.
    if (isRelaying) return;
    this.#search?.abandon();
    this.#over();
  }

  /** A session that ends early does not look like one that has come to its end. The side that reset is not reset back. */
  #cut(): void {
    if (this.#endReason !== "client_reset") this.client.reset();
    if (this.#endReason !== "backend_reset") this.backendSocket?.reset();
  }

  #over(): void {
    this.#search = undefined;
    if (this.backend !== undefined) this.pool?.release(this.backend);
    this.greeting?.leave();
    this.leave();
    this.#tools.onOver(this);
  }
}

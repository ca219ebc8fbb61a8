/**
 * One connection's life: a small machine with one phase, and one method for each event. Everything happens in the turn of the
 * event loop in which it is noticed; nothing here waits.
 */

import type { CoarseClock } from "../core/coarse_clock.ts";
import type { ClientSocket, DialEvents, Direction, Engine, RelayEvents, Socket } from "../engine/contract.ts";
import { describeDialFault, isDescriptorShortage, shortageOf } from "../engine/dial_fault.ts";
import type { Backend } from "../pool/backend.ts";
import type { Pool } from "../pool/pool.ts";
import type { QueueOutcome } from "../pool/queue.ts";
import { Activity } from "./activity.ts";
import type { ListenerContext } from "./listener_context.ts";
import type { Phase } from "./phase.ts";
import type { EndReason } from "./record.ts";
import { type FailedDial, restBeforeSameMs, Search, shortageRestMs } from "./search.ts";
import { overdue } from "./timeouts.ts";

/** What sessions of one worker share. */
export interface SessionTools {
  readonly engine: Engine;
  readonly clock: CoarseClock;
  /** A dial failed for want of something of this machine, in plain words; told once a session. */
  readonly onShortage: (session: Session, backend: Backend, what: string) => void;
  /** A fault of our own ends this session, and no other. */
  readonly onFault: (fault: unknown) => void;
  /** The session is over: both connections are closed, its slot is free, and nothing of it changes any more. */
  readonly onOver: (session: Session) => void;
}

/** Thousands of these rest in memory at once, so that what all sessions of a listener share is not in each of them. */
export class Session implements DialEvents, RelayEvents {
  readonly client: ClientSocket;
  /** How it came in. */
  readonly listener: ListenerContext;
  /** Gives its place at the limiter back. */
  readonly leave: () => void;
  /** Counts the sessions of its worker. */
  readonly number: number;
  phase: Phase = "greeting";
  /** Where it is routed. */
  pool: Pool;
  /** Whom it is relayed to, and has a slot at; undefined before that. */
  backend: Backend | undefined;
  /** Its connection to {@linkcode backend}. */
  backendSocket: Socket | undefined;
  /** What moves in it, and when. */
  readonly activity: Activity;
  /** Where it stands among the sessions of its worker; theirs to set. */
  place = 0;

  /** Backends dialled. */
  attempts = 0;
  failedDials: FailedDial[] | undefined;
  /** In line; undefined when it did not wait. */
  queuedMs: number | undefined;
  /** The dial that reached the backend, alone; 0 when none did. */
  dialMs = 0;
  /** All dials together, with what lay between them. */
  diallingMs = 0;

  readonly #tools: SessionTools;
  #search: Search | undefined = new Search();
  /** What `maglev` picks by; 0 for the other algorithms. */
  #key = 0;
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
    this.pool = listener.pool;
    this.#tools = tools;
    this.activity = new Activity(tools.clock.exactMs());
  }

  /** Accepted: reads ahead, so that a client that leaves is noticed, and goes to its pool. */
  begin(): void {
    this.#guard(() => {
      this.client.readAhead(this);
      this.#route(this.listener.pool);
    });
  }

  #route(pool: Pool): void {
    this.phase = "routed";
    this.pool = pool;
    this.#key = pool.keyOf(this.client);
    this.#pick();
  }

  /** Picks a backend; where none is free, waits for one, if there is something to wait for. */
  #pick(): void {
    const { pool } = this;
    const { tried } = this.#mustSearch();
    if (tried.length > pool.options.tuning.retries) return this.end("dial_failed");
    // A session that comes for the first time gets in line behind those that wait.
    const mayPass = tried.length > 0 || pool.queue === undefined || pool.queue.isEmpty;
    const picked = mayPass ? pool.take(tried, this.#key) : undefined;
    if (picked !== undefined) this.#dial(picked);
    else if (tried.length > 0 && !pool.hasOther(tried)) this.#restBeforeSame(tried.length);
    else this.#queue();
  }

  #queue(): void {
    const search = this.#mustSearch();
    const { queue } = this.pool;
    if (queue === undefined || !this.pool.hasOther(search.tried)) return this.#unserved("no_backend");
    const joinedMs = this.#tools.clock.exactMs();
    const queued = queue.join(search.tried, this.#key, joinedMs);
    if (queued === undefined) return this.#unserved("queue_full");
    this.phase = "queued";
    search.cancel = () => {
      this.queuedMs = (this.queuedMs ?? 0) + this.#tools.clock.exactMs() - joinedMs;
      search.cancel = undefined;
      queue.leave(queued);
    };
    void queued.outcome.then((outcome) => this.#guard(() => this.#waited(outcome)));
    this.client.hasEnded(() => this.phase === "queued").then(
      (hasEnded) => hasEnded && this.#guard(() => queue.halfClosed(queued)),
      () => this.clientGone(),
    );
  }

  /** The wait in line is over: with a slot at a backend, or without one. */
  #waited(how: QueueOutcome): void {
    // It left just when its turn came. Its end has a reason already.
    if (this.phase !== "queued") return typeof how === "object" ? this.pool.release(how) : undefined;
    this.#mustSearch().cancel?.();
    this.phase = "routed";
    if (typeof how === "object") this.#dial(how);
    else this.#unserved(how ?? "internal_error");
  }

  #unserved(reason: EndReason): void {
    this.end(this.#mustSearch().tried.length > 0 ? "dial_failed" : reason);
  }

  /**
   * All backends have been tried: after a pause the same may be dialled again, as one that restarts. The session holds no slot
   * meanwhile, and takes another backend if one has come by then.
   */
  #restBeforeSame(dials: number): void {
    const search = this.#mustSearch();
    this.phase = "routed";
    this.#rest(restBeforeSameMs(dials), () => {
      const picked = this.pool.take(search.tried, this.#key) ?? this.pool.take([], this.#key);
      if (picked !== undefined) this.#dial(picked);
      else if (dials < this.pool.options.tuning.retries) this.#restBeforeSame(dials + 1);
      else this.end("dial_failed");
    });
  }

  #rest(ms: number, then: () => void): void {
    const search = this.#mustSearch();
    search.cancel = this.#tools.engine.later(ms, () => {
      search.cancel = undefined;
      this.#guard(then);
    });
  }

  #dial(backend: Backend): void {
    const search = this.#mustSearch();
    const { dialTimeoutMs } = this.pool.options.tuning;
    this.phase = "dialling";
    search.dialBegins(backend, this.#tools.clock.exactMs(), dialTimeoutMs, this.attempts++ === 0);
    const { address, otherAddresses = [] } = backend;
    search.cancel = this.#tools.engine.dial([address, ...otherAddresses], this, this.pool.nextSource);
  }

  /** The backend was reached: relays. */
  connected(socket: Socket): void {
    const { picked, lastDialMs } = this.#mustSearch();
    const nowMs = this.#endDial();
    this.dialMs = nowMs - lastDialMs;
    this.activity.lastActiveMs = nowMs;
    this.backend = picked;
    this.backendSocket = socket;
    this.#search = undefined;
    this.phase = "relaying";
    this.#tools.engine.relay(this.client, socket, this);
  }

  /** No byte has been relayed yet, so another backend may be tried. */
  dialFailed(error: unknown): void {
    const address = this.#mustSearch().picked?.address;
    const shortage = shortageOf(error, address);
    if (shortage !== undefined && this.#waitForMeans(error, shortage)) return;
    this.#tryNext(describeDialFault(error, address), shortage === undefined);
  }

  #tryNext(failure: string, isBackends: boolean): void {
    const search = this.#mustSearch();
    const { picked } = search;
    if (picked === undefined) return;
    this.#endDial();
    (this.failedDials ??= []).push({ backend: picked, failure, isBackends });
    if (isBackends) this.pool.failed(picked);
    search.picked = undefined;
    this.pool.release(picked);
    search.tried.push(picked);
    this.#pick();
  }

  /**
   * This machine lacked something for a dial. A session that was let in is not lost for want of a descriptor: it dials again as soon
   * as there is one. A local port is not missing towards another backend; if there is none, the session waits for it for as long as
   * a dial may take.
   *
   * @return Whether the last backend is dialled again, after a wait. The slot at it stays taken.
   */
  #waitForMeans(error: unknown, what: string): boolean {
    const search = this.#mustSearch();
    const { picked } = search;
    if (picked === undefined) return false;
    if (search.shortSinceMs === undefined) this.#tools.onShortage(this, picked, what);
    search.shortSinceMs ??= this.#tools.clock.exactMs();
    const again = (): void => this.#dial(picked);
    if (isDescriptorShortage(error)) {
      this.#postponeDial();
      search.cancel = this.#tools.engine.whenDescriptor(() => this.#guard(again));
      return true;
    }
    const { retries, dialTimeoutMs } = this.pool.options.tuning;
    const waitedMs = this.#tools.clock.exactMs() - search.shortSinceMs;
    const hasOther = search.tried.length < retries && this.pool.hasOther([...search.tried, picked]);
    const restMs = hasOther ? undefined : shortageRestMs(waitedMs, dialTimeoutMs);
    if (restMs === undefined) return false;
    this.#postponeDial();
    this.#rest(restMs, again);
    return true;
  }

  /** The dial could not even begin, and does not count. */
  #postponeDial(): void {
    this.attempts--;
    this.#endDial();
  }

  writesPending(change: 1 | -1): void {
    this.activity.pendingWrites += change;
  }

  moved(direction: Direction, bytes: number): void {
    const { activity, backend } = this;
    if (direction === "out" && activity.bytesOut === 0 && backend !== undefined) this.pool.answered(backend);
    activity.moved(direction, bytes);
  }

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
    if (this.activity.bytesOut === 0 && this.backend !== undefined) this.pool.failed(this.backend);
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
      if (nowMs >= this.activity.nextLookMs) {
        const left = (this.client.unacknowledged ?? 0) + (this.backendSocket?.unacknowledged ?? 0);
        this.activity.lookedAt(left, nowMs, this.listener.limits.idleTimeoutMs);
      }
      if (!this.#hasKeepalive && this.phase === "relaying") this.#keepAlive();
      if (this.#search !== undefined && nowMs >= this.#search.deadlineMs) {
        this.#search.cancel?.();
        this.#tryNext("timed out", true);
      }
      const reason = overdue(this.activity, this.listener.limits, nowMs);
      if (reason !== undefined) this.end(reason);
    } catch (fault) {
      this.fault(fault);
    }
  }

  /** With the first tick: a short session needs no signs of life, and each option is a system call. */
  #keepAlive(): void {
    this.#hasKeepalive = true;
    const { keepalive } = this.listener;
    if (keepalive.idleMs === 0) return;
    for (const socket of [this.client, this.backendSocket]) socket?.keepAlive(keepalive);
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
    // A relay has to come to its end first.
    if (isRelaying) return;
    this.#abandonSearch();
    this.#over();
  }

  /** A session that ends early does not look like one that has come to its end. The side that reset is not reset back. */
  #cut(): void {
    if (this.#endReason !== "client_reset") this.client.reset();
    if (this.#endReason !== "backend_reset") this.backendSocket?.reset();
  }

  #abandonSearch(): void {
    const search = this.#search;
    if (search === undefined) return;
    search.cancel?.();
    const { picked } = search;
    if (picked === undefined) return;
    this.#endDial();
    (this.failedDials ??= []).push({ backend: picked, failure: "the session ended", isBackends: false });
    this.pool.release(picked);
  }

  #over(): void {
    this.#search = undefined;
    if (this.backend !== undefined) this.pool.release(this.backend);
    this.leave();
    this.#tools.onOver(this);
  }

  /** Gives the time, which is read once for all that want it. */
  #endDial(): number {
    const nowMs = this.#tools.clock.exactMs();
    this.diallingMs = this.#mustSearch().dialEnds(nowMs);
    return nowMs;
  }

  #mustSearch(): Search {
    if (this.#search === undefined) {
      throw new TypeError("Cannot look for a backend: the session has one, or has ended");
    }
    return this.#search;
  }

  /** What the engine does not guard itself would end the thread. Events of each session have their own `try`: no closure. */
  #guard(event: () => void): void {
    try {
      event();
    } catch (fault) {
      this.fault(fault);
    }
  }
}

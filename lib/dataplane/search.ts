/**
 * How a session comes to a backend: picks one, waits in line where none is free, dials, and tries again elsewhere. It is over when a
 * backend is connected, when there is none to be had, or when the session ends.
 *
 * Pick and slot are one step; the slot is given back when the dial fails.
 */

import type { CoarseClock } from "../core/coarse_clock.ts";
import type { ClientSocket, DialEvents, Engine, Socket } from "../engine/contract.ts";
import { describeDialFault, isDescriptorShortage, shortageOf } from "../engine/dial_fault.ts";
import { type Backend, hostOf } from "../pool/backend.ts";
import type { Pool } from "../pool/pool.ts";
import type { QueueOutcome } from "../pool/queue.ts";
import type { Phase } from "./phase.ts";
import type { EndReason } from "./record.ts";
import { restBeforeSameMs, shortageRestMs } from "./rests.ts";
import { TlsDial, TlsDialFailure } from "./tls_dial.ts";
import type { TlsEnds } from "./tls_ends.ts";

/** An attempt to reach a backend, and why it failed, in a few plain words. */
export interface FailedDial {
  readonly backend: Backend;
  readonly failure: string;
  /** Whether it is the backend's fault, and not a lack of something on this machine. */
  readonly isBackends: boolean;
}

/** The session for which a backend is searched, and what the search notes in it: a search is forgotten when it is over. */
export interface Seeker {
  readonly client: ClientSocket;
  phase: Phase;
  /** Backends dialled. */
  attempts: number;
  failedDials: FailedDial[] | undefined;
  /** In line, in ms; undefined when it did not wait. */
  queuedMs: number | undefined;
  /** The dial that reached the backend, alone, in ms; 0 when none did. */
  dialMs: number;
  /** All dials together, with what lay between them, in ms. */
  diallingMs: number;
  /** A backend is connected: gives it what it is sent first. */
  introduce(socket: Socket): void;
  /** A backend is reached. Its slot and the socket are the session's from here on. */
  found(backend: Backend, socket: Socket, nowMs: number): void;
  /** There is no backend to be had. */
  end(reason: EndReason): void;
  /** A dial failed for want of something of this machine, in plain words; told once a search. */
  shortOf(backend: Backend, what: string): void;
  clientGone(): void;
  fault(fault: unknown): void;
}

/** What searches of one worker share. */
export interface SearchTools {
  readonly engine: Engine;
  readonly clock: CoarseClock;
  readonly tls: Pick<TlsEnds, "ofPool">;
}

export class Search implements DialEvents {
  readonly #seeker: Seeker;
  readonly #pool: Pool;
  readonly #tools: SearchTools;
  /** What `maglev` picks by; 0 for the other algorithms. */
  readonly #key: number;
  /** Backends that were dialled without success. */
  readonly #tried: Backend[] = [];
  /** The backend at which it has a slot. */
  #picked: Backend | undefined;
  #firstDialMs = 0;
  #lastDialMs = 0;
  /** The dial that is under way, where TLS is a part of it. */
  #tlsDial: TlsDial | undefined;
  /** When the dial that is under way has taken too long. */
  #deadlineMs = Infinity;
  /** Since when this machine lacks something for a dial. */
  #shortSinceMs: number | undefined;
  /** Ends what is under way: a dial, a rest, or the wait in line. */
  #cancel: (() => void) | undefined;

  constructor(seeker: Seeker, pool: Pool, tools: SearchTools, key: number) {
    this.#seeker = seeker;
    this.#pool = pool;
    this.#tools = tools;
    this.#key = key;
  }

  /** Picks a backend; where none is free, waits for one, if there is something to wait for. */
  pick(): void {
    const pool = this.#pool;
    const tried = this.#tried;
    if (tried.length > pool.options.tuning.retries) return this.#seeker.end("dial_failed");
    // A session that comes for the first time gets in line behind those that wait.
    const mayPass = tried.length > 0 || pool.queue === undefined || pool.queue.isEmpty;
    const picked = mayPass ? pool.take(tried, this.#key) : undefined;
    if (picked !== undefined) this.#dial(picked);
    else if (tried.length > 0 && !pool.hasOther(tried)) this.#restBeforeSame(tried.length);
    else this.#queue();
  }

  #queue(): void {
    const seeker = this.#seeker;
    const { queue } = this.#pool;
    if (queue === undefined || !this.#pool.hasOther(this.#tried)) return this.#unserved("no_backend");
    const joinedMs = this.#tools.clock.exactMs();
    const queued = queue.join(this.#tried, this.#key, joinedMs);
    if (queued === undefined) return this.#unserved("queue_full");
    seeker.phase = "queued";
    this.#cancel = () => {
      seeker.queuedMs = (seeker.queuedMs ?? 0) + this.#tools.clock.exactMs() - joinedMs;
      this.#cancel = undefined;
      queue.leave(queued);
    };
    void queued.outcome.then((outcome) => this.#guard(() => this.#waited(outcome)));
    seeker.client.hasEnded(() => seeker.phase === "queued").then(
      (hasEnded) => hasEnded && this.#guard(() => queue.halfClosed(queued)),
      () => seeker.clientGone(),
    );
  }

  /** The wait in line is over: with a slot at a backend, or without one. */
  #waited(how: QueueOutcome): void {
    const seeker = this.#seeker;
    // It left just when its turn came. Its end has a reason already.
    if (seeker.phase !== "queued") return typeof how === "object" ? this.#pool.release(how) : undefined;
    this.#cancel?.();
    seeker.phase = "routed";
    if (typeof how === "object") this.#dial(how);
    else this.#unserved(how ?? "internal_error");
  }

  #unserved(reason: EndReason): void {
    this.#seeker.end(this.#tried.length > 0 ? "dial_failed" : reason);
  }

  /**
   * All backends have been tried: after a pause the same may be dialled again, as one that restarts. The session holds no slot
   * meanwhile, and takes another backend if one has come by then.
   */
  #restBeforeSame(dials: number): void {
    const pool = this.#pool;
    this.#seeker.phase = "routed";
    this.#rest(restBeforeSameMs(dials), () => {
      const picked = pool.take(this.#tried, this.#key) ?? pool.take([], this.#key);
      if (picked !== undefined) this.#dial(picked);
      else if (dials < pool.options.tuning.retries) this.#restBeforeSame(dials + 1);
      else this.#seeker.end("dial_failed");
    });
  }

  #rest(ms: number, then: () => void): void {
    this.#cancel = this.#tools.engine.later(ms, () => {
      this.#cancel = undefined;
      this.#guard(then);
    });
  }

  #dial(backend: Backend): void {
    const seeker = this.#seeker;
    const { dialTimeoutMs } = this.#pool.options.tuning;
    const nowMs = this.#tools.clock.exactMs();
    seeker.phase = "dialling";
    this.#picked = backend;
    this.#lastDialMs = nowMs;
    if (seeker.attempts++ === 0) this.#firstDialMs = nowMs;
    this.#deadlineMs = dialTimeoutMs === 0 ? Infinity : nowMs + dialTimeoutMs;
    this.#cancel = this.#pool.options.tls === undefined ? this.#dialFor(this) : this.#dialWithTls(backend);
  }

  #dialFor(on: DialEvents): () => void {
    const { address, otherAddresses = [] } = this.#mustPicked();
    return this.#tools.engine.dial([address, ...otherAddresses], on, this.#pool.nextSource);
  }

  #dialWithTls(backend: Backend): () => void {
    const dial = new TlsDial({
      tls: this.#tools.tls.ofPool(this.#pool.name),
      host: hostOf(backend),
      introduce: (socket) => this.#seeker.introduce(socket),
    }, this);
    this.#tlsDial = dial;
    const cancel = this.#dialFor(dial);
    return () => {
      cancel();
      dial.giveUp();
    };
  }

  connected(socket: Socket): void {
    const picked = this.#mustPicked();
    if (this.#pool.options.tls === undefined) this.#seeker.introduce(socket);
    const nowMs = this.#endDial();
    this.#seeker.dialMs = nowMs - this.#lastDialMs;
    this.#picked = undefined;
    this.#seeker.found(picked, socket, nowMs);
  }

  /** No byte has been relayed yet, so another backend may be tried. */
  dialFailed(error: unknown): void {
    const { address } = this.#mustPicked();
    const shortage = shortageOf(error, address);
    if (shortage !== undefined && this.#waitForMeans(error, shortage)) return;
    const failure = error instanceof TlsDialFailure ? error.message : describeDialFault(error, address);
    this.#tryNext(failure, shortage === undefined);
  }

  fault(fault: unknown): void {
    this.#seeker.fault(fault);
  }

  /** Gives a dial up that has taken too long, and tries the next. */
  onTick(nowMs: number): void {
    if (nowMs < this.#deadlineMs) return;
    const failure = this.#tlsDial?.isOpening === true ? "TLS: timed out" : "timed out";
    this.#cancel?.();
    this.#tryNext(failure, true);
  }

  #tryNext(failure: string, isBackends: boolean): void {
    const picked = this.#mustPicked();
    this.#giveUp({ backend: picked, failure, isBackends });
    this.#tried.push(picked);
    this.pick();
  }

  /** The session has ended: ends what is under way, and gives the slot back. */
  abandon(): void {
    this.#cancel?.();
    const backend = this.#picked;
    if (backend !== undefined) this.#giveUp({ backend, failure: "the session ended", isBackends: false });
  }

  #giveUp(failed: FailedDial): void {
    const pool = this.#pool;
    this.#endDial();
    this.#picked = undefined;
    (this.#seeker.failedDials ??= []).push(failed);
    if (failed.isBackends) pool.failed(failed.backend);
    pool.release(failed.backend);
  }

  /**
   * This machine lacked something for a dial. A session that was let in is not lost for want of a descriptor: it dials again as soon
   * as there is one. A local port is not missing towards another backend; if there is none, the session waits for it for as long as
   * a dial may take.
   *
   * @return Whether the last backend is dialled again, after a wait. The slot at it stays taken.
   */
  #waitForMeans(error: unknown, what: string): boolean {
    const seeker = this.#seeker;
    const picked = this.#mustPicked();
    if (this.#shortSinceMs === undefined) seeker.shortOf(picked, what);
    this.#shortSinceMs ??= this.#tools.clock.exactMs();
    const again = (): void => this.#dial(picked);
    if (isDescriptorShortage(error)) {
      this.#postponeDial();
      this.#cancel = this.#tools.engine.whenDescriptor(() => this.#guard(again));
      return true;
    }
    const { retries, dialTimeoutMs } = this.#pool.options.tuning;
    const waitedMs = this.#tools.clock.exactMs() - this.#shortSinceMs;
    const hasOther = this.#tried.length < retries && this.#pool.hasOther([...this.#tried, picked]);
    const restMs = hasOther ? undefined : shortageRestMs(waitedMs, dialTimeoutMs);
    if (restMs === undefined) return false;
    this.#postponeDial();
    this.#rest(restMs, again);
    return true;
  }

  /** The dial could not even begin, and does not count. */
  #postponeDial(): void {
    this.#seeker.attempts--;
    this.#endDial();
  }

  /** @return The time, which is read once for all that want it. */
  #endDial(): number {
    const nowMs = this.#tools.clock.exactMs();
    this.#cancel = undefined;
    this.#tlsDial = undefined;
    this.#deadlineMs = Infinity;
    this.#seeker.diallingMs = nowMs - this.#firstDialMs;
    return nowMs;
  }

  #mustPicked(): Backend {
    if (this.#picked === undefined) throw new TypeError("Cannot tell of a dial: none is under way");
    return this.#picked;
  }

  /** What the engine does not guard itself would end the thread. */
  #guard(event: () => void): void {
    try {
      event();
    } catch (fault) {
      this.#seeker.fault(fault);
    }
  }
}

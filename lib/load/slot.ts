import { reasonOf } from "../core/errors.ts";
import { describeDialFault } from "../engine/dial_fault.ts";
import { writeClientHeader } from "../wire/write_proxy_header.ts";
import { type ErrorKind, kindOf } from "./error_kind.ts";
import type { Figures } from "./figures.ts";
import type { DialResult, Driver, Link, LinkEvents } from "./link.ts";
import type { LoadPlan } from "./plan.ts";
import { CORRUPT, type Replies } from "./replies.ts";
import { repliesOf, type ReplyContext } from "./reply_readers.ts";

/** A connection whose requests end when they are sent sends so many at a time; then others have their turn. */
const MAX_SENDS = 16;

/** There is no request to begin now. */
export const NONE = -1;

/** The load of which a slot is a part. */
export interface LoadOfSlots {
  readonly plan: LoadPlan;
  readonly figures: Figures;
  readonly driver: Driver;
  readonly replyContext: ReplyContext;
  readonly now: () => number;
  /** Connections that are open. */
  open: number;
  /**
   * Begins a request.
   *
   * @return When it begins, or was meant to; {@linkcode NONE} when there is none now.
   */
  next(nowMs: number): number;
  /** Whether no more requests begin. */
  isOver(nowMs: number): boolean;
  /** The slot is told when it can begin one more request. */
  park(slot: Slot): void;
  /** Lets the slot begin again after a moment: a peer that refuses is not to be flooded. */
  retry(slot: Slot): void;
  /** A slot is used no more. */
  slotDone(): void;
}

/**
 * One of the connections of a load: dialled, used, and dialled again when it was lost, or when each request has one of its own.
 *
 * `waiting`: not dialled, until there is a request or another try. `done`: used no more.
 */
export class Slot implements DialResult, LinkEvents {
  readonly #load: LoadOfSlots;
  readonly #number: number;
  /** When the requests that wait for replies began: a ring, from the oldest on. */
  readonly #began: Float64Array;
  #oldest = 0;
  #inFlight = 0;
  #state: "waiting" | "dialling" | "open" | "done" = "waiting";
  #link: Link | undefined;
  #cancelDial: () => void = () => {};
  #replies: Replies | undefined;
  /** Requests that were sent on the connection. */
  #sent = 0;
  /** When the request that is dialled for began; NONE when there is none. */
  #awaited = NONE;
  /** When it was dialled, or something has moved. */
  #movedMs = 0;
  /** What the system had not taken at the last look. */
  #leftBytes = 0;
  #isParked = false;

  /** @param number Among all connections of the run. */
  constructor(load: LoadOfSlots, number: number) {
    this.#load = load;
    this.#number = number;
    this.#began = new Float64Array(load.plan.newConnection ? 1 : load.plan.pipeline);
  }

  /** Dials, if there is something to dial for. */
  begin(): void {
    // A slot that was to try again later may have been resumed before that.
    if (this.#state !== "waiting") return;
    const { plan } = this.#load;
    const nowMs = this.#load.now();
    if (plan.newConnection) {
      this.#awaited = this.#load.next(nowMs);
      if (this.#awaited === NONE) return this.#rest(nowMs);
    } else if (!plan.hold && this.#load.isOver(nowMs)) return this.#finish();
    this.#state = "dialling";
    this.#movedMs = nowMs;
    this.#cancelDial = this.#load.driver.dial(this);
  }

  /** There is a request to begin. */
  resume(): void {
    this.#isParked = false;
    if (this.#state === "waiting") this.begin();
    else if (this.#state === "open") this.#fill(this.#load.now());
  }

  /** No more requests begin. */
  endWhenIdle(): void {
    if (this.#state === "waiting" || (this.#state === "open" && this.#inFlight === 0)) return this.#finish();
    // A connection that no request waits for.
    if (this.#state === "dialling" && this.#awaited === NONE) this.#finish();
  }

  /** What is under way is not counted. */
  giveUp(): void {
    if (this.#state !== "done") this.#finish();
  }

  lookForTimeout(nowMs: number): void {
    const { timeoutMs } = this.#load.plan;
    const { unsentBytes } = this;
    // A link tells only when all of a request was taken, and a large one takes its time.
    if (this.#state === "open" && unsentBytes < this.#leftBytes) this.#movedMs = nowMs;
    this.#leftBytes = unsentBytes;
    if (nowMs - this.#movedMs < timeoutMs) return;
    if (this.#state === "dialling") {
      this.#cancelDial();
      this.#dialFailed("timed_out");
    } else if (this.#state === "open" && this.#inFlight > 0) this.#fail("timed_out");
  }

  /** Bytes of its requests that are counted as sent, and that the system has not taken yet. */
  get unsentBytes(): number {
    return this.#inFlight > 0 ? this.#link?.unsentBytes ?? 0 : 0;
  }

  connected(link: Link): void {
    const { plan, figures, replyContext } = this.#load;
    const nowMs = this.#load.now();
    figures.connects.add(nowMs - this.#movedMs);
    this.#load.open++;
    this.#state = "open";
    this.#link = link;
    this.#sent = 0;
    this.#replies = repliesOf(replyContext, this.#number);
    // With TLS its driver has sent it, before that was opened.
    const isPrefaced = plan.proxyProtocol !== undefined && plan.tls === undefined;
    link.begin(this, isPrefaced ? writeClientHeader(plan.proxyProtocol, link) : undefined);
    if (plan.hold) return;
    if (!plan.newConnection) return this.#fill(nowMs);
    const began = plan.rate === 0 ? nowMs : this.#awaited;
    this.#awaited = NONE;
    this.#send(began, nowMs);
    if (plan.expect.kind === "eof") link.endSending();
    if (this.#isOverWhenSent && link.isClear) this.#replied(1, this.#load.now());
  }

  failed(error: unknown): void {
    this.#dialFailed(kindOf(error), describeDialFault(error));
  }

  received(bytes: Uint8Array<ArrayBuffer>, length: number): void {
    const nowMs = this.#load.now();
    this.#movedMs = nowMs;
    this.#load.figures.receivedBytes += length;
    if (this.#load.plan.hold || this.#replies === undefined) return;
    const ended = this.#replies.read(bytes, length, this.#sent);
    if (ended === CORRUPT) return this.#fail("corrupt");
    if (ended > 0) this.#replied(ended, nowMs);
  }

  drained(): void {
    const nowMs = this.#load.now();
    this.#movedMs = nowMs;
    if (this.#isOverWhenSent && this.#inFlight > 0) this.#replied(1, nowMs);
  }

  ended(): void {
    if (this.#load.plan.hold) return this.#fail("short");
    if (this.#inFlight === 0 || this.#replies?.end() !== true) return this.#fail("short");
    this.#count(this.#load.now());
    if (this.#inFlight > 0) return this.#fail("short");
    this.#close();
    this.begin();
  }

  lost(error: unknown): void {
    this.#fail(
      error === undefined ? "reset" : kindOf(error),
      error === undefined ? undefined : reasonOf(error),
    );
  }

  /** Sends what there is to send. */
  #fill(nowMs: number): void {
    if (this.#isOverWhenSent) return this.#pour(nowMs);
    while (this.#inFlight < this.#began.length) {
      const began = this.#load.next(nowMs);
      if (began === NONE) return this.#rest(nowMs);
      this.#send(began, nowMs);
    }
  }

  /** As {@linkcode #fill}, where no reply is waited for. */
  #pour(nowMs: number): void {
    for (let sends = 0; sends < MAX_SENDS; sends++) {
      const began = this.#load.next(nowMs);
      if (began === NONE) return this.#rest(nowMs);
      this.#send(began, nowMs);
      if (this.#link?.isClear !== true) return;
      nowMs = this.#load.now();
      this.#count(nowMs);
    }
    this.#load.driver.soon(() => {
      if (this.#state === "open" && this.#inFlight === 0) this.#pour(this.#load.now());
    });
  }

  #send(began: number, nowMs: number): void {
    const { requests } = this.#load.replyContext;
    if (this.#inFlight === 0) this.#movedMs = nowMs;
    this.#began[(this.#oldest + this.#inFlight) % this.#began.length] = began;
    this.#inFlight++;
    this.#load.figures.sentBytes += requests.bytes;
    this.#link?.send(requests.of(this.#number, this.#sent++));
  }

  /** So many of the oldest requests have their replies. */
  #replied(replies: number, nowMs: number): void {
    for (let i = 0; i < replies; i++) this.#count(nowMs);
    if (!this.#load.plan.newConnection && this.#replies?.isLast !== true) return this.#fill(nowMs);
    if (this.#inFlight > 0) return this.#fail("short");
    this.#close();
    this.begin();
  }

  #count(nowMs: number): void {
    const { figures } = this.#load;
    figures.requests++;
    figures.latencies.add(nowMs - (this.#began[this.#oldest] as number));
    this.#oldest = (this.#oldest + 1) % this.#began.length;
    this.#inFlight--;
  }

  /** There is nothing to begin: now, or any more. */
  #rest(nowMs: number): void {
    if (!this.#load.isOver(nowMs)) {
      if (this.#isParked) return;
      this.#isParked = true;
      this.#load.park(this);
    } else if (this.#inFlight === 0) this.#finish();
  }

  /** The connection is of no more use; what waits for replies has none. */
  #fail(kind: ErrorKind, reason?: string): void {
    const { plan, figures } = this.#load;
    const lost = this.#inFlight;
    const isOver = this.#load.isOver(this.#load.now());
    // Bytes that were not asked for, and a connection that is held, belong to no request.
    figures.failed(kind, kind === "corrupt" || plan.hold ? Math.max(1, lost) : lost, reason);
    this.#close();
    if (plan.hold || (lost === 0 && isOver)) this.#finish();
    // A peer that ends connections that nothing is asked of, or refuses datagrams, is not to be flooded.
    else if (!isOver && (lost === 0 || kind === "refused")) this.#load.retry(this);
    else this.begin();
  }

  #dialFailed(kind: ErrorKind, reason?: string): void {
    const { plan, figures } = this.#load;
    if (this.#awaited === NONE && !plan.hold) this.#awaited = this.#load.next(this.#load.now());
    if (this.#awaited !== NONE || plan.hold) figures.failed(kind, 1, reason);
    this.#awaited = NONE;
    this.#state = "waiting";
    if (plan.hold || this.#load.isOver(this.#load.now())) this.#finish();
    else this.#load.retry(this);
  }

  #close(): void {
    if (this.#state === "dialling") this.#cancelDial();
    if (this.#state === "open") this.#load.open--;
    this.#load.figures.sentBytes -= this.unsentBytes;
    this.#link?.close();
    this.#link = undefined;
    this.#inFlight = 0;
    this.#state = "waiting";
  }

  #finish(): void {
    this.#close();
    this.#state = "done";
    this.#load.slotDone();
  }

  get #isOverWhenSent(): boolean {
    const { expect } = this.#load.plan;
    return expect.kind === "bytes" && expect.bytes === 0;
  }
}

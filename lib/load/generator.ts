import { type Counted, Figures } from "./figures.ts";
import type { Driver, MakeDriver } from "./link.ts";
import { countOf, type LoadPlan, type Share } from "./plan.ts";
import type { ReplyContext } from "./reply_readers.ts";
import { requestsOf } from "./request.ts";
import { beginningMs, openingMs } from "./schedule.ts";
import { type LoadOfSlots, NONE, Slot } from "./slot.ts";

/** Between two looks for connections on which nothing moves. */
const TIMEOUT_LOOK_MS = 50;

/** Before a dial after one that has failed. */
const RETRY_MS = 10;

const SECOND_MS = 1_000;

export interface GeneratorOptions {
  readonly plan: LoadPlan;
  readonly share: Share;
  readonly makeDriver: MakeDriver;
  /** Called at the end of each second of the run, numbered from 0. */
  readonly onSecond: (second: number) => void;
  /** Called once: the run is over, and its connections are closed. */
  readonly onDone: () => void;
  /** Milliseconds that only go forward. */
  readonly now?: () => number;
}

/** The load of one thread: opens its connections, and gives each its requests when it is time. */
export class Generator implements LoadOfSlots {
  readonly plan: LoadPlan;
  readonly figures = new Figures();
  readonly driver: Driver;
  readonly replyContext: ReplyContext;
  readonly now: () => number;
  open = 0;
  readonly #options: GeneratorOptions;
  readonly #slots: Slot[] = [];
  /** How many slots are wanted in all, and how many are not done. */
  readonly #slotCount: number;
  #alive = 0;
  /** Requests of this thread: how many may begin, how many have, and how many were due. */
  readonly #requests: number;
  #begun = 0;
  #due = 0;
  /** Slots that could begin a request, in the order in which they became free. */
  #parked: Slot[] = [];
  /** Slots that dial again, in order of time. */
  readonly #retries: { readonly atMs: number; readonly slot: Slot }[] = [];
  #startMs = 0;
  #endMs = Infinity;
  /** When nothing is waited for any longer. */
  #deadlineMs = Infinity;
  #seconds = 0;
  /** When it was last told what was counted. */
  #unsentBytes = 0;
  #armedMs = Infinity;
  #endTicking: () => void = () => {};
  #state: "running" | "ending" | "done" = "running";

  constructor(options: GeneratorOptions) {
    const { plan, share, makeDriver, now = () => performance.now() } = options;
    this.#options = options;
    this.plan = plan;
    this.now = now;
    this.#requests = countOf(plan.requests, share);
    const slots = countOf(plan.connections, share);
    this.#slotCount = plan.hold ? slots : Math.min(slots, this.#requests);
    const requests = requestsOf(plan);
    this.replyContext = { plan, requests, onName: (name) => this.figures.named(name) };
    this.driver = makeDriver(() => this.#onAlarm());
  }

  /** @param startMs When the run begins, by the clock of `now`. */
  start(startMs: number): void {
    this.#startMs = startMs;
    this.#endMs = startMs + this.plan.durationMs;
    this.#deadlineMs = this.#endMs + this.plan.timeoutMs;
    this.#endTicking = this.driver.every(TIMEOUT_LOOK_MS, () => this.#lookForTimeouts());
    this.#onAlarm();
    if (this.#slotCount === 0) this.#finish();
  }

  /** Ends at once: what is under way is given up, and not counted. */
  stop(): void {
    this.#countDue(this.now());
    for (const slot of this.#slots) slot.giveUp();
    this.#finish();
  }

  /** Gives what was counted since the last time, with the bytes that the system has taken. */
  take(): Counted {
    const unsentBytes = this.#slots.reduce((sum, slot) => sum + slot.unsentBytes, 0);
    const counted = this.figures.take();
    const sentBytes = counted.sentBytes + this.#unsentBytes - unsentBytes;
    this.#unsentBytes = unsentBytes;
    return { ...counted, sentBytes };
  }

  /** Requests whose time had come and that no connection was free for, up to the end of the run. */
  get unsent(): number {
    return this.plan.rate === 0 ? 0 : this.#due - this.#begun;
  }

  next(nowMs: number): number {
    if (this.isOver(nowMs)) return NONE;
    if (this.plan.rate > 0) {
      this.#countDue(nowMs);
      if (this.#begun >= this.#due) return NONE;
    }
    const beginsMs = this.plan.rate > 0 ? this.#beginsAt(this.#begun) : nowMs;
    this.#begun++;
    // Connections that no request waits for are then given up.
    if (this.isOver(nowMs)) this.#arm(nowMs);
    return beginsMs;
  }

  isOver(nowMs: number): boolean {
    if (this.#begun >= this.#requests || nowMs >= this.#deadlineMs) return true;
    if (nowMs < this.#endMs) return false;
    // What was due before the end of an open loop is still sent: a stall at the end would not show otherwise.
    this.#countDue(nowMs);
    return this.#begun >= this.#due;
  }

  park(slot: Slot): void {
    this.#parked.push(slot);
  }

  retry(slot: Slot): void {
    const atMs = this.now() + RETRY_MS;
    this.#retries.push({ atMs, slot });
    this.#arm(atMs);
  }

  slotDone(): void {
    if (--this.#alive > 0) return;
    if (this.#slots.length === this.#slotCount || this.isOver(this.now())) this.#finish();
  }

  #beginsAt(n: number): number {
    const { index, of } = this.#options.share;
    return this.#startMs + beginningMs(index + n * of, this.plan.rate, this.plan.rampMs);
  }

  #opensAt(k: number): number {
    const { index, of } = this.#options.share;
    return this.#startMs + openingMs(index + k * of, this.plan.connections, this.plan.rampMs);
  }

  #onAlarm(): void {
    if (this.#state !== "running") return;
    this.#armedMs = Infinity;
    const nowMs = this.now();
    for (; this.#secondEnds <= nowMs; this.#seconds++) this.#options.onSecond(this.#seconds);
    this.#openSlots(nowMs);
    this.#retrySlots(nowMs);
    const nextBeginningMs = this.#beginDue(nowMs);
    if (this.isOver(nowMs)) return this.#end();
    this.#arm(Math.min(nextBeginningMs, this.#secondEnds, this.#retries[0]?.atMs ?? Infinity));
    if (nowMs < this.#endMs) this.#arm(this.#endMs);
    if (this.#slots.length < this.#slotCount) this.#arm(this.#opensAt(this.#slots.length));
  }

  get #secondEnds(): number {
    return this.#startMs + (this.#seconds + 1) * SECOND_MS;
  }

  #openSlots(nowMs: number): void {
    while (this.#slots.length < this.#slotCount && this.#opensAt(this.#slots.length) <= nowMs) {
      const { index, of } = this.#options.share;
      const slot = new Slot(this, index + this.#slots.length * of);
      this.#slots.push(slot);
      this.#alive++;
      slot.begin();
    }
  }

  #retrySlots(nowMs: number): void {
    for (let first = this.#retries[0]; first !== undefined && first.atMs <= nowMs; first = this.#retries[0]) {
      this.#retries.shift();
      first.slot.begin();
    }
  }

  /** @return When the next request of an open loop is due; Infinity when no more are. */
  #beginDue(nowMs: number): number {
    if (this.plan.rate === 0) return Infinity;
    this.#countDue(nowMs);
    const free = this.#parked;
    let used = 0;
    while (used < free.length && this.#begun < this.#due) free[used++]?.resume();
    // Slots that are free again have come after these.
    this.#parked = this.#parked.slice(used);
    return this.#due < this.#requests && nowMs < this.#endMs ? this.#beginsAt(this.#due) : Infinity;
  }

  #countDue(nowMs: number): void {
    if (this.plan.rate === 0) return;
    for (; this.#due < this.#requests; this.#due++) {
      const beginsMs = this.#beginsAt(this.#due);
      if (beginsMs > nowMs || beginsMs >= this.#endMs) return;
    }
  }

  #arm(atMs: number): void {
    if (atMs >= this.#armedMs) return;
    this.#armedMs = atMs;
    this.driver.setAlarm(atMs - this.now());
  }

  /** No more requests begin; those that wait for replies may have them. */
  #end(): void {
    if (this.#state !== "running") return;
    this.#state = "ending";
    this.#retries.length = 0;
    if (this.#alive === 0) return this.#finish();
    for (const slot of [...this.#slots]) slot.endWhenIdle();
  }

  #lookForTimeouts(): void {
    const nowMs = this.now();
    // Other alarms are not set while the last replies are waited for.
    if (this.#state === "ending") {
      for (; this.#secondEnds <= nowMs; this.#seconds++) this.#options.onSecond(this.#seconds);
    }
    // Something may always move: a reply that comes in crumbs is late as well.
    const atMs = nowMs >= this.#deadlineMs ? Infinity : nowMs;
    for (const slot of this.#slots) slot.lookForTimeout(atMs);
    if (atMs === Infinity) this.#end();
  }

  #finish(): void {
    if (this.#state === "done") return;
    this.#state = "done";
    this.#endTicking();
    this.#options.onDone();
  }
}

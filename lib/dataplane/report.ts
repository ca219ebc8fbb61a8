/** What a worker reports to the control plane: records and sums of its sessions, and what it runs short of. */

import { TICK_MS } from "../core/coarse_clock.ts";
import { formatAddress } from "../core/address.ts";
import { reasonOf } from "../core/errors.ts";
import type { Backend } from "../pool/backend.ts";
import { Accounts } from "./accounts.ts";
import type { FromWorker } from "./messages.ts";
import { DenialCounts } from "./denials.ts";
import { FlowSums } from "./flow_sums.ts";
import { isDenial, isRecorded, isTurnedAway, type RecordedSessions, type SessionRecord } from "./record.ts";
import type { Session } from "./session.ts";
import { recordOf } from "./session_facts.ts";

export interface ReportOptions {
  readonly recordSessions: RecordedSessions;
  /** Whether the control plane wants to know what sessions add up to. */
  readonly tallySessions: boolean;
  /** Sends a message to the control plane. */
  readonly tell: (message: FromWorker) => void;
}

/** Records go in batches: one a tick, or as soon as there are this many. */
const MAX_RECORD_BATCH = 512;

/** Dials that fail for want of something of our own are told so often. */
const TELL_AGAIN_MS = 10_000;

/** How often the control plane learns what sessions add up to. */
const TALLY_MS = 250;

export class Report {
  readonly #options: ReportOptions;
  readonly #accounts: Accounts | undefined;
  readonly #denials = new DenialCounts();
  readonly #flowSums = new FlowSums();
  #records: SessionRecord[] = [];
  #lastTickMs = performance.now();
  #nextTallyMs = 0;
  #maxLagMs = 0;
  #hasWantedFiles = false;
  #shortDials = 0;
  #nextShortageMs = -Infinity;

  constructor(options: ReportOptions) {
    this.#options = options;
    this.#accounts = options.tallySessions ? new Accounts() : undefined;
  }

  /** Counts the bytes of an active session; called every tick. */
  countActive(session: Session): void {
    this.#accounts?.countBytes(session);
  }

  /** A session is over. */
  over(session: Session): void {
    this.#accounts?.countSession(session);
    const { endReason } = session;
    if (isTurnedAway(endReason)) this.#denials.add(session.listener.name, endReason, session.source);
    // A record of each would be the attack's success.
    if (isDenial(endReason)) return;
    const { recordSessions } = this.#options;
    if (this.#flowSums.sumsUp(session, recordSessions !== false)) return;
    if (recordSessions === false) return;
    const record = recordOf(session);
    if (isRecorded(record, recordSessions)) this.#records.push(record);
    if (this.#records.length >= MAX_RECORD_BATCH) this.#sendRecords();
  }

  /** A session has met a fault of our own. */
  fault(fault: unknown): void {
    this.warn("session_failed", { reason: reasonOf(fault) });
  }

  /** A dial lacked something of this machine, which fails many; it is told once in a while, with their number. */
  shortage(session: Session, backend: Backend, reason: string): void {
    this.#accounts?.countShortage(session, backend);
    this.#shortDials++;
    if (this.#lastTickMs < this.#nextShortageMs) return;
    this.#nextShortageMs = this.#lastTickMs + TELL_AGAIN_MS;
    const address = formatAddress(backend.address);
    const fields = { pool: session.pool?.name, backend: backend.name, address, reason };
    this.warn("dials_short", { ...fields, dials: this.#shortDials });
    this.#shortDials = 0;
  }

  /** The limit that open files set was reached. It is told once a tick: the control plane may find more. */
  wantFiles(): void {
    if (this.#hasWantedFiles) return;
    this.#hasWantedFiles = true;
    this.#options.tell({ type: "files_wanted" });
  }

  warn(event: string, fields: Record<string, unknown>): void {
    this.#options.tell({ type: "warning", event, fields });
  }

  /** Even with nothing to tell: the control plane learns how late the clock of this thread is. */
  onTick(nowMs: number): void {
    this.#hasWantedFiles = false;
    this.#sendRecords();
    this.#sendSums();
    this.#flowSums.onTick(nowMs);
    this.#maxLagMs = Math.max(this.#maxLagMs, nowMs - this.#lastTickMs - TICK_MS);
    this.#lastTickMs = nowMs;
    if (nowMs < this.#nextTallyMs) return;
    this.#nextTallyMs = nowMs + TALLY_MS;
    this.#sendTally();
    this.#maxLagMs = 0;
  }

  /** Sends all that there is to send. */
  flush(): void {
    this.#sendRecords();
    this.#sendSums();
    this.#sendTally();
  }

  #sendSums(): void {
    const denials = this.#denials.handOver();
    if (denials.length > 0) this.#options.tell({ type: "denials", denials });
    const sums = this.#flowSums.handOver();
    if (sums.length > 0) this.#options.tell({ type: "flow_sums", sums });
  }

  #sendTally(): void {
    if (this.#accounts === undefined) return;
    this.#options.tell({ type: "tally", entries: this.#accounts.handOver(), lagMs: this.#maxLagMs });
  }

  #sendRecords(): void {
    if (this.#records.length === 0) return;
    this.#options.tell({ type: "sessions", records: this.#records });
    this.#records = [];
  }
}

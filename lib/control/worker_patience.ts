/** How long the control plane waits for a worker, and what it does with one that does not answer. */

import { formatDuration } from "../core/duration.ts";
import type { DataWorker } from "./data_worker.ts";
import type { Journal } from "./journal.ts";
import { waitForAnswer } from "./patience.ts";

export interface WorkerPatience {
  /** For a worker to come to listen. On an idle machine it takes a twentieth of a second. */
  readonly listenMs: number;
  /**
   * For old workers to stop accepting. A reload does not need them for more: they share the listening sockets with the new
   * ones, and one that hangs takes no connection from them.
   */
  readonly closeMs: number;
  /**
   * After this a worker that has not stopped accepting is given up, with its sessions. None of them moves while its worker
   * hangs, and none of their timeouts is kept: an end tells their clients more than silence, and what they held at backends
   * is free again.
   *
   * The runtime ends a worker at its next turn of the event loop. One that spins has none: it cannot be ended (Deno 2.9.6),
   * and keeps its thread and its sockets for as long as the process lives.
   */
  readonly hangMs: number;
}

export const WORKER_PATIENCE: WorkerPatience = { listenMs: 20_000, closeMs: 5_000, hangMs: 30_000 };

export interface ClosingOptions {
  readonly patience: WorkerPatience;
  readonly generation: number;
  /** Its place in the generation. */
  readonly index: number;
  /** Whether other workers listen at its addresses by now. */
  readonly isReplaced: boolean;
  /** Where they read datagrams. */
  readonly readElsewhere: readonly string[];
  readonly journal: Journal;
  /** Ends the waiting, but not the deadline after which the worker is given up. */
  readonly stop: AbortSignal;
}

/** Tells a worker to stop accepting; resolves when it has, or when there is no use in waiting any longer. Never rejects. */
export async function closeWorker(worker: DataWorker, options: ClosingOptions): Promise<void> {
  const { patience: { closeMs, hangMs }, generation, index, isReplaced, readElsewhere, journal, stop } =
    options;
  worker.drain(isReplaced, readElsewhere);
  const answer = await waitForAnswer(worker.closed, closeMs, stop);
  if (answer === "answered") return;
  if (answer === "late") {
    const reason = `it was told to stop accepting and has not answered for ${formatDuration(closeMs)}`;
    journal.warn("worker_hangs", { generation, worker: index, reason, give_up_in_ms: hangMs - closeMs });
  }
  void giveUpWhileHanging(worker, hangMs - closeMs, hangMs);
}

async function giveUpWhileHanging(worker: DataWorker, leftMs: number, hangMs: number): Promise<void> {
  const answer = await waitForAnswer(worker.closed, leftMs);
  if (answer !== "late") return;
  const waited = formatDuration(hangMs);
  worker.terminate(
    `did not answer for ${waited} and was given up; if it spins, its thread and connections remain until a restart`,
  );
}

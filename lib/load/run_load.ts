import { RunError } from "../core/errors.ts";
import { EpollHost } from "../engine/epoll/host.ts";
import { type Counted, Figures } from "./figures.ts";
import type { FromLoader, ToLoader } from "./messages.ts";
import type { LoadPlan } from "./plan.ts";

export interface LoadOptions {
  readonly plan: LoadPlan;
  readonly engine: "runtime" | "epoll";
  /** How many threads make the load. */
  readonly workers: number;
  /** The module that they start from. */
  readonly entry: string;
  readonly permissions: Deno.PermissionOptions;
  /** Ends the run; what was counted by then is what it gives. */
  readonly stop: AbortSignal;
  /** Told of each second of the run, in order. */
  readonly onSecond: (second: Second) => void;
}

/** One second of a run. */
export interface Second {
  /** From 0. */
  readonly number: number;
  /** Whether the run saw the end of it; false for the last. */
  readonly isWhole: boolean;
  /** What was counted in it. */
  readonly figures: Figures;
  /** What was counted so far. */
  readonly total: Figures;
  /** Connections that are open at its end. */
  readonly open: number;
}

export interface LoadResult {
  readonly figures: Figures;
  readonly durationMs: number;
  /** Requests that were due and that no connection was free for until the end. */
  readonly unsent: number;
}

/** From the message until all threads have begun. */
const START_LEAD_MS = 10;

interface Thread {
  readonly worker: Worker;
  readonly reclaim: () => void;
  readonly ready: Promise<void>;
  readonly done: Promise<Extract<FromLoader, { type: "done" }>>;
}

/**
 * Loads a peer, and gives what came of it.
 *
 * @throws {RunError} when a thread cannot do its work.
 */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const host = options.engine === "epoll" ? new EpollHost() : undefined;
  const total = new Figures();
  const seconds = new Seconds(options, total);
  const threads: Thread[] = [];
  const tellAll = (message: ToLoader): void => {
    for (const { worker } of threads) worker.postMessage(message);
    host?.ring();
  };
  const stop = (): void => tellAll({ type: "stop" });
  try {
    for (let index = 0; index < options.workers; index++) {
      threads.push(startThread(options, index, host, seconds));
    }
    await Promise.all(threads.map(({ ready }) => ready));
    const startMs = performance.timeOrigin + performance.now() + START_LEAD_MS;
    tellAll({ type: "start", atMs: startMs });
    options.stop.addEventListener("abort", stop);
    if (options.stop.aborted) stop();
    const ends = await Promise.all(threads.map(({ done }) => done));
    seconds.addRest(ends.map(({ counted }) => counted));
    return {
      figures: total,
      durationMs: Math.max(0, ...ends.map(({ endMs }) => endMs - startMs)),
      unsent: ends.reduce((sum, { unsent }) => sum + unsent, 0),
    };
  } finally {
    options.stop.removeEventListener("abort", stop);
    for (const { worker, reclaim } of threads) {
      worker.terminate();
      reclaim();
    }
    await host?.close();
  }
}

function startThread(
  { plan, workers, entry, permissions }: LoadOptions,
  index: number,
  host: EpollHost | undefined,
  seconds: Seconds,
): Thread {
  const epoll = host?.enter();
  const ready = Promise.withResolvers<void>();
  const done = Promise.withResolvers<Extract<FromLoader, { type: "done" }>>();
  const fail = (reason: string): void => {
    const error = new RunError(`a thread that makes load has failed: ${reason}`);
    ready.reject(error);
    done.reject(error);
  };
  // Whichever is waited for tells of it.
  ready.promise.catch(() => {});
  done.promise.catch(() => {});
  const worker = new Worker(entry, { type: "module", name: `load-${index}`, deno: { permissions } });
  worker.onmessage = ({ data }: MessageEvent<FromLoader>) => {
    if (data.type === "ready") ready.resolve();
    else if (data.type === "second") seconds.add(data);
    else if (data.type === "done") done.resolve(data);
    else fail(data.reason);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    fail(event.message);
  };
  const prepare: ToLoader = { type: "prepare", plan, share: { index, of: workers }, epoll };
  worker.postMessage(prepare);
  host?.ring();
  return {
    worker,
    ready: ready.promise,
    done: done.promise,
    reclaim: () => {
      if (epoll !== undefined) host?.leave(epoll);
    },
  };
}

/** Puts the seconds of all threads together. */
class Seconds {
  readonly #options: LoadOptions;
  readonly #total: Figures;
  #next = 0;
  readonly #waiting = new Map<number, { figures: Figures; open: number; told: number }>();

  constructor(options: LoadOptions, total: Figures) {
    this.#options = options;
    this.#total = total;
  }

  add({ second, counted, open }: Extract<FromLoader, { type: "second" }>): void {
    this.#total.add(counted);
    const waiting = this.#waiting.get(second) ?? { figures: new Figures(), open: 0, told: 0 };
    this.#waiting.set(second, waiting);
    waiting.figures.add(counted);
    waiting.open += open;
    if (++waiting.told < this.#options.workers) return;
    this.#waiting.delete(second);
    this.#next = second + 1;
    this.#options.onSecond({
      number: second,
      isWhole: true,
      figures: waiting.figures,
      open: waiting.open,
      total: this.#total,
    });
  }

  /** What was counted in a second that the run did not see the end of. */
  addRest(rest: readonly Counted[]): void {
    const figures = new Figures();
    for (const { figures: waiting } of this.#waiting.values()) figures.add(waiting.take());
    for (const counted of rest) {
      this.#total.add(counted);
      figures.add(counted);
    }
    if (figures.requests + figures.errorCount === 0) return;
    this.#options.onSecond({ number: this.#next, isWhole: false, figures, open: 0, total: this.#total });
  }
}

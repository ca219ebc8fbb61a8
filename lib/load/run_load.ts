import { RunError } from "../core/errors.ts";
import { EpollHost } from "../engine/epoll/host.ts";
import type { Figures } from "./figures.ts";
import type { FromLoader, ToLoader } from "./messages.ts";
import type { LoadPlan } from "./plan.ts";
import { type Second, Seconds } from "./seconds.ts";

export interface LoadOptions {
  readonly plan: LoadPlan;
  readonly engine: "runtime" | "epoll";
  /** How many threads make the load: no more than there are connections. */
  readonly workers: number;
  /** The module that they start from. */
  readonly entry: string;
  readonly permissions: Deno.PermissionOptions;
  /** Ends the run; what was counted by then is what it gives. */
  readonly stop: AbortSignal;
  /** Called once all threads are ready: the run begins in a moment. */
  readonly onStart?: () => void;
  /** Told of each second of the run, in order. */
  readonly onSecond: (second: Second) => void;
}

export interface LoadResult {
  readonly figures: Figures;
  readonly durationMs: number;
  /** Requests that were due and that no connection was free for until the end. */
  readonly unsent: number;
  /** Whether it was ended before its end. */
  readonly isStopped: boolean;
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
  const seconds = new Seconds(options.workers, options.onSecond);
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
    options.onStart?.();
    options.stop.addEventListener("abort", stop);
    if (options.stop.aborted) stop();
    const ends = await Promise.all(threads.map(({ done }) => done));
    seconds.end();
    return {
      figures: seconds.total,
      durationMs: Math.max(0, ...ends.map(({ endMs }) => endMs - startMs)),
      unsent: ends.reduce((sum, { unsent }) => sum + unsent, 0),
      isStopped: options.stop.aborted,
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
    else if (data.type === "second") seconds.add(index, data.second, data.counted, data.open);
    else if (data.type === "done") {
      seconds.done(index, data.counted);
      done.resolve(data);
    } else fail(data.reason);
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

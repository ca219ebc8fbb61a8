/** What the main thread and the threads that make load tell each other. Types. */

import type { ThreadShare } from "../engine/epoll/thread_share.ts";
import type { Counted } from "./figures.ts";
import type { LoadPlan, Share } from "./plan.ts";

export type ToLoader =
  | {
    readonly type: "prepare";
    readonly plan: LoadPlan;
    readonly share: Share;
    /** For the engine epoll; undefined for the runtime's. */
    readonly epoll: ThreadShare | undefined;
  }
  /** Begins at this time of day, in milliseconds: the clocks of threads have nothing else in common. */
  | { readonly type: "start"; readonly atMs: number }
  /** Gives up what is under way. */
  | { readonly type: "stop" };

export type FromLoader =
  | { readonly type: "ready" }
  /** What was counted in one second of the run, numbered from 0. */
  | { readonly type: "second"; readonly second: number; readonly counted: Counted; readonly open: number }
  /** What was counted since then, and requests that were due and never sent. */
  | { readonly type: "done"; readonly counted: Counted; readonly unsent: number; readonly endMs: number }
  | { readonly type: "failed"; readonly reason: string };

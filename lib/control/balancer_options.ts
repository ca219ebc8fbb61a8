/** What a balancer is made of. */

import type { Config } from "../config/schema.ts";
import type { Log } from "../core/log.ts";
import type { Given } from "./given_sockets.ts";
import type { DiscoveryOptions } from "./membership.ts";
import type { Names } from "./names.ts";
import type { WorkerPatience } from "./worker_patience.ts";

export interface BalancerOptions {
  readonly config: Config;
  readonly log: Log;
  /** The module that workers start from; a test may put another one in its place. */
  readonly workerEntry?: string;
  /** What the names of backends stand for; a test may put another one in its place. */
  readonly names?: Names;
  /** Waits before names are tried again; see sleep.ts. */
  readonly sleep?: (ms: number, stop: AbortSignal) => Promise<void>;
  /** A test may have less. */
  readonly patience?: WorkerPatience;
  readonly discovery?: DiscoveryOptions;
  /** Sockets that it listens with, where their addresses are asked for; the engine has to be epoll. */
  readonly given?: Given;
  /** Called at the start when all workers listen and none accepts yet; when it rejects, the start fails. */
  readonly whenListening?: () => Promise<void>;
}

import type { ListenerOptions } from "../dataplane/messages.ts";

/** The listening sockets of a generation, from before its workers start until none of them accepts any more. */
export interface GenerationSockets {
  /**
   * Before the workers start.
   *
   * @throws {RunError} when one cannot be listened on.
   */
  prepare(): Promise<void>;
  /**
   * A listener as a worker is told of it; undefined when this worker has no part in it.
   *
   * @param index Of the worker, less than `workers`.
   */
  forWorker(listener: ListenerOptions, index: number, workers: number): ListenerOptions | undefined;
  /** All workers listen. */
  takeOverPaths(): Promise<void>;
  /** Whether the file of each Unix socket is still there, so that clients find it. */
  areInPlace(): Promise<boolean>;
  /**
   * The generation could not begin.
   *
   * @param hasListened Whether its first worker has come to listen.
   */
  withdraw(hasListened: boolean): Promise<void>;
  /** No worker accepts any more. */
  remove(next: readonly ListenerOptions[]): Promise<void>;
}

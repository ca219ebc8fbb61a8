/** Signals with which an operator talks to a running program. */
export type OperatorSignal = "SIGHUP" | "SIGUSR1" | "SIGUSR2";

/**
 * Keeps a signal until there is a handler for it.
 *
 * A program that has just been started gets signals as well, from a reload right after a start or from logrotate, and the
 * system ends a program that has no handler for them.
 */
export class SignalInbox {
  readonly #handlers = new Map<OperatorSignal, () => void>();
  readonly #kept = new Set<OperatorSignal>();

  /** A signal has arrived. Several of the same kind before its handler is there are one. */
  receive(signal: OperatorSignal): void {
    const handler = this.#handlers.get(signal);
    if (handler === undefined) this.#kept.add(signal);
    else handler();
  }

  /** Calls `handler` at each such signal from now on, and at once for one that was kept. */
  handle(signal: OperatorSignal, handler: () => void): void {
    this.#handlers.set(signal, handler);
    if (this.#kept.delete(signal)) handler();
  }
}

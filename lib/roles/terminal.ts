/** What a role has of the outside world. */

import { RunError } from "../core/errors.ts";
import { type LogFormat, type LogLevel, type RunningLog, startLog } from "../core/log.ts";
import type { OperatorSignal } from "../core/signal_inbox.ts";
import type { SessionLog } from "./session_log.ts";

export interface Terminal {
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly stop: AbortSignal;
  /** Aborted by the second: sessions are not waited for. */
  readonly hurry: AbortSignal;
  /** Does what a SIGTERM would do. */
  requestStop(): void;
  /** Calls `handler` at every such signal, where the system has it; at once for one that came before. */
  onSignal(signal: OperatorSignal, handler: () => void): void;
  /** Tells `handler`, from now on, of errors that no one has caught; until then they end the program. */
  onFault(handler: (reason: unknown) => void): void;
  /** Writes to stdout what the user asked for. */
  print(text: string): Promise<void>;
  readonly version: string;
  /** How this program is started, as a user would type it. */
  readonly command: string;
}

/** Resolves when the user wishes to stop. */
export function stopped(stop: AbortSignal): Promise<void> {
  if (stop.aborted) return Promise.resolve();
  return new Promise((resolve) => stop.addEventListener("abort", () => resolve(), { once: true }));
}

/**
 * What comes of `reading`, unless the user stops it first: a pipe may have no writer, or one that never ends.
 *
 * @throws {RunError} when it was stopped. What was begun is left to the end of the program.
 */
export async function unlessStopped<T>(reading: Promise<T>, stop: AbortSignal): Promise<T> {
  const cut = stopped(stop).then((): never => {
    throw new RunError("stopped while it was reading");
  });
  return await Promise.race([reading, cut]);
}

/** How wide the terminal of a stream is; undefined when it is none, or does not say. */
export function terminalColumns(stream: { isTerminal(): boolean }): number | undefined {
  try {
    return stream.isTerminal() ? Deno.consoleSize().columns || undefined : undefined;
  } catch {
    return undefined;
  }
}

/** Starts the log of this process; every role logs to stderr. */
export function startStderrLog(
  level: LogLevel = "info",
  format: LogFormat = "text",
  sessions?: SessionLog,
): RunningLog {
  return startLog({
    level,
    format,
    write: (bytes) => Deno.stderr.write(bytes),
    ...(sessions === undefined
      ? {}
      : { sessionsName: sessions.name, writeSessions: (bytes) => sessions.write(bytes) }),
  });
}

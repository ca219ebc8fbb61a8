/** What a role has of the outside world. */

import { writeAll } from "../core/connection.ts";
import { reasonOf, RunError } from "../core/errors.ts";
import { type LogFormat, type LogLevel, type RunningLog, startLog } from "../core/log.ts";
import type { LogFile } from "../core/log_file.ts";

export interface Terminal {
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly stop: AbortSignal;
  /** Calls `heard` at every such signal from now on, where the system has it. */
  onSignal(signal: "SIGHUP" | "SIGUSR1" | "SIGUSR2", heard: () => void): void;
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

/** Starts the log of this process; every role logs to stderr. */
export function startStderrLog(
  level: LogLevel = "info",
  format: LogFormat = "text",
  sessions?: LogFile,
): RunningLog {
  return startLog({
    level,
    format,
    write: (bytes) => Deno.stderr.write(bytes),
    ...(sessions === undefined ? {} : { writeSessions: (bytes) => sessions.write(bytes) }),
  });
}

/** Whoever read stdout has gone, as `head` does; there is nothing left to do, and nothing wrong. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/**
 * Writes to stdout.
 *
 * @throws {OutputClosed} when nobody reads it any more, {@linkcode RunError} when it cannot be written, as on a full disk.
 */
export async function writeOut(
  bytes: Uint8Array,
  output: { write(bytes: Uint8Array): Promise<number> } = Deno.stdout,
): Promise<void> {
  try {
    await writeAll(output, bytes);
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) {
      throw new OutputClosed("stdout was closed", { cause: error });
    }
    throw new RunError(`stdout: ${reasonOf(error).toLowerCase()}`, { cause: error });
  }
}

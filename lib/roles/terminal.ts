/** What a role has of the outside world. */

import { type LogFormat, type LogLevel, type RunningLog, startLog } from "../core/log.ts";

export interface Terminal {
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly stop: AbortSignal;
  /** Writes to stdout what the user asked for. */
  print(text: string): Promise<void>;
  /** How this program is started, as a user would type it. */
  readonly command: string;
}

/** Resolves when the user wishes to stop. */
export function stopped(stop: AbortSignal): Promise<void> {
  if (stop.aborted) return Promise.resolve();
  return new Promise((resolve) => stop.addEventListener("abort", () => resolve(), { once: true }));
}

/** Starts the log of this process; every role logs to stderr. */
export function startStderrLog(level: LogLevel = "info", format: LogFormat = "text"): RunningLog {
  return startLog({ level, format, write: (bytes) => Deno.stderr.write(bytes) });
}

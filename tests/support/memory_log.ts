/** A log that a test can read. */

import type { Log } from "../../lib/core/log.ts";

export interface LoggedEvent {
  readonly level: string;
  readonly event: string;
  readonly fields: Record<string, unknown>;
}

export interface MemoryLog {
  readonly log: Log;
  readonly events: LoggedEvent[];
  /** Resolves with the first event of this name that fits, logged before or after the call. */
  waitFor(event: string, fits?: (fields: Record<string, unknown>) => boolean): Promise<LoggedEvent>;
  /** Resolves when so many events of this name were logged. */
  waitForCount(event: string, count: number): Promise<void>;
}

export function memoryLog(): MemoryLog {
  const events: LoggedEvent[] = [];
  const waiting = new Set<(event: LoggedEvent) => void>();
  const note = (level: string, event: string, fields: object): void => {
    const noted = { level, event, fields: { ...fields } };
    events.push(noted);
    for (const tell of waiting) tell(noted);
  };
  return {
    log: {
      debug: (event, fields) => note("debug", event, fields),
      info: (event, fields) => note("info", event, fields),
      warn: (event, fields) => note("warning", event, fields),
      error: (event, fields) => note("error", event, fields),
      session: (level, record) => note(level === "warn" ? "warning" : level, "session", record),
    },
    events,
    waitForCount: (name, count) => {
      const isEnough = (): boolean => events.filter(({ event }) => event === name).length >= count;
      if (isEnough()) return Promise.resolve();
      return new Promise((resolve) => {
        const tell = (): void => {
          if (!isEnough()) return;
          waiting.delete(tell);
          resolve();
        };
        waiting.add(tell);
      });
    },
    waitFor: (name, fits = () => true) => {
      const isIt = (event: LoggedEvent): boolean => event.event === name && fits(event.fields);
      const known = events.find(isIt);
      if (known !== undefined) return Promise.resolve(known);
      return new Promise((resolve) => {
        const tell = (event: LoggedEvent): void => {
          if (!isIt(event)) return;
          waiting.delete(tell);
          resolve(event);
        };
        waiting.add(tell);
      });
    },
  };
}

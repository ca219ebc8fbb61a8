/** A log that a test can read. */

import { configureSync, getConfig, getLogger, type LogRecord } from "@logtape/logtape";
import type { Logger } from "../../lib/core/log.ts";

export interface LoggedEvent {
  readonly level: string;
  readonly event: string;
  readonly fields: Record<string, unknown>;
}

export interface MemoryLog {
  readonly log: Logger;
  readonly events: LoggedEvent[];
  /** Resolves with the first event of this name that fits, logged before or after the call. */
  waitFor(event: string, fits?: (fields: Record<string, unknown>) => boolean): Promise<LoggedEvent>;
}

const listeners = new Map<string, (record: LogRecord) => void>();
let count = 0;

export function memoryLog(): MemoryLog {
  if (getConfig() === null) {
    const sink = (record: LogRecord): void => listeners.get(record.category.at(-1) ?? "")?.(record);
    configureSync({
      sinks: { sink },
      loggers: [
        { category: "test", sinks: ["sink"], lowestLevel: "debug" },
        { category: ["logtape", "meta"], sinks: [], lowestLevel: "fatal" },
      ],
    });
  }
  const id = String(++count);
  const events: LoggedEvent[] = [];
  const waiting = new Set<(event: LoggedEvent) => void>();
  listeners.set(id, (record) => {
    const event = { level: record.level, event: String(record.message[0]), fields: record.properties };
    events.push(event);
    for (const tell of waiting) tell(event);
  });
  return {
    log: getLogger(["test", id]),
    events,
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

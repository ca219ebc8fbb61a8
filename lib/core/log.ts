/**
 * The log: structured records, one line each, written to stderr without ever blocking the thread.
 *
 * LogTape keeps the levels and categories. The sink is our own: a synchronous write to a full pipe would stop the
 * event loop for as long as the reader stalls, so lines go through a bounded buffer and one asynchronous writer;
 * what does not fit is dropped, counted, and the count is logged when the reader is back.
 */

import { configureSync, getLogger, type Logger, type LogRecord } from "@logtape/logtape";

export type { Logger };

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = typeof LOG_LEVELS[number];

export const LOG_FORMATS = ["text", "json"] as const;
export type LogFormat = typeof LOG_FORMATS[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Writes some of the bytes and says how many; may take as long as it likes. */
  readonly write: (bytes: Uint8Array) => Promise<number>;
  /** The same for the records of sessions, when these go elsewhere. */
  readonly writeSessions?: (bytes: Uint8Array) => Promise<number>;
}

/** What waits for a reader that stalls; about 4,000 session records. */
const MAX_PENDING_CHARS = 1024 * 1024;

/** How long the end of the program waits for a reader that does not read. */
const CLOSE_TIMEOUT_MS = 1_000;

/** Whoever takes records: the log itself, or something in front of it. */
export interface Recorder {
  info(event: string, fields: Record<string, unknown>): void;
  warn(event: string, fields: Record<string, unknown>): void;
  error(event: string, fields: Record<string, unknown>): void;
}

/** The logger that everything in the program uses; a record is an event name and its fields. */
export const log: Logger = getLogger("sockbal");

/** A running log. */
export interface RunningLog {
  /** Records that had to be dropped so far, because the reader was too slow. */
  readonly dropped: number;
  /** Writes what is pending, for at most a second, and ends the log. May be called twice. */
  close(): Promise<void>;
}

/** Starts the log of the program, or starts it anew with other options. */
export function startLog(options: LogOptions): RunningLog {
  const describeDrops = (count: number): string => {
    return formatRecord(
      { level: "warning", event: "log_records_dropped", count },
      Date.now(),
      options.format,
    );
  };
  const lines = new LineWriter(options.write, describeDrops);
  const sessions = options.writeSessions === undefined
    ? lines
    : new LineWriter(options.writeSessions, describeDrops);
  const sink = (record: LogRecord): void => {
    const event = { level: record.level, event: String(record.message[0]), ...record.properties };
    const writer = event.event === "session" ? sessions : lines;
    writer.push(formatRecord(event, record.timestamp, options.format));
  };
  configureSync({
    reset: true,
    sinks: { lines: sink },
    loggers: [
      {
        category: "sockbal",
        sinks: ["lines"],
        lowestLevel: options.level === "warn" ? "warning" : options.level,
      },
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "fatal" },
    ],
  });
  return {
    get dropped() {
      return sessions === lines ? lines.droppedInAll : lines.droppedInAll + sessions.droppedInAll;
    },
    close: async () => {
      await Promise.all([lines.close(), sessions.close()]);
    },
  };
}

interface LogEvent extends Record<string, unknown> {
  readonly level: string;
  readonly event: string;
}

/** One record as a line: `TIME level event key=value …`, or the same as one JSON object. */
export function formatRecord(record: LogEvent, timestampMs: number, format: LogFormat): string {
  const time = new Date(timestampMs).toISOString();
  const level = record.level === "warning" ? "warn" : record.level;
  if (format === "json") {
    const { level: _, event, ...fields } = record;
    return quote({ time, level, event, ...fields }) + "\n";
  }
  let line = `${time} ${level.padEnd(5)} ${record.event}`;
  // Without a copy or a list of entries: a busy balancer writes thousands of these a second.
  for (const key in record) {
    const value = record[key];
    if (value !== undefined && key !== "level" && key !== "event") line += ` ${key}=${formatValue(value)}`;
  }
  return line + "\n";
}

/** Plain where it can be read back unambiguously, else quoted as JSON: no value can forge a line or a field. */
function formatValue(value: unknown): string {
  if (typeof value === "number" && Number.isFinite(value)) return `${value}`;
  const list = Array.isArray(value) ? value.join(", ") : value;
  const text = typeof list === "string" ? list : quote(list);
  return /^[\w.:/@*%+,\[\]-]+$/.test(text) ? text : quote(text);
}

/** JSON in which no control character is left: DEL and the 8-bit ones, which JSON allows, could steer a terminal. */
function quote(value: unknown): string {
  return JSON.stringify(value).replace(/[\x7f-\x9f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}

/** Lines to an asynchronous writer, in order, with a bound on what may wait. */
class LineWriter {
  readonly #write: LogOptions["write"];
  readonly #describeDrops: (count: number) => string;
  readonly #encoder = new TextEncoder();
  #pending: string[] = [];
  #pendingChars = 0;
  #dropped = 0;
  droppedInAll = 0;
  #writing: Promise<void> | undefined;

  constructor(write: LogOptions["write"], describeDrops: (count: number) => string) {
    this.#write = write;
    this.#describeDrops = describeDrops;
  }

  push(line: string): void {
    if (this.#pendingChars + line.length > MAX_PENDING_CHARS) {
      this.#dropped++;
      this.droppedInAll++;
    } else {
      this.#pending.push(line);
      this.#pendingChars += line.length;
    }
    this.#writing ??= this.#writeAll();
  }

  async close(): Promise<void> {
    if (this.#writing === undefined) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_TIMEOUT_MS));
    await Promise.race([this.#writing, deadline]);
    clearTimeout(timer);
  }

  async #writeAll(): Promise<void> {
    // What is logged in one turn of the event loop leaves in one write.
    await Promise.resolve();
    while (this.#pending.length > 0 || this.#dropped > 0) {
      let bytes = this.#encoder.encode(this.#takePending());
      try {
        // deno-lint-ignore no-await-in-loop -- lines must leave in order
        while (bytes.length > 0) bytes = bytes.subarray(await this.#write(bytes));
      } catch {
        // Whoever read the log has gone (a closed pipe); there is nobody left to tell.
      }
    }
    this.#writing = undefined;
  }

  #takePending(): string {
    if (this.#dropped > 0) this.#pending.push(this.#describeDrops(this.#dropped));
    const text = this.#pending.join("");
    this.#pending = [];
    this.#pendingChars = 0;
    this.#dropped = 0;
    return text;
  }
}

/**
 * The log: structured records, one line each, written to stderr without ever blocking the thread.
 *
 * LogTape keeps the levels and categories. The sink is our own: a synchronous write to a full pipe would stop the
 * event loop for as long as the reader stalls, so lines go through a bounded buffer and one asynchronous writer
 * (line_writer.ts); what does not fit is dropped, counted, and the count is logged when the reader is back.
 *
 * The records of sessions may go elsewhere, through a buffer and a writer of their own: neither waits for the other. What
 * becomes of either is said in the ordinary log. There may be tens of thousands of them a second, so they pass LogTape by, which
 * would take three quarters of the time that one costs.
 */

import { configureSync, getLogger, type LogRecord } from "@logtape/logtape";
import { formatDuration } from "./duration.ts";
import { LineWriter, type LineWriterOptions } from "./line_writer.ts";
import { quote } from "./quote.ts";

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
  /** Where that is, as messages call it. */
  readonly sessionsName?: string;
  /** How long after a failed write the next one is tried; by default a second. */
  readonly retryMs?: number;
}

/** What takes records: the log itself, or something in front of it. */
export interface Recorder {
  info(event: string, fields: Record<string, unknown>): void;
  warn(event: string, fields: Record<string, unknown>): void;
  error(event: string, fields: Record<string, unknown>): void;
}

/** A log that also takes the records of sessions. */
export interface Log extends Recorder {
  debug(event: string, fields: Record<string, unknown>): void;
  session(level: "info" | "warn", record: object): void;
}

const logger = getLogger("sockbal");

let writeSession: Log["session"] = () => {};

/** The log that everything in the program uses; a record is an event name and its fields. */
export const log: Log = {
  debug: (event, fields) => logger.debug(event, fields),
  info: (event, fields) => logger.info(event, fields),
  warn: (event, fields) => logger.warn(event, fields),
  error: (event, fields) => logger.error(event, fields),
  session: (level, record) => writeSession(level, record),
};

/** A running log. */
export interface RunningLog {
  /** Records that had to be dropped so far, because they could not be written in time. */
  readonly dropped: number;
  /** Goes by another level and format from the next record on. */
  adjust(options: Pick<LogOptions, "level" | "format">): void;
  /** What the log has to say about itself goes here from now on; until then straight into the log. */
  reportTo(recorder: Pick<Recorder, "warn">): void;
  /**
   * Writes what is pending and ends the log, in at most two seconds: the records of sessions first, so that it can still be
   * said when some of them are lost. May be called twice.
   */
  close(): Promise<void>;
}

/** Starts the log of the program, or starts it anew with other options. */
export function startLog(options: LogOptions): RunningLog {
  let { format, level: lowest } = options;
  const describeDrops = (count: number): string => {
    return formatRecord(
      { level: "warning", event: "log_records_dropped", count },
      Date.now(),
      format,
    );
  };
  let reporter: Pick<Recorder, "warn"> = log;
  const say = (event: string, fields: Record<string, unknown>): void => reporter.warn(event, fields);
  const { write, writeSessions, retryMs } = options;
  const lines = new LineWriter({ write, describeDrops, retryMs, ...reportOf("stderr", say) });
  const sessionsName = options.sessionsName ?? "sessions";
  const sessions = writeSessions === undefined ? lines : new LineWriter({
    write: writeSessions,
    describeDrops,
    retryMs,
    isSlownessTrouble: true,
    ...reportOf(sessionsName, say),
  });
  const sink = (record: LogRecord): void => {
    const event = { level: record.level, event: String(record.message[0]), ...record.properties };
    lines.push(formatRecord(event, record.timestamp, format));
  };
  writeSession = (level, record) => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(lowest)) return;
    sessions.push(formatRecord({ level, event: "session", ...record }, Date.now(), format));
  };
  configure(sink, options.level);
  return {
    get dropped() {
      return sessions === lines ? lines.droppedInAll : lines.droppedInAll + sessions.droppedInAll;
    },
    reportTo: (recorder) => void (reporter = recorder),
    adjust: (next) => {
      ({ format, level: lowest } = next);
      configure(sink, next.level);
    },
    close: async () => {
      const lost = sessions === lines ? 0 : await sessions.close();
      if (lost > 0) say("log_records_lost", { log: sessionsName, count: lost });
      await lines.close();
    },
  };
}

/** What is said when a log begins to fail, and when it works again. */
function reportOf(
  name: string,
  say: (event: string, fields: Record<string, unknown>) => void,
): Pick<LineWriterOptions, "onTrouble" | "onRelief"> {
  return {
    onTrouble: (reason) => {
      say("log_failing", { log: name, reason, meanwhile: "1 MiB of records waits, more is dropped" });
    },
    onRelief: ({ dropped, troubleMs }) => {
      say("log_works_again", { log: name, dropped, failed_for: formatDuration(Math.ceil(troubleMs)) });
    },
  };
}

function configure(sink: (record: LogRecord) => void, level: LogLevel): void {
  configureSync({
    reset: true,
    sinks: { lines: sink },
    loggers: [
      { category: "sockbal", sinks: ["lines"], lowestLevel: level === "warn" ? "warning" : level },
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "fatal" },
    ],
  });
}

interface LogEvent extends Record<string, unknown> {
  readonly level: string;
  readonly event: string;
}

/** One record as a line: `TIME level event key=value …`, or the same as one JSON object. */
export function formatRecord(record: LogEvent, timestampMs: number, format: LogFormat): string {
  const time = isoTime(timestampMs);
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

let [isoMs, iso] = [NaN, ""];

/** Records come in batches, many of one millisecond. */
function isoTime(timestampMs: number): string {
  if (timestampMs !== isoMs) [isoMs, iso] = [timestampMs, new Date(timestampMs).toISOString()];
  return iso;
}

/** Plain where it can be read back unambiguously, else quoted as JSON: no value can forge a line or a field. */
function formatValue(value: unknown): string {
  if (typeof value === "number" && Number.isFinite(value)) return `${value}`;
  const list = Array.isArray(value) ? value.join(", ") : value;
  const text = typeof list === "string" ? list : quote(list);
  return /^[\w.:/@*%+,\[\]-]+$/.test(text) ? text : quote(text);
}

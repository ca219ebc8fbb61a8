/** What of a configuration can come into force in a program that runs. Pure. */

import type { EngineChoice, EngineName } from "../config/engine_names.ts";
import type { Config } from "../config/schema.ts";
import { formatAddress } from "../core/address.ts";
import type { LogFormat, LogLevel } from "../core/log.ts";

/** What the command line says; it holds whatever the file says. */
export interface Overrides {
  readonly workers: number | undefined;
  readonly engine: EngineChoice | undefined;
  readonly logLevel: LogLevel | undefined;
  readonly logFormat: LogFormat | undefined;
}

/** Something that a file says and that is not in force. */
export interface NotInForce {
  /** Its path in the file, as `log.file`. */
  readonly key: string;
  /** Why, and what is in force instead. */
  readonly message: string;
}

/** The engine of a program that runs. */
export interface EngineInForce {
  readonly name: EngineName;
  /** Why the engine epoll cannot be had; undefined when it can. */
  readonly whyNoEpoll: string | undefined;
}

/** A configuration as it comes into force, and what of the file does not. */
export interface InForce {
  readonly config: Config;
  readonly notes: readonly NotInForce[];
}

/** A configuration with what the command line says. */
export function withOverrides(config: Config, { workers, engine, logLevel, logFormat }: Overrides): Config {
  return {
    ...config,
    workers: workers ?? config.workers,
    engine: engine ?? config.engine,
    log: { ...config.log, level: logLevel ?? config.log.level, format: logFormat ?? config.log.format },
  };
}

/**
 * What the command line overrides of a file that has changed.
 *
 * @param before The file as it was read the last time: what it said then is known.
 */
export function overridden(read: Config, before: Config, overrides: Overrides): NotInForce[] {
  const values: [key: string, flag: string, now: unknown, earlier: unknown, override: unknown][] = [
    ["workers", "--workers", read.workers, before.workers, overrides.workers],
    ["engine", "--engine", read.engine, before.engine, overrides.engine],
    ["log.level", "--log-level", read.log.level, before.log.level, overrides.logLevel],
    ["log.format", "--log-format", read.log.format, before.log.format, overrides.logFormat],
  ];
  return values.flatMap(([key, flag, now, earlier, override]) => {
    if (override === undefined || now === earlier || now === override) return [];
    return [{ key, message: `${now} is not in force, since the command line says ${flag} ${override}` }];
  });
}

/**
 * What a running program can take over of the next configuration; the rest stays as it is until a restart.
 *
 * @param engine The one in force.
 * @param mayWrite Whether the program is permitted to write a file: it gives up what it has no use for at its start.
 */
export function applicable(
  next: Config,
  running: Config,
  engine: EngineInForce,
  mayWrite: (path: string) => boolean,
): InForce {
  const notes: NotInForce[] = [...engineNotes(next.engine, engine)];
  const { file } = running.log;
  const isSameFile = next.log.file === file;
  if (!isSameFile) {
    const wanted = next.log.file === undefined ? "session records on stderr need" : `${next.log.file} needs`;
    const message = `${wanted} a restart; until then they go to ${file ?? "stderr"}`;
    notes.push({ key: "log.file", message });
  }
  const listeners = next.listeners.map((listener, i) => {
    const { backlog = listener.backlog } = sameSocket(listener, running) ?? {};
    if (backlog === listener.backlog) return listener;
    const message =
      `${listener.backlog} needs a restart, since the socket stays open; until then it is ${backlog}`;
    notes.push({ key: `listeners[${i}].backlog`, message });
    return { ...listener, backlog };
  });
  const log = isSameFile ? next.log : { ...next.log, file };
  const stateFile = stateFileOf(next, running, mayWrite);
  if (stateFile !== next.stateFile) {
    const kept = stateFile === undefined ? "nothing is kept" : `${stateFile} is written`;
    notes.push({ key: "state_file", message: `${next.stateFile} needs a restart; until then ${kept}` });
  }
  return { config: { ...next, engine: running.engine, listeners, log, stateFile }, notes };
}

function stateFileOf(
  { stateFile }: Config,
  running: Config,
  mayWrite: (path: string) => boolean,
): string | undefined {
  const isSame = stateFile === undefined || stateFile === running.stateFile;
  return isSame || mayWrite(stateFile) ? stateFile : running.stateFile;
}

function engineNotes(next: EngineChoice, { name, whyNoEpoll }: EngineInForce): NotInForce[] {
  const wanted = next !== "auto" ? next : whyNoEpoll === undefined ? "epoll" : "runtime";
  if (wanted === name) return [];
  const message = wanted === "epoll" && whyNoEpoll !== undefined
    ? `epoll cannot be used: ${whyNoEpoll}; it is still ${name}`
    : `${wanted} needs a restart; until then it is ${name}`;
  return [{ key: "engine", message }];
}

type Listener = Config["listeners"][number];

/** The listener that has the socket of this one already. A Unix socket is made anew by each generation. */
function sameSocket({ name, listen }: Listener, { listeners }: Config): Listener | undefined {
  if (listen.transport === "unix") return undefined;
  return listeners.find((it) =>
    formatAddress(it.listen) === formatAddress(listen) && (listen.port !== 0 || it.name === name)
  );
}

/** Reading the configuration again, and putting it into force. */

import type { Reloaded } from "../admin/operations.ts";
import { ConfigError } from "../config/parse.ts";
import type { EngineOf } from "../config/engine_checks.ts";
import { type PlacedConfig, readPlacedConfig } from "../config/read.ts";
import type { Config } from "../config/schema.ts";
import { formatDuration } from "../core/duration.ts";
import { reasonOf, RunError } from "../core/errors.ts";
import type { RunningLog } from "../core/log.ts";
import type { Balancer } from "./balancer.ts";
import type { Generations } from "./generations.ts";
import { applicable, type NotInForce, overridden, type Overrides, withOverrides } from "./in_force.ts";
import { logNotes } from "./config_notes.ts";
import { waitForAnswer } from "./patience.ts";
import { missingFlag } from "./permissions.ts";
import { ReloadQueue } from "./reload_queue.ts";
import { sourceNotes } from "./source_notes.ts";

export interface ReloaderOptions {
  readonly balancer: Pick<Balancer, "config" | "confinement" | "engine" | "journal" | "reload"> & {
    readonly generations: Pick<Generations, "started">;
  };
  /** A file or folder, or how messages call what is neither; undefined when the configuration cannot be read again. */
  readonly file: string | undefined;
  /** Reads it where it is no file. */
  readonly readAgain?: (engineOf: EngineOf) => Promise<PlacedConfig>;
  /** What was read last is in force. */
  readonly onInForce?: () => void;
  /** How messages call it. */
  readonly name: string;
  /** What was read at the start. */
  readonly read: Config;
  readonly overrides: Overrides;
  readonly log: Pick<RunningLog, "adjust">;
  /**
   * Reads what the admin side needs. The function that it gives moves the admin side, and says why when that cannot be done;
   * the request for the reload may have come through it, and is still to be answered.
   */
  readonly prepareAdmin: (config: Config) => Promise<() => Promise<string | undefined>>;
  /** For the files to be read; a test may have less. */
  readonly readPatienceMs?: number;
}

/** A file that was read, and what follows. */
interface Prepared {
  readonly read: Config;
  /** What it may say, but probably does not mean. */
  readonly fileNotes: readonly string[];
  readonly moveAdmin: () => Promise<string | undefined>;
}

/** A file that cannot be read by then, as a pipe that has no writer, does not hold up the reloads that follow. */
const READ_PATIENCE_MS = 10_000;

/**
 * Reloads, one after the other. Each reads the file when its turn comes, so the last one to be asked for leaves in force what
 * the file said then, or later.
 */
export class Reloader {
  /** Since the start. */
  readonly counts = { ok: 0, failed: 0 };
  readonly #options: ReloaderOptions;
  readonly #queue = new ReloadQueue(() => this.#reload());
  /** The file as it was read the last time that it came into force. */
  #read: Config;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#read = options.read;
  }

  /**
   * Asks for a reload; resolves with what became of the one that served this request. When the file cannot be put into force,
   * nothing changes. The log says what became of it either way. Never rejects.
   */
  request(): Promise<Reloaded> {
    return this.#queue.request();
  }

  async #reload(): Promise<Reloaded> {
    const told = Promise.withResolvers<void>();
    try {
      const done = await this.#apply(told.promise);
      this.counts.ok++;
      return done;
    } catch (error) {
      const faults = error instanceof ConfigError ? error.message.split("\n") : [reasonOf(error)];
      for (const fault of faults) this.#options.balancer.journal.error("reload_failed", { reason: fault });
      this.counts.failed++;
      return { ok: false, message: "nothing has changed", faults };
    } finally {
      told.resolve();
    }
  }

  async #apply(told: Promise<void>): Promise<Reloaded> {
    const { balancer, file, name, overrides, log } = this.#options;
    if (file === undefined) {
      throw new RunError(`there is no configuration file to read again: this one came from ${name}`);
    }
    const { read, fileNotes, moveAdmin } = await this.#prepare(file);
    const { config, notes: unapplied } = applicable(
      withOverrides(read, overrides),
      balancer.config,
      balancer.engine,
      (path) => missingFlag({ net: [], read: [], write: [path] }) === undefined,
    );
    const workers = await balancer.reload(config, told);
    const notes = [...overridden(read, this.#read, overrides), ...unapplied];
    this.#read = read;
    this.#options.onInForce?.();
    log.adjust(config.log);
    const admin = await moveAdmin();
    if (admin !== undefined) notes.push({ key: "admin", message: admin });
    return this.#report(file, fileNotes, notes, workers);
  }

  #report(
    config: string,
    fileNotes: readonly string[],
    notInForce: readonly NotInForce[],
    workers: "kept" | "replaced",
  ): Reloaded {
    const { journal, confinement, generations: { started: generation } } = this.#options.balancer;
    const notes = notInForce.map(({ key, message }) => `${key}: ${message}`);
    logNotes([...fileNotes, ...notes.map((note) => `${config} ${note}`)], journal);
    const exceptions = notInForce.length === 0 ? {} : { not_in_force: notInForce.map(({ key }) => key) };
    journal.info("reloaded", { config, ...confinement, workers, generation, ...exceptions });
    const outcome = `workers ${workers}, generation ${generation}`;
    if (notes.length === 0) return { ok: true, message: `${config} is in force; ${outcome}`, notes };
    return {
      ok: true,
      message: `${config} is in force, but not all of it: ${notes.join("; ")}; ${outcome}`,
      notes,
    };
  }

  async #prepare(file: string): Promise<Prepared> {
    const patienceMs = this.#options.readPatienceMs ?? READ_PATIENCE_MS;
    const engineOf: EngineOf = () => this.#options.balancer.engine.name;
    const { readAgain = (engineOf) => readPlacedConfig(file, true, engineOf) } = this.#options;
    const preparing = (async () => {
      const placed = await readAgain(engineOf);
      const { config: read } = placed;
      const fileNotes = [...read.notes, ...sourceNotes(placed)];
      return { read, fileNotes, moveAdmin: await this.#options.prepareAdmin(read) };
    })();
    const answer = await waitForAnswer(preparing, patienceMs);
    if (answer === "answered") return await preparing;
    throw new RunError(
      `${file}: it, or a file that it names, could not be read within ${formatDuration(patienceMs)}`,
    );
  }
}

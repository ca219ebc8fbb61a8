/** The control plane: from a configuration to a running data plane, through new configurations, to its end. */

import type { LifeState } from "../admin/status.ts";
import type { Config } from "../config/schema.ts";
import { formatAddress } from "../core/address.ts";
import { sleep } from "../core/sleep.ts";
import { isDenial } from "../dataplane/record.ts";
import { HealthMonitor } from "../health/monitor.ts";
import { SourceTable } from "../pool/source_table.ts";
import { Scoreboard } from "../pool/scoreboard.ts";
import type { BalancerOptions } from "./balancer_options.ts";
import { BackendNames } from "./backend_names.ts";
import { ConfigChanges } from "./config_changes.ts";
import { checkConfinement, type ConfinementFields, confinementFields } from "./confinement.ts";
import { workersOf } from "./demands.ts";
import { tellOfExpiry } from "./expiry.ts";
import { FlowExchange } from "./flow_exchange.ts";
import { whyNoTlsKeys } from "../engine/runtime/tls_certificates.ts";
import { type EngineHost, makeEngineHost } from "./engine_host.ts";
import type { Generation } from "./generation.ts";
import { Generations } from "./generations.ts";
import { HeldBackBook } from "./held_back.ts";
import { Journal } from "./journal.ts";
import { Keys } from "./keys.ts";
import { type MemberChange, MemberChanges } from "./member_changes.ts";
import { Membership } from "./membership.ts";
import { OpenFiles } from "./open_files.ts";
import { listeningRecords, NO_PLAN, type Plan } from "./plan.ts";
import { PlansInUse } from "./plans_in_use.ts";
import { PoolStates } from "./pool_states.ts";
import type { PortHold } from "./port_hold.ts";
import { Preparation } from "./preparation.ts";
import { RowBook } from "./rows.ts";
import { SummaryLog } from "./summary_log.ts";
import { TotalsBook } from "./totals.ts";
import { readWorkerCode } from "./worker_code.ts";
import { checkWorkerModules, workerEntry } from "./worker_entry.ts";
import { WorkerNumbers } from "./worker_numbers.ts";
import { WORKER_PATIENCE } from "./worker_patience.ts";

/** A balancer that runs. */
export class Balancer {
  readonly scoreboard: Scoreboard;
  /** Connections by where they come from. */
  readonly sources: SourceTable = new SourceTable();
  readonly heldBack: HeldBackBook = new HeldBackBook();
  readonly journal: Journal;
  readonly health: HealthMonitor;
  readonly openFiles: OpenFiles;
  readonly totals: TotalsBook = new TotalsBook();
  readonly generations: Generations;
  readonly plansInUse: PlansInUse;
  readonly keys: Keys;
  readonly membership: Membership;
  readonly #options: BalancerOptions;
  readonly #poolStates: PoolStates;
  readonly #rows: RowBook;
  readonly #names: BackendNames;
  readonly #ports: PortHold;
  readonly #preparation: Preparation;
  readonly #changes: ConfigChanges;
  readonly #memberChanges: MemberChanges;
  readonly #denials: SummaryLog;
  readonly #flowSums: SummaryLog;
  readonly #engine: EngineHost;
  /** Reloads follow one another. */
  #reloading: Promise<unknown> = Promise.resolve();
  /** Resolves when the log says what became of the last one. */
  #reloadTold: Promise<void> = Promise.resolve();
  #state: LifeState = "starting";
  /** Whether another process listens in its place. */
  #isReplaced = false;
  /** Aborted when it is to stop, so that no reload holds that up. */
  readonly #stop = new AbortController();
  /** Gives a copy of the workers' code as it was at the start. */
  #pinnedCode: () => string = () => this.#entry;

  /**
   * Nothing runs before {@linkcode Balancer.start}.
   *
   * @throws {RunError} when the engine cannot be had here.
   */
  constructor(options: BalancerOptions) {
    this.#options = options;
    this.#engine = makeEngineHost(options.config.engine);
    checkConfinement(this.#engine.name, options.config.confinement);
    this.#engine.book?.give(options.given?.sockets ?? []);
    this.#ports = this.#engine.holdPorts();
    this.scoreboard = new Scoreboard(undefined, undefined, this.#engine.ring);
    this.#rows = new RowBook(this.scoreboard);
    this.journal = new Journal(options.log);
    this.openFiles = new OpenFiles(
      this.scoreboard,
      this.#rows.use({ kind: "open files", name: "" }),
      this.journal,
      this.#engine,
    );
    this.#names = new BackendNames({
      names: options.names,
      journal: this.journal,
      plan: () => this.plan,
      apply: () => this.#inTurn(() => this.#changes.apply(this.membership.written, this.keys.inUse)),
      ...(options.sleep === undefined ? {} : { sleep: options.sleep }),
    });
    this.keys = new Keys({
      journal: this.journal,
      config: () => this.config,
      inTurn: (work) => this.#inTurn(work),
      whyRefused: whyNoTlsKeys,
      tell: async (keys) => {
        await this.generations.current?.renew(keys);
        this.health.renew(keys.pools);
      },
    });
    this.membership = new Membership({
      written: options.config,
      log: this.journal,
      engine: this.#engine.name,
      apply: () => this.applyMembers(),
      endSessions: (row) => this.generations.endSessions(row, "backend_left"),
      backendAt: (row) => this.plansInUse.backendAt(row),
      factsOf: (row) => this.scoreboard.facts(row),
      discovery: options.discovery,
    });
    this.#preparation = new Preparation({
      rows: this.#rows,
      names: this.#names.names,
      ports: this.#ports,
      keys: this.keys,
      given: options.given,
      stop: this.#stop.signal,
    });
    this.#poolStates = new PoolStates(this.scoreboard, this.journal);
    this.scoreboard.onChanged = (pool) => this.#poolStates.look(pool);
    this.health = new HealthMonitor({
      scoreboard: this.scoreboard,
      log: this.journal,
      endSessions: (backend) => this.generations.endSessions(backend, "backend_down"),
    });
    this.#denials = new SummaryLog(options.log, "sessions_denied");
    this.#flowSums = new SummaryLog(options.log, "flows_unrecorded");
    this.generations = new Generations({
      deps: {
        // The first workers are started from the files themselves, which the runtime has compiled and kept.
        workerEntry: () => this.generations.current === undefined ? this.#entry : this.#pinnedCode(),
        numbers: new WorkerNumbers(),
        engine: this.#engine,
        openFiles: this.openFiles,
        scoreboard: this.scoreboard,
        sources: this.sources,
        flows: new FlowExchange(),
        events: {
          onFailing: (backend) => this.health.failing(backend),
          onDenials: (denials) => {
            // The others have records.
            this.#denials.add(
              denials.filter(({ reason }) => isDenial(reason)).map(({ listener, reason, count, sources }) => {
                return { listener, reason, count, client: sources.keys().next().value };
              }),
            );
            this.heldBack.add(denials, Date.now());
          },
          onFlowSums: (sums) => this.#flowSums.add(sums),
          onWarning: (event, fields) => this.#warn(event, fields),
          onFilesWanted: () => this.openFiles.wanted(),
          onTally: (entries) => this.totals.add(entries),
        },
        log: options.log,
        journal: this.journal,
        patience: options.patience ?? WORKER_PATIENCE,
      },
      onDrained: (generation, closed) => this.#onDrained(generation, closed),
      stop: this.#stop.signal,
    });
    this.plansInUse = new PlansInUse({
      rows: this.#rows,
      scoreboard: this.scoreboard,
      totals: this.totals,
      plans: () => this.generations.all.map(({ plan }) => plan),
      confirm: () => this.generations.confirm(),
      inTurn: (work) => this.#inTurn(work),
      stop: this.#stop.signal,
    });
    this.#changes = new ConfigChanges({
      scoreboard: this.scoreboard,
      rows: this.#rows,
      engine: this.#engine.name,
      preparation: this.#preparation,
      names: this.#names,
      keys: this.keys,
      membership: this.membership,
      generations: this.generations,
      plansInUse: this.plansInUse,
      openFiles: this.openFiles,
      poolStates: this.#poolStates,
      health: this.health,
      isOver: () => this.#stop.signal.aborted || this.#isReplaced,
      whenListening: options.whenListening,
    });
    this.#memberChanges = new MemberChanges({
      inTurn: (work) => this.#inTurn(work),
      apply: (beforeReplacing) => {
        return this.#changes.lookUpAndApply(this.membership.written, this.keys.inUse, beforeReplacing);
      },
      pause: options.discovery?.pause,
      stop: this.#stop.signal,
    });
  }

  /**
   * Starts; resolves when every worker accepts connections.
   *
   * @throws {RunError} when it cannot; then nothing is left running.
   */
  async start(): Promise<void> {
    const starting = this.#start().finally(() => this.#ports.release());
    // What asks for a reload meanwhile gets it afterwards.
    this.#reloading = starting.catch(() => {});
    try {
      await starting;
    } catch (error) {
      // What sources have said meanwhile is refused in its turn, which has come now.
      await this.membership.stop();
      await this.#engine.close();
      throw error;
    }
    const { log } = this.#options;
    for (const record of listeningRecords(this.plan, this.config)) log.info("listening", record);
    log.info("ready", {
      workers: workersOf(this.config),
      engine: this.engine.name,
      ...this.confinement,
    });
  }

  /** Whether it accepts connections by now, or will soon do so no more. */
  get state(): LifeState {
    return this.#state;
  }

  /** How its workers drive their sockets. */
  get engine(): Pick<EngineHost, "name" | "whyNoEpoll" | "book" | "monotonicUs"> {
    return this.#engine;
  }

  /** What confines its workers, as fields of a record; none before the start. */
  get confinement(): ConfinementFields | undefined {
    const { current } = this.generations;
    return current === undefined ? undefined : confinementFields(current.confinement);
  }

  /** The configuration in force, with all members of its pools. */
  get config(): Config {
    return this.membership.config;
  }

  /** What the current generation runs; nothing before the start. */
  get plan(): Plan {
    return this.generations.current?.plan ?? NO_PLAN;
  }

  /** Where it listens, in the order of the configuration, as `host:port` or `unix:/path`. */
  get addresses(): string[] {
    return this.plan.listeners.map(({ address }) => formatAddress(address));
  }

  /**
   * Puts another configuration into force. Sessions go on, and no connection is refused: new workers accept before the old
   * ones stop. Where the workers have nothing new to learn that they cannot learn while they work, they stay.
   *
   * @param told Resolves when the log says so: that a replaced generation has drained is said afterwards.
   * @return What became of the workers.
   * @throws {RunError} when it cannot be done, such as for a port that is taken; then nothing has changed.
   */
  reload(config: Config, told: Promise<void> = Promise.resolve()): Promise<"kept" | "replaced"> {
    this.#reloadTold = told;
    return this.#inTurn(() => this.membership.during(config, () => this.#changes.lookUpAndApply(config)));
  }

  /** As {@linkcode MemberChanges.apply}. */
  applyMembers(change?: MemberChange): Promise<"kept" | "replaced"> {
    return this.#memberChanges.apply(change);
  }

  /**
   * Another process listens at these addresses with the same sockets: stops accepting, and resolves when no worker accepts any more.
   * Sessions go on until {@linkcode Balancer.stop}.
   */
  async leaveTo(addresses: ReadonlySet<string>): Promise<void> {
    this.#isReplaced = true;
    this.#engine.book?.shareWithOthers(addresses);
    await this.#inTurn(() => this.generations.leaveTo(addresses));
  }

  /**
   * Accepts for the shutdown delay while it is no longer ready; then stops accepting, lets the sessions finish and closes
   * those that are left at the shutdown timeout.
   *
   * @param hurry Ends all waiting when it is aborted: sessions are closed at once. Each still leaves its record.
   * @return How many had to be closed.
   */
  async stop(hurry?: AbortSignal): Promise<number> {
    this.#state = "stopping";
    this.#names.stop();
    this.keys.stop();
    this.#stop.abort();
    await this.membership.stop();
    await this.#reloading;
    if (!this.#isReplaced) await sleep(this.config.shutdownDelayMs, hurry);
    const closeNow = (): void => void this.generations.drain(0);
    if (hurry?.aborted) closeNow();
    hurry?.addEventListener("abort", closeNow, { once: true });
    const closed = await this.generations.drain(this.config.shutdownTimeoutMs);
    hurry?.removeEventListener("abort", closeNow);
    this.#denials.tell();
    this.#flowSums.tell();
    await this.health.stop();
    await this.#engine.close();
    return closed;
  }

  async #start(): Promise<void> {
    await this.membership.begin();
    await this.#names.lookUp(this.config);
    const next = await this.#preparation.prepare(this.config);
    await checkWorkerModules();
    this.#pinnedCode = await readWorkerCode(this.#entry);
    await this.#changes.begin(next);
    void tellOfExpiry({
      certificates: () => this.keys.certificates,
      log: this.journal,
      now: Date.now,
      sleep,
    }, this.#stop.signal);
    if (this.#state === "starting") this.#state = "running";
  }

  /** Does it when all that was asked for before has been done. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#reloading.then(work).finally(() => this.#ports.release());
    this.#reloading = done.catch(() => {});
    return done;
  }

  get #entry(): string {
    return this.#options.workerEntry ?? workerEntry;
  }

  /** What concerns a whole listener is an event as well; a fault in one session is for the log alone. */
  #warn(event: string, fields: Readonly<Record<string, unknown>>): void {
    (event === "session_failed" ? this.#options.log : this.journal).warn(event, { ...fields });
  }

  /** An old generation has come to its end. */
  #onDrained({ number, plan }: Generation, closedSessions: number): void {
    this.plansInUse.end(plan);
    void this.#reloadTold.then(() => {
      this.journal.info("generation_drained", { generation: number, closed_sessions: closedSessions });
    });
  }
}

/**
 * Starts a balancer; resolves when every worker accepts connections.
 *
 * @throws {RunError} when it cannot; then nothing is left running.
 */
export async function startBalancer(options: BalancerOptions): Promise<Balancer> {
  const balancer = new Balancer(options);
  await balancer.start();
  return balancer;
}

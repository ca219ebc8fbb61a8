/** The data plane of one worker: its listeners, and the sessions that came in through them. */

import { formatAddress } from "../core/address.ts";
import { CoarseClock, type Watched } from "../core/coarse_clock.ts";
import type { AcceptOptions, ClientSocket, Engine, Listener } from "../engine/contract.ts";
import { Ledger } from "../pool/ledger.ts";
import { Pool, type PoolChange } from "../pool/pool.ts";
import { SharedByteBuckets } from "../pool/byte_rate.ts";
import type { BackendRow, PoolRow } from "../pool/row.ts";
import { SourceLedger } from "../pool/source_ledger.ts";
import { SourceTable } from "../pool/source_table.ts";
import { Scoreboard } from "../pool/scoreboard.ts";
import { FlowSession } from "./flow_session.ts";
import { Flows } from "./flows.ts";
import { Handover } from "./handover.ts";
import { type LimiterOptions, sharedLimiter } from "./limiter.ts";
import { type ListenerContext, listenerContext } from "./listener_context.ts";
import type { MakeEngine, ThreadEngine } from "./load_engine.ts";
import {
  type AllTlsKeys,
  type FlowOptions,
  type FlowsAt,
  type FromWorker,
  type ListenerOptions,
  type LiveSessionFilter,
  type PlaneOptions,
  socketsOf,
} from "./messages.ts";
import type { EndReason } from "./record.ts";
import { Report } from "./report.ts";
import { Roster } from "./roster.ts";
import { Session, type SessionTools } from "./session.ts";
import { oldestFacts } from "./session_facts.ts";
import { TlsEnds } from "./tls_ends.ts";
import { Waits } from "./waits.ts";

export class Plane implements Watched {
  readonly #options: PlaneOptions;
  readonly #tell: (message: FromWorker) => void;
  readonly #scoreboard: Scoreboard;
  readonly #ledger: Ledger;
  readonly #sources: SourceLedger | undefined;
  readonly #pools: ReadonlyMap<PoolRow, Pool>;
  readonly #clock = new CoarseClock();
  readonly #sessions = new Roster<Session>();
  readonly #engine: Engine;
  readonly #confine: ThreadEngine["confine"];
  readonly #tls: TlsEnds;
  /** What becomes of flows at a reload. */
  readonly handover: Handover;
  readonly #waits: Waits;
  readonly #report: Report;
  readonly #tools: SessionTools;
  readonly #stop = new AbortController();
  /** Aborted when what waits in backlogs is not accepted any more. */
  readonly #halt = new AbortController();
  /** Those whose connections are not accepted yet. */
  readonly #listening: { readonly options: ListenerOptions; readonly listener: Listener }[] = [];
  readonly #accepting: Promise<void>[] = [];
  readonly #flows: Flows[] = [];
  /** The addresses at which others read datagrams when this worker drains. */
  #readElsewhere: ReadonlySet<string> = new Set();
  /** Called when the last session has ended. */
  #onIdle: (() => void) | undefined;
  /** So far. */
  #sessionCount = 0;
  #closedSessions = 0;

  /**
   * @param tell Sends a message to the control plane.
   * @param makeEngine Makes the engine for the sessions of this plane, which closes it.
   */
  constructor(
    options: PlaneOptions,
    tell: (message: FromWorker) => void,
    makeEngine: MakeEngine,
  ) {
    const { engine, ring, confine } = makeEngine(this.#sessions);
    this.#engine = engine;
    this.#confine = confine;
    this.#tls = new TlsEnds(options, engine);
    this.handover = new Handover({ later: (ms, call) => engine.later(ms, call), tell });
    this.#waits = new Waits((ms, call) => engine.later(ms, call));
    this.#tools = {
      engine,
      clock: this.#clock,
      tls: this.#tls,
      sessionIdPrefix: options.sessionIdPrefix,
      onShortage: (session, backend, what) => this.#report.shortage(session, backend, what),
      onFault: (fault) => this.#report.fault(fault),
      onOver: (session) => this.#onOver(session),
    };
    const scoreboard = new Scoreboard(options.scoreboard, engine.woken, ring);
    const ledger = new Ledger(scoreboard, options.ledger);
    const { worker, pools, recordSessions, tallySessions, sources } = options;
    this.#options = options;
    this.#tell = tell;
    this.#scoreboard = scoreboard;
    this.#ledger = ledger;
    this.#sources = sources === undefined
      ? undefined
      : new SourceLedger(new SourceTable(sources.table), sources.ledger);
    this.#report = new Report({
      recordSessions,
      tallySessions,
      tell,
    });
    const onFailing = ({ row }: { row: BackendRow }): void => tell({ type: "failing", backend: row });
    this.#pools = new Map(pools.map((pool) => {
      return [pool.row, new Pool(pool, { scoreboard, ledger, worker, onFailing })];
    }));
  }

  /**
   * Listens and confines itself; connections wait until {@linkcode accept}. Throws when an address cannot be listened on, or the
   * kernel lacks a part of the confinement that is required; then none is listened on.
   */
  async start(): Promise<void> {
    const listens = await Promise.allSettled(this.#options.listeners.map(async (options) => {
      const listener = await this.#engine.listen(socketsOf(options), options.backlog, options.sockets);
      this.#listening.push({ options, listener });
    }));
    try {
      const failed = listens.find((it) => it.status === "rejected");
      if (failed !== undefined) throw failed.reason;
      this.#clock.start(this.#engine.every);
      this.#clock.watch(this);
      this.#tell({ type: "listening", confinement: this.#confine() });
    } catch (error) {
      this.#clock.stop();
      // The thread may live on for a moment, and the next worker needs the same paths.
      this.#closeListening();
      throw error;
    }
  }

  /** Begins to accept connections. Datagrams wait for {@linkcode takeOver}. */
  accept(): void {
    for (const { options, listener } of this.#listening.splice(0)) {
      if (options.flows !== undefined) this.#listening.push({ options, listener });
      else this.#accepting.push(this.#accept(options, listener));
    }
  }

  /**
   * Begins to read datagrams. Call it after {@linkcode accept}.
   *
   * @param others The flows that other workers have.
   */
  takeOver(others: readonly FlowsAt[]): void {
    this.handover.learn(others);
    for (const { options, listener } of this.#listening.splice(0)) {
      if (options.flows !== undefined) this.#accepting.push(this.#read(options, options.flows, listener));
    }
  }

  /**
   * Stops accepting and lets the sessions finish; tells `drained` when the last has ended.
   *
   * @param isReplaced Whether other workers listen at its addresses by now; what waits at its own sockets is accepted first.
   * @param readElsewhere The addresses at which others read datagrams from now on.
   */
  async drain(isReplaced = false, readElsewhere: readonly string[] = []): Promise<void> {
    this.#readElsewhere = new Set(readElsewhere);
    if (!isReplaced) this.#halt.abort();
    this.#stop.abort();
    this.#closeListening();
    await Promise.all(this.#accepting);
    this.handover.handOver(this.#readElsewhere);
    this.#tell({ type: "closed" });
    if (this.#sessions.size > 0) await new Promise<void>((resolve) => this.#onIdle = resolve);
    this.#clock.stop();
    this.handover.flush();
    this.#report.flush();
    await this.#engine.close();
    this.#tell({ type: "drained", closedSessions: this.#closedSessions });
  }

  /** Ends the sessions that are left. Call it after {@linkcode drain}, which then comes to its end. */
  closeSessions(): void {
    this.#halt.abort();
    // Those who wait come first: they should not be given the slots of those who are ended.
    const isQueued = ({ phase }: Session): number => Number(phase === "queued");
    for (const session of this.#sessions.all().sort((a, b) => isQueued(b) - isQueued(a))) {
      if (session.phase !== "ended") this.#closedSessions++;
      session.end("shutdown");
    }
  }

  /** Goes by these from now on. What was reported until then comes before the answer. */
  adjust(request: number, changes: readonly PoolChange[]): void {
    for (const change of changes) this.#pools.get(change.row)?.adjust(change);
    this.#report.flush();
    this.#tell({ type: "adjusted", request });
  }

  /** Uses these keys for the connections to come. */
  renew(request: number, keys: AllTlsKeys): void {
    this.#tls.renew(keys, (refused) => this.#report.warn("keys_not_renewed", refused));
    this.#tell({ type: "adjusted", request });
  }

  /** Tells which sessions go on, the oldest first. */
  listSessions(request: number, limit: number, filter: LiveSessionFilter): void {
    const sessions = oldestFacts(this.#sessions.all(), limit, filter);
    this.#tell({ type: "live_sessions", request, sessions });
  }

  /** Ends one session, and tells whether there was one. */
  endSession(request: number, id: string, reason: EndReason): void {
    const session = this.#sessions.all().find((it) => it.id === id);
    session?.end(reason);
    this.#tell({ type: "session_ended", request, found: session !== undefined });
  }

  /** Ends the sessions at a backend, which is known by its row. */
  endSessions(backend: BackendRow, reason: EndReason): void {
    this.#sessions.each((session) => {
      if (session.backend?.row === backend) session.end(reason);
    });
  }

  onTick(nowMs: number): void {
    for (const pool of this.#pools.values()) pool.queue?.onTick(nowMs);
    this.#sessions.each((session) => {
      session.onTick(nowMs);
      if (session.phase !== "ended") this.#report.countActive(session);
    });
    this.#report.onTick(nowMs);
  }

  #closeListening(): void {
    for (const { listener } of this.#listening.splice(0)) listener.close();
  }

  #accept(options: ListenerOptions, listener: Listener): Promise<void> {
    const context = this.#contextOf(options);
    return listener.accept({
      ...this.#acceptOptionsOf(options),
      limiter: sharedLimiter({ ...this.#limitsOf(options), maxConnections: options.maxConnections }),
      serve: (client, leave) =>
        this.#serve(new Session(client, context, leave, this.#tools, ++this.#sessionCount)),
    });
  }

  #read(options: ListenerOptions, flowOptions: FlowOptions, listener: Listener): Promise<void> {
    const context = this.#contextOf(options);
    const flows = new Flows({
      ...this.#limitsOf(options),
      ...flowOptions,
      ofWorker: this.#flows,
      onHandedOverEnd: (client) => this.handover.over(options, client),
      keptByOlder: () => this.handover.keptByOthers(options),
      onNoRoom: () => this.handover.wantRoom(options),
    });
    this.#flows.push(flows);
    const tools: SessionTools = {
      ...this.#tools,
      onOver: (session) => {
        if (session instanceof FlowSession) flows.over(session);
        this.#onOver(session);
      },
    };
    this.handover.read(options, { listener, flows });
    return listener.accept({
      ...this.#acceptOptionsOf(options),
      limiter: flows.limiter,
      serve: (client, leave) =>
        this.#serve(new FlowSession(flows, client, context, leave, tools, ++this.#sessionCount)),
      passOn: this.handover.passOnAt(options),
      isReplaced: () => this.#readElsewhere.has(formatAddress(options.address)),
    });
  }

  #contextOf(options: ListenerOptions): ListenerContext {
    return listenerContext(options, {
      pools: this.#pools,
      tls: this.#tls.ofListener(options.name),
      sources: this.#sources,
      waits: this.#waits,
      buckets: () => new SharedByteBuckets(this.#scoreboard.rateCells(options.row)),
    });
  }

  #acceptOptionsOf({ name }: ListenerOptions): Omit<AcceptOptions<ClientSocket>, "limiter" | "serve"> {
    return {
      stop: this.#stop.signal,
      halt: this.#halt.signal,
      onTrouble: (event, fields) => this.#report.warn(event, { listener: name, ...fields }),
    };
  }

  #limitsOf({ row }: ListenerOptions): Omit<LimiterOptions, "maxConnections"> {
    return {
      scoreboard: this.#scoreboard,
      ledger: this.#ledger,
      row,
      filesRow: this.#options.filesRow,
      onFilesWanted: () => this.#report.wantFiles(),
    };
  }

  #serve(session: Session): void {
    this.#sessions.add(session);
    this.#ledger.take(session.listener.sessionsRow, 0);
    session.begin();
  }

  #onOver(session: Session): void {
    this.#sessions.remove(session);
    this.#ledger.giveBack(session.listener.sessionsRow);
    this.#report.over(session);
    if (this.#sessions.size === 0) this.#onIdle?.();
  }
}

/** The data plane of one worker: its listeners, and the sessions that came in through them. */

import { CoarseClock, TICK_MS, type Watched } from "../core/coarse_clock.ts";
import { type Address, formatHostPort } from "../core/address.ts";
import { reasonOf } from "../core/errors.ts";
import type { Backend } from "../pool/backend.ts";
import { Ledger } from "../pool/ledger.ts";
import { Pool, type PoolTuning } from "../pool/pool.ts";
import { Scoreboard } from "../pool/scoreboard.ts";
import { Accounts } from "./accounts.ts";
import { acceptConnections, type Gate } from "./accept.ts";
import { Buffers } from "./buffers.ts";
import { DescriptorShortage } from "./descriptor_shortage.ts";
import { readEarly } from "./early_read.ts";
import { listenShared, removeSocketFile, stepInAddress } from "./listen.ts";
import { type Entrance, LiveSession } from "./live_session.ts";
import type { FromWorker, ListenerOptions, PlaneOptions } from "./messages.ts";
import type { EndReason, SessionRecord } from "./record.ts";
import { Roster } from "./roster.ts";
import { runSession, type SessionTools } from "./session.ts";
import { Turnstile } from "./turnstile.ts";

/** Records go to the control plane in batches: one a tick, or as soon as there are this many. */
const MAX_RECORD_BATCH = 512;

/** How often the control plane learns what sessions add up to. */
const TALLY_MS = 250;

export class Plane implements Watched {
  readonly #options: PlaneOptions;
  readonly #tell: (message: FromWorker) => void;
  readonly #scoreboard: Scoreboard;
  readonly #ledger: Ledger;
  readonly #pools: readonly Pool[];
  readonly #clock = new CoarseClock();
  readonly #sessions = new Roster<LiveSession>();
  readonly #tools: SessionTools = {
    buffers: new Buffers(),
    turnstile: new Turnstile(this.#sessions),
    shortage: new DescriptorShortage(),
  };
  readonly #stop = new AbortController();
  readonly #accepting: Promise<void>[] = [];
  /** Called when the last session has ended. */
  #onIdle: (() => void) | undefined;
  #records: SessionRecord[] = [];
  readonly #accounts: Accounts | undefined;
  #lastTickMs = performance.now();
  #nextTallyMs = 0;
  #maxLagMs = 0;
  #sessionCount = 0;
  #closedSessions = 0;

  /** @param tell Sends a message to the control plane. */
  constructor(options: PlaneOptions, tell: (message: FromWorker) => void) {
    this.#options = options;
    this.#tell = tell;
    const scoreboard = new Scoreboard(options.scoreboard);
    const ledger = new Ledger(scoreboard, options.ledger);
    const onFailing = (backend: Backend): void => tell({ type: "failing", backend: backend.row });
    const { worker } = options;
    this.#accounts = options.tallySessions ? new Accounts() : undefined;
    this.#scoreboard = scoreboard;
    this.#ledger = ledger;
    this.#pools = options.pools.map((pool) => new Pool(pool, { scoreboard, ledger, worker, onFailing }));
  }

  /** Begins to accept. Throws when an address cannot be listened on. */
  async start(): Promise<void> {
    const listeners = await Promise.all(this.#options.listeners.map(async (options) => {
      const { address, backlog } = options;
      // The control plane renames a Unix socket as soon as all workers are ready.
      const place = address.transport === "unix" ? stepInAddress(address) : address;
      return { options, listener: await listenShared(place, backlog) };
    }));
    this.#clock.start();
    this.#clock.watch(this);
    for (const { options, listener } of listeners) this.#accepting.push(this.#accept(options, listener));
    this.#tell({ type: "listening" });
  }

  /**
   * Stops accepting and lets the sessions finish; tells `drained` when the last has ended.
   *
   * @param takenOver Paths of Unix sockets at which others listen by now.
   */
  async drain(takenOver: readonly string[]): Promise<void> {
    const addresses = this.#options.listeners.map(({ address }) => address);
    const isTakenOver = (address: Address): boolean => {
      return address.transport === "unix" && takenOver.includes(address.path);
    };
    // Whoever dialled the old socket before it was replaced is still let in.
    if (addresses.some(isTakenOver)) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    this.#stop.abort();
    await Promise.all(this.#accepting);
    await Promise.all(addresses.filter((it) => !isTakenOver(it)).map(removeSocketFile));
    this.#tell({ type: "closed" });
    if (this.#sessions.size > 0) await new Promise<void>((resolve) => this.#onIdle = resolve);
    this.#clock.stop();
    this.#sendRecords();
    this.#nextTallyMs = 0;
    this.#sendTally(performance.now());
    this.#tell({ type: "drained", closedSessions: this.#closedSessions });
  }

  /** Ends the sessions that are left. Call it after {@linkcode drain}, which then comes to its end. */
  closeSessions(): void {
    // Those who wait come first: they should not be given the slots of those who are ended.
    for (const session of [...this.#sessions].sort((a, b) => Number(b.isQueued) - Number(a.isQueued))) {
      if (!session.ended) this.#closedSessions++;
      session.end("shutdown");
    }
  }

  /** Goes by other rules from now on; as many as there are pools, in their order. */
  adjust(pools: readonly PoolTuning[]): void {
    this.#pools.forEach((pool, i) => {
      const tuning = pools[i];
      if (tuning !== undefined) pool.adjust(tuning);
    });
  }

  /** Tells which sessions go on, the oldest first. */
  listSessions(request: number, limit: number): void {
    const oldest = [...this.#sessions].sort((a, b) => a.startedMs - b.startedMs).slice(0, limit);
    const sessions = oldest.map((session) => session.facts(formatPeer(session.client.remoteAddr)));
    this.#tell({ type: "live_sessions", request, sessions });
  }

  /** Ends the sessions at a backend, which is known by its row. */
  endSessions(backend: number, reason: EndReason): void {
    for (const session of this.#sessions) if (session.backend?.row === backend) session.end(reason);
  }

  onTick(nowMs: number): void {
    for (const pool of this.#pools) pool.queue?.onTick(nowMs);
    for (const session of this.#sessions) {
      session.onTick(nowMs);
      this.#accounts?.countBytes(session);
    }
    this.#sendRecords();
    this.#sendTally(nowMs);
  }

  #accept(options: ListenerOptions, listener: Deno.Listener): Promise<void> {
    const pool = this.#pools[options.pool];
    if (pool === undefined) {
      throw new RangeError(`Cannot start listener ${options.name}: there is no pool ${options.pool}`);
    }
    const { row, sessionsRow, name, limits } = options;
    const entrance = { row, sessionsRow, name, limits, pool };
    return acceptConnections(listener, {
      gate: this.#gate(options),
      serve: (conn) => this.#serve(conn, entrance),
      stop: this.#stop.signal,
      onTrouble: (event, fields) => {
        this.#tell({ type: "warning", event, fields: { listener: options.name, ...fields } });
      },
    });
  }

  #gate({ row, maxConnections }: ListenerOptions): Gate {
    return {
      enter: () => !this.#tools.shortage.isFelt && this.#ledger.take(row, maxConnections),
      leave: () => {
        this.#ledger.giveBack(row);
        if (maxConnections > 0) this.#scoreboard.tellLowered(row);
      },
      freed: () => {
        if (this.#tools.shortage.isFelt) return this.#tools.shortage.over();
        return this.#scoreboard.lowered(row, maxConnections, TICK_MS);
      },
    };
  }

  async #serve(client: Deno.Conn, entrance: Entrance): Promise<void> {
    const earlyRead = readEarly(client, this.#tools.buffers);
    const session = new LiveSession(client, entrance, earlyRead, this.#clock);
    this.#sessions.add(session);
    this.#ledger.take(entrance.sessionsRow, 0);
    try {
      await runSession(session, entrance.pool.keyOf(client.remoteAddr), this.#tools);
    } catch (error) {
      this.#tell({ type: "warning", event: "session_failed", fields: { reason: reasonOf(error) } });
    }
    this.#sessions.remove(session);
    this.#ledger.giveBack(entrance.sessionsRow);
    this.#account(session);
    if (this.#sessions.size === 0) this.#onIdle?.();
  }

  #account(session: LiveSession): void {
    this.#accounts?.countSession(session);
    if (!this.#options.recordSessions) return;
    const id = this.#options.sessionIdPrefix + ++this.#sessionCount;
    this.#records.push(session.record(id, formatPeer(session.client.remoteAddr)));
    if (this.#records.length >= MAX_RECORD_BATCH) this.#sendRecords();
  }

  /** Even with nothing to tell: the control plane learns how late the clock of this thread is. */
  #sendTally(nowMs: number): void {
    if (this.#accounts === undefined) return;
    const lagMs = Math.max(0, nowMs - this.#lastTickMs - TICK_MS);
    this.#lastTickMs = nowMs;
    this.#maxLagMs = Math.max(this.#maxLagMs, lagMs);
    if (nowMs < this.#nextTallyMs) return;
    this.#nextTallyMs = nowMs + TALLY_MS;
    this.#tell({ type: "tally", entries: this.#accounts.handOver(), lagMs: this.#maxLagMs });
    this.#maxLagMs = 0;
  }

  #sendRecords(): void {
    if (this.#records.length === 0) return;
    this.#tell({ type: "sessions", records: this.#records });
    this.#records = [];
  }
}

function formatPeer(address: Deno.Addr): string {
  return "hostname" in address ? formatHostPort(address.hostname, address.port) : "unix";
}

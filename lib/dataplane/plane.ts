/** The data plane of one worker: its listeners, and the sessions that came in through them. */

import { CoarseClock, TICK_MS, type Watched } from "../core/coarse_clock.ts";
import { formatHostPort } from "../core/address.ts";
import { reasonOf } from "../core/errors.ts";
import { Pool } from "../pool/pool.ts";
import { Scoreboard } from "../pool/scoreboard.ts";
import { acceptConnections, type Gate } from "./accept.ts";
import { Buffers } from "./buffers.ts";
import { DescriptorShortage } from "./descriptor_shortage.ts";
import { listenShared, removeSocketFile } from "./listen.ts";
import { LiveSession } from "./live_session.ts";
import type { FromWorker, ListenerOptions, PlaneOptions } from "./messages.ts";
import type { SessionRecord } from "./record.ts";
import { runSession, type SessionTools } from "./session.ts";

/** Records go to the control plane in batches: one a tick, or as soon as there are this many. */
const MAX_RECORD_BATCH = 512;

export class Plane implements Watched {
  readonly #options: PlaneOptions;
  readonly #tell: (message: FromWorker) => void;
  readonly #scoreboard: Scoreboard;
  readonly #pools: readonly Pool[];
  readonly #clock = new CoarseClock();
  readonly #tools: SessionTools = {
    buffers: new Buffers(),
    shortage: new DescriptorShortage(),
  };
  readonly #stop = new AbortController();
  readonly #accepting: Promise<void>[] = [];
  readonly #sessions = new Set<LiveSession>();
  /** Called when the last session has ended. */
  #onIdle: (() => void) | undefined;
  #records: SessionRecord[] = [];
  #sessionCount = 0;
  #closedSessions = 0;

  /** @param tell Sends a message to the control plane. */
  constructor(options: PlaneOptions, tell: (message: FromWorker) => void) {
    this.#options = options;
    this.#tell = tell;
    this.#scoreboard = new Scoreboard(options.scoreboard.shape, options.scoreboard.buffer);
    this.#pools = options.pools.map((pool) => new Pool(pool, this.#scoreboard, options.worker));
  }

  /** Begins to accept. Throws when an address cannot be listened on. */
  async start(): Promise<void> {
    const listeners = await Promise.all(this.#options.listeners.map(async (options) => {
      return { options, listener: await listenShared(options.address, options.backlog) };
    }));
    this.#clock.start();
    this.#clock.watch(this);
    for (const { options, listener } of listeners) this.#accepting.push(this.#accept(options, listener));
    this.#tell({ type: "listening" });
  }

  /** Stops accepting and lets the sessions finish; tells `drained` when the last has ended. */
  async drain(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#accepting);
    await Promise.all(this.#options.listeners.map(({ address }) => removeSocketFile(address)));
    if (this.#sessions.size > 0) await new Promise<void>((resolve) => this.#onIdle = resolve);
    this.#clock.stop();
    this.#sendRecords();
    this.#tell({ type: "drained", closedSessions: this.#closedSessions });
  }

  /** Ends the sessions that are left. Call it after {@linkcode drain}, which then comes to its end. */
  closeSessions(): void {
    for (const session of this.#sessions) {
      if (!session.ended) this.#closedSessions++;
      session.end("shutdown");
    }
  }

  onTick(nowMs: number): void {
    for (const session of this.#sessions) session.onTick(nowMs);
    this.#sendRecords();
  }

  #accept(options: ListenerOptions, listener: Deno.Listener): Promise<void> {
    const pool = this.#pools[options.pool];
    if (pool === undefined) {
      throw new RangeError(`Cannot start listener ${options.name}: there is no pool ${options.pool}`);
    }
    return acceptConnections(listener, {
      gate: this.#gate(options),
      serve: (conn) => this.#serve(conn, options, pool),
      stop: this.#stop.signal,
      onTrouble: (event, fields) => {
        this.#tell({ type: "warning", event, fields: { listener: options.name, ...fields } });
      },
    });
  }

  #gate({ row, maxConnections }: ListenerOptions): Gate {
    const { worker } = this.#options;
    return {
      enter: () => !this.#tools.shortage.isFelt && this.#scoreboard.admit(row, worker, maxConnections),
      leave: () => this.#scoreboard.dismiss(row, worker),
      freed: () => {
        if (this.#tools.shortage.isFelt) return this.#tools.shortage.over();
        return this.#scoreboard.dismissed(row, maxConnections, TICK_MS);
      },
    };
  }

  async #serve(client: Deno.Conn, { name, limits }: ListenerOptions, pool: Pool): Promise<void> {
    const session = new LiveSession(client, limits, this.#clock);
    this.#sessions.add(session);
    try {
      await runSession(session, pool, this.#tools);
    } catch (error) {
      this.#tell({ type: "warning", event: "session_failed", fields: { reason: reasonOf(error) } });
    }
    this.#sessions.delete(session);
    this.#account(session, name, client);
    if (this.#sessions.size === 0) this.#onIdle?.();
  }

  #account(session: LiveSession, listener: string, client: Deno.Conn): void {
    if (!this.#options.recordSessions) return;
    const id = this.#options.sessionIdPrefix + ++this.#sessionCount;
    this.#records.push(session.record(id, listener, formatPeer(client.remoteAddr)));
    if (this.#records.length >= MAX_RECORD_BATCH) this.#sendRecords();
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

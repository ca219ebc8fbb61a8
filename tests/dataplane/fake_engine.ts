/** An engine without sockets, and a session in it: everything happens when the test says so. */

import assert from "node:assert/strict";
import type { Address } from "../../lib/core/address.ts";
import { CoarseClock } from "../../lib/core/coarse_clock.ts";
import type { Endpoint } from "../../lib/core/endpoint.ts";
import type { GreetingPlan } from "../../lib/dataplane/greeting.ts";
import type { ListenerContext } from "../../lib/dataplane/listener_context.ts";
import { Session } from "../../lib/dataplane/session.ts";
import type { SessionLimits } from "../../lib/dataplane/timeouts.ts";
import type {
  ClientSocket,
  DialEvents,
  Engine,
  FirstBytesEvents,
  RelayEvents,
  Socket,
} from "../../lib/engine/contract.ts";
import type { TlsClient, TlsEvents, TlsKeys, TlsServer } from "../../lib/engine/tls_contract.ts";
import type { Pool } from "../../lib/pool/pool.ts";
import { joined } from "../support/bytes.ts";
import { asRow } from "../support/rows.ts";

export class FakeSocket implements Socket {
  unacknowledged: number | undefined;
  peer: Endpoint = { transport: "tcp", host: "192.0.2.7", port: 4_711 };
  readonly local: Endpoint = { transport: "tcp", host: "192.0.2.1", port: 80 };
  isClosed = false;

  /** What it sends before anything that is relayed to it. */
  prefaced: Uint8Array | undefined;

  preface(bytes: Uint8Array): void {
    this.prefaced = bytes;
  }

  /** How TLS is opened, and where to; undefined before that. */
  startedTls:
    | { readonly tls: TlsClient; readonly host: string | undefined; readonly on: TlsEvents }
    | undefined;

  startTls(tls: TlsClient, host: string | undefined, on: TlsEvents): void {
    assert.equal(this.startedTls, undefined, "TLS is opened once");
    this.startedTls = { tls, host, on };
  }

  /** Asked for signs of life, so often. */
  kept = 0;

  keepAlive(): void {
    this.kept++;
  }

  close(): void {
    this.isClosed = true;
  }

  reset(): void {
    this.isClosed = true;
  }
}

export class FakeClient extends FakeSocket implements ClientSocket {
  /** Told what becomes of the client. */
  reads: Pick<RelayEvents, "clientGone"> | undefined;
  readonly #end = Promise.withResolvers<boolean>();

  readAhead(on: Pick<RelayEvents, "clientGone">): void {
    this.reads = on;
  }

  hasEnded(): Promise<boolean> {
    return this.#end.promise;
  }

  /** All that was sent and not skipped. */
  sent: Uint8Array = new Uint8Array(0);
  /** What is asked about it. */
  asked: {
    readonly isEnough: (bytes: Uint8Array) => boolean;
    readonly on: FirstBytesEvents;
    readonly maxBytes: number;
  } | undefined;

  firstBytes(
    isEnough: (bytes: Uint8Array) => boolean,
    on: FirstBytesEvents,
    maxBytes: number,
  ): void {
    assert.equal(this.asked, undefined, "one question is asked at a time");
    const asked = { isEnough, on, maxBytes };
    this.asked = asked;
    this.reads = on;
    // An engine does not tell before it has returned.
    queueMicrotask(() => this.asked === asked && this.#look());
  }

  skip(bytes: number): void {
    assert.ok(bytes <= this.sent.length);
    this.sent = this.sent.subarray(bytes);
  }

  openedTls: {
    readonly tls: TlsServer;
    readonly serverName: string | undefined;
    readonly on: TlsEvents;
  } | undefined;

  openTls(tls: TlsServer, serverName: string | undefined, on: TlsEvents): void {
    assert.equal(this.openedTls, undefined, "TLS is opened once");
    this.openedTls = { tls, serverName, on };
  }

  /** The client sends. */
  send(bytes: Uint8Array): void {
    this.sent = joined([this.sent, bytes]);
    this.#look();
  }

  #look(hasEnded = false): void {
    const { asked, sent } = this;
    if (asked === undefined || this.isClosed) return;
    const isEnough = sent.length > 0 && asked.isEnough(sent);
    if (!isEnough && !hasEnded && sent.length < asked.maxBytes) return;
    this.asked = undefined;
    if (isEnough) asked.on.enough(sent);
    else asked.on.tooFew(sent);
  }

  /** The client ends its sending side. */
  endSending(): void {
    this.#look(true);
    this.#end.resolve(true);
  }
}

/** Something that was asked of the engine, until it has happened or is taken back. */
interface Asked {
  isPending: boolean;
}

export interface FakeDial extends Asked {
  readonly addresses: readonly Address[];
  /** The backend answers; gives the connection to it. */
  connect(): FakeSocket;
  fail(code: string): void;
}

export interface FakeTimer extends Asked {
  readonly ms: number;
  run(): void;
}

export class FakeEngine implements Engine {
  async close(): Promise<void> {}

  readonly dials: FakeDial[] = [];
  readonly timers: FakeTimer[] = [];
  /** Those who wait for a descriptor. */
  readonly waiting: FakeTimer[] = [];
  relay_: { readonly client: Socket; readonly backend: Socket; readonly on: RelayEvents } | undefined;

  listen(): never {
    assert.fail("a session does not listen");
  }

  tlsServer(_options: unknown, _keys: TlsKeys): TlsServer {
    return { renew: () => {} };
  }

  tlsClient(_options: unknown, _keys: TlsKeys): TlsClient {
    return { renew: () => {} };
  }

  dial(addresses: readonly [Address, ...Address[]], on: DialEvents): () => void {
    const happens = (): void => {
      assert.ok(dial.isPending, "a dial that was given up, or is over, tells nothing more");
      dial.isPending = false;
    };
    const dial: FakeDial = {
      addresses,
      isPending: true,
      connect: () => {
        happens();
        const socket = new FakeSocket();
        on.connected(socket);
        return socket;
      },
      fail: (code) => {
        happens();
        on.dialFailed(Object.assign(new Error(`${code} (os error 1)`), { code }));
      },
    };
    this.dials.push(dial);
    return () => void (dial.isPending = false);
  }

  whenDescriptor(call: () => void): () => void {
    return this.#ask(this.waiting, 0, call);
  }

  later(ms: number, call: () => void): () => void {
    return this.#ask(this.timers, ms, call);
  }

  every(): never {
    assert.fail("a session has the clock of its worker");
  }

  woken(): never {
    assert.fail("a session waits for nobody");
  }

  relay(client: ClientSocket, backend: Socket, on: RelayEvents): void {
    assert.equal(this.relay_, undefined, "a session is relayed once");
    this.relay_ = { client, backend, on };
  }

  /** What tells the session what its relay does. */
  get relaying(): RelayEvents {
    return this.relay_?.on ?? assert.fail("nothing is relayed");
  }

  /** The dial that is under way. */
  get dialling(): FakeDial {
    const last = this.dials.at(-1);
    assert.ok(last?.isPending, "nothing is dialled");
    return last;
  }

  /** The rest that is under way. */
  get resting(): FakeTimer {
    const last = this.timers.at(-1);
    assert.ok(last?.isPending, "nothing rests");
    return last;
  }

  /** Whether nothing is under way that could still happen. */
  get isQuiet(): boolean {
    return ![...this.dials, ...this.timers, ...this.waiting].some((it) => it.isPending);
  }

  #ask(list: FakeTimer[], ms: number, call: () => void): () => void {
    const timer: FakeTimer = {
      ms,
      isPending: true,
      run: () => {
        assert.ok(timer.isPending, "it was taken back, or has happened");
        timer.isPending = false;
        call();
      },
    };
    list.push(timer);
    return () => void (timer.isPending = false);
  }
}

const NO_LIMITS: SessionLimits = { idleTimeoutMs: 0, halfCloseTimeoutMs: 0, maxSessionDurationMs: 0 };

/** What sessions open TLS to their backends with. */
export const TLS_CLIENT: TlsClient = { renew: () => {} };

/** A session, and all that it touches. */
export class FakeWorld {
  readonly engine = new FakeEngine();
  readonly client = new FakeClient();
  readonly session: Session;
  nowMs = 1_000;
  /** What was told of it. */
  readonly told = { left: 0, over: 0, shortages: [] as string[], faults: [] as unknown[] };

  /**
   * @param pool Of sessions that no route leads elsewhere.
   * @param greeting What the listener asks of its clients.
   */
  constructor(
    pool: Pool | undefined,
    limits: Partial<SessionLimits> = {},
    idleMs = 0,
    greeting?: GreetingPlan,
    peer?: Endpoint,
  ) {
    if (peer !== undefined) this.client.peer = peer;
    const context: ListenerContext = {
      row: asRow(0),
      sessionsRow: asRow(1),
      name: "web",
      pool,
      greeting,
      limits: { ...NO_LIMITS, ...limits },
      keepalive: { idleMs, intervalMs: 1_000, count: 3 },
    };
    this.session = new Session(this.client, context, () => void this.told.left++, {
      engine: this.engine,
      clock: new CoarseClock(() => this.nowMs),
      tls: { ofPool: () => TLS_CLIENT },
      sessionIdPrefix: "id-",
      onShortage: (_, { name }, what) => this.told.shortages.push(`${name}: ${what}`),
      onFault: (fault) => this.told.faults.push(fault),
      onOver: () => void this.told.over++,
    }, 7);
  }

  /** Lets the time pass, and ticks. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.session.onTick(this.nowMs);
  }
}

/** Resolves when whoever waits for a promise that is settled, such as the end of a wait in line, has been told. */
export async function settled(): Promise<void> {
  // deno-lint-ignore no-await-in-loop -- one turn of the microtask queue after the other
  for (let i = 0; i < 6; i++) await Promise.resolve();
}

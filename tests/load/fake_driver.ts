/** A load without sockets, in a time of its own: every test of it is exact. */

import { Generator } from "../../lib/load/generator.ts";
import type { DialResult, Driver, Link, LinkEvents } from "../../lib/load/link.ts";
import type { LoadPlan } from "../../lib/load/plan.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export const PLAN: LoadPlan = {
  addresses: [{ transport: "tcp", host: "127.0.0.1", port: 1 }],
  host: "127.0.0.1",
  connections: 1,
  requests: Infinity,
  durationMs: Infinity,
  newConnection: false,
  hold: false,
  request: { text: "hi\n" },
  pipeline: 1,
  rate: 0,
  rampMs: 0,
  expect: { kind: "echo" },
  verify: false,
  timeoutMs: 10_000,
  proxyProtocol: undefined,
  tls: undefined,
};

/** A connection, as its peer sees it. */
export class FakeLink implements Link {
  readonly peer = { transport: "unix" } as const;
  readonly local = { transport: "unix" } as const;
  isClear = true;
  unsentBytes = 0;
  isClosed = false;
  hasEndedSending = false;
  /** What was sent, by text. */
  readonly sent: string[] = [];
  #on: LinkEvents | undefined;
  readonly #onSend: (link: FakeLink) => void;

  constructor(onSend: (link: FakeLink) => void) {
    this.#onSend = onSend;
  }

  begin(on: LinkEvents): void {
    this.#on = on;
  }

  send(bytes: Bytes): void {
    this.sent.push(new TextDecoder().decode(bytes));
    this.#onSend(this);
  }

  endSending(): void {
    this.hasEndedSending = true;
  }

  close(): void {
    this.isClosed = true;
  }

  reply(text: string): void {
    const bytes = new TextEncoder().encode(text);
    if (!this.isClosed) this.#on?.received(bytes, bytes.length);
  }

  end(): void {
    if (!this.isClosed) this.#on?.ended();
  }

  lose(error?: unknown): void {
    if (!this.isClosed) this.#on?.lost(error);
  }

  drain(): void {
    this.isClear = true;
    if (!this.isClosed) this.#on?.drained();
  }
}

/** A peer: what it does with dials and requests. By default it connects at once and never answers. */
export interface Peer {
  onDial?: (dial: DialResult, rig: FakeLoad) => void;
  onSend?: (link: FakeLink, rig: FakeLoad) => void;
}

export class FakeLoad {
  nowMs = 0;
  readonly links: FakeLink[] = [];
  readonly generator: Generator;
  readonly seconds: number[] = [];
  /** When the run was over. */
  doneMs: number | undefined;
  /** Dials that were made, and when. */
  readonly dialsMs: number[] = [];
  #alarmMs = Infinity;
  readonly #peer: Peer;
  #calls: { readonly atMs: number; readonly call: () => void }[] = [];

  constructor(plan: Partial<LoadPlan>, peer: Peer = {}) {
    this.#peer = peer;
    this.generator = new Generator({
      plan: { ...PLAN, ...plan },
      share: { index: 0, of: 1 },
      makeDriver: (onAlarm) => this.#driver(onAlarm),
      onSecond: (second) => this.seconds.push(second),
      onDone: () => this.doneMs = this.nowMs,
      now: () => this.nowMs,
    });
    this.generator.start(0);
  }

  /** Calls in so many milliseconds. */
  later(ms: number, call: () => void): void {
    this.#calls.push({ atMs: this.nowMs + ms, call });
  }

  connect(dial: DialResult): FakeLink {
    const link = new FakeLink((link) => this.#peer.onSend?.(link, this));
    this.links.push(link);
    dial.connected(link);
    return link;
  }

  /** Lets time pass, and everything happen at its time, until then or until the run is over. */
  runUntil(ms: number): void {
    for (;;) {
      const nextMs = Math.min(this.#alarmMs, ...this.#calls.map(({ atMs }) => atMs));
      if (nextMs > ms || this.doneMs !== undefined) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      const due = this.#calls.filter(({ atMs }) => atMs <= nextMs);
      this.#calls = this.#calls.filter(({ atMs }) => atMs > nextMs);
      for (const { call } of due) call();
      if (this.#alarmMs > nextMs) continue;
      this.#alarmMs = Infinity;
      this.#onAlarm();
    }
    if (this.doneMs === undefined) this.nowMs = ms;
  }

  #onAlarm: () => void = () => {};

  #driver(onAlarm: () => void): Driver {
    this.#onAlarm = onAlarm;
    return {
      dial: (on) => {
        this.dialsMs.push(this.nowMs);
        let given = false;
        const guarded: DialResult = {
          connected: (link) => given || on.connected(link),
          failed: (error) => given || on.failed(error),
        };
        this.later(0, () => (this.#peer.onDial ?? ((dial) => void this.connect(dial)))(guarded, this));
        return () => given = true;
      },
      setAlarm: (ms) => this.#alarmMs = this.nowMs + ms,
      every: (ms, call) => {
        let isOver = false;
        const again = (): void => {
          if (isOver) return;
          call();
          this.later(ms, again);
        };
        this.later(ms, again);
        return () => isOver = true;
      },
      soon: (call) => this.later(0, call),
      close: () => Promise.resolve(),
    };
  }
}

/** Answers each request with the same, after so many milliseconds. */
export function echoAfter(ms: (request: number) => number): Peer {
  let requests = 0;
  return {
    onSend: (link, rig) => {
      const text = link.sent.at(-1) ?? "";
      rig.later(ms(requests++), () => link.reply(text));
    },
  };
}

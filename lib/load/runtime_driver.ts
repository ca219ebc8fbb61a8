import type { Endpoint } from "../core/endpoint.ts";
import { every } from "../core/every.ts";
import type { TlsClient } from "../engine/tls_contract.ts";
import { DatagramBuffers } from "../engine/runtime/datagrams/datagram_buffers.ts";
import { RuntimeUpstream } from "../engine/runtime/datagrams/upstream.ts";
import { RuntimeEngine } from "../engine/runtime/engine.ts";
import type { RuntimeSocket } from "../engine/runtime/socket.ts";
import { TlsFault } from "../engine/runtime/tls_fault.ts";
import { writeClientHeader } from "../wire/write_proxy_header.ts";
import type { DialResult, Driver, Link, LinkEvents } from "./link.ts";
import type { LoadPlan } from "./plan.ts";
import { RuntimeDatagramLink } from "./runtime_datagrams.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A read holds its buffer, so that it is small until one read has filled it. */
const FIRST_BUFFER_BYTES = 4 * 1024;
const BUFFER_BYTES = 64 * 1024;

type DriverPlan = Pick<LoadPlan, "addresses" | "tls" | "host" | "proxyProtocol">;

/** The loads that the runtime drives, and all that speak TLS. */
export class RuntimeDriver implements Driver {
  readonly #engine = new RuntimeEngine(new Set());
  readonly #datagramBuffers = new DatagramBuffers();
  readonly #onAlarm: () => void;
  readonly #plan: DriverPlan;
  readonly #tls: TlsClient | undefined;
  #stopAlarm: () => void = () => {};

  constructor(plan: DriverPlan, onAlarm: () => void) {
    this.#plan = plan;
    this.#onAlarm = onAlarm;
    const { tls } = plan;
    this.#tls = tls === undefined ? undefined : this.#engine.tlsClient(tls.options, tls.keys);
  }

  dial(on: DialResult): () => void {
    let given = false;
    let open: RuntimeSocket | undefined;
    const fault = (error: unknown): void => {
      throw error;
    };
    const stop = this.#engine.dial(this.#plan.addresses, {
      connected: (socket) => {
        if (socket instanceof RuntimeUpstream) {
          return on.connected(new RuntimeDatagramLink(socket, this.#datagramBuffers));
        }
        open = socket as RuntimeSocket;
        const link = new RuntimeLink(open);
        if (this.#tls === undefined) return on.connected(link);
        const { proxyProtocol, host } = this.#plan;
        if (proxyProtocol !== undefined) socket.preface(writeClientHeader(proxyProtocol, socket));
        socket.startTls(this.#tls, host, {
          opened: () => given || on.connected(link),
          tlsFailed: (why) => {
            socket.close();
            if (!given) on.failed(new TlsFault(why));
          },
          fault,
        });
      },
      dialFailed: (error) => on.failed(error),
      fault,
    });
    return () => {
      given = true;
      stop();
      open?.close();
    };
  }

  setAlarm(ms: number): void {
    this.#stopAlarm();
    this.#stopAlarm = this.#engine.later(Math.max(0, Math.floor(ms)), this.#onAlarm);
  }

  every(ms: number, call: () => void): () => void {
    return every(ms, call);
  }

  soon(call: () => void): void {
    queueMicrotask(call);
  }

  close(): Promise<void> {
    this.#stopAlarm();
    return Promise.resolve();
  }
}

class RuntimeLink implements Link {
  readonly #socket: RuntimeSocket;
  #on: LinkEvents | undefined;
  #buffer: Bytes = makeBuffer(FIRST_BUFFER_BYTES);
  /** What the system has not taken yet; the first of them is being written. */
  readonly #unsent: Bytes[] = [];
  #endsAfter = false;

  constructor(socket: RuntimeSocket) {
    this.#socket = socket;
  }

  get peer(): Endpoint {
    return this.#socket.peer;
  }

  get local(): Endpoint {
    return this.#socket.local;
  }

  get unsentBytes(): number {
    return this.#unsent.reduce((sum, { length }) => sum + length, 0);
  }

  get isClear(): boolean {
    return this.#unsent.length === 0;
  }

  begin(on: LinkEvents, preface: Bytes | undefined): void {
    this.#on = on;
    if (preface !== undefined) this.send(preface);
    this.#read();
  }

  send(bytes: Bytes): void {
    this.#unsent.push(bytes);
    if (this.#unsent.length === 1) this.#write(bytes);
  }

  endSending(): void {
    this.#endsAfter = true;
    if (this.isClear) this.#endSending();
  }

  close(): void {
    this.#on = undefined;
    this.#socket.close();
  }

  #read(): void {
    this.#socket.read(this.#buffer).then(this.#onRead, this.#onFault);
  }

  readonly #onRead = (filled: number | null): void => {
    const on = this.#on;
    if (on === undefined) return;
    if (filled === null) return on.ended();
    on.received(this.#buffer, filled);
    if (this.#on === undefined) return;
    if (filled === this.#buffer.length && filled < BUFFER_BYTES) this.#buffer = makeBuffer(BUFFER_BYTES);
    this.#read();
  };

  #write(bytes: Bytes): void {
    this.#socket.write(bytes).then(this.#onWritten, this.#onFault);
  }

  readonly #onWritten = (written: number): void => {
    if (this.#on === undefined) return;
    const [first] = this.#unsent;
    if (first === undefined) return;
    if (written < first.length) this.#unsent[0] = first.subarray(written);
    else this.#unsent.shift();
    const [next] = this.#unsent;
    if (next !== undefined) return this.#write(next);
    if (this.#endsAfter) this.#endSending();
    this.#on.drained();
  };

  #endSending(): void {
    // Its peer may have gone, which a read tells.
    this.#socket.closeWrite().catch(() => {});
  }

  readonly #onFault = (error: unknown): void => {
    const on = this.#on;
    this.close();
    on?.lost(error);
  };
}

function makeBuffer(bytes: number): Bytes {
  return new Uint8Array(new ArrayBuffer(bytes));
}

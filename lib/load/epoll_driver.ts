import { RunError } from "../core/errors.ts";
import type { Endpoint } from "../core/endpoint.ts";
import type { Reach } from "../engine/confinement.ts";
import { EpollEngine } from "../engine/epoll/engine.ts";
import { EpollSocket, GONE, type SocketOwner } from "../engine/epoll/socket.ts";
import { UdpSocket } from "../engine/epoll/datagrams/udp_socket.ts";
import type { ThreadShare } from "../engine/epoll/thread_share.ts";
import { EpollDatagramLink } from "./epoll_datagrams.ts";
import type { DialResult, Driver, Link, LinkEvents } from "./link.ts";
import type { LoadPlan } from "./plan.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** One connection receives so often at a time; then others have their turn. */
const MAX_RECEIVES = 16;

/** The loop sleeps no longer at a time. */
const MAX_SLEEP_MS = 1_000;

/** The loads that the engine epoll drives. Its thread is confined by the kernel, as far as that can. */
export class EpollDriver implements Driver {
  readonly #engine: EpollEngine;
  readonly #alarm: { set(ms: number): void; close(): void };
  readonly #addresses: LoadPlan["addresses"];

  constructor(share: ThreadShare, { addresses }: Pick<LoadPlan, "addresses">, onAlarm: () => void) {
    // Messages ring the bell; nothing else needs a turn of the runtime's loop.
    this.#engine = new EpollEngine({ ...share, maxSleepMs: MAX_SLEEP_MS });
    this.#alarm = this.#engine.alarm(onAlarm);
    this.#addresses = addresses;
    this.#engine.confine(reachOf(addresses));
  }

  dial(on: DialResult): () => void {
    return this.#engine.dial(this.#addresses, {
      connected: (socket) => {
        if (socket instanceof UdpSocket) return on.connected(new EpollDatagramLink(socket));
        if (!(socket instanceof EpollSocket)) throw new RunError("a socket of another engine");
        on.connected(new EpollLink(socket));
      },
      dialFailed: (error) => on.failed(error),
      fault: (fault) => {
        throw fault;
      },
    });
  }

  setAlarm(ms: number): void {
    this.#alarm.set(ms);
  }

  every(ms: number, call: () => void): () => void {
    return this.#engine.every(ms, call);
  }

  soon(call: () => void): void {
    this.#engine.soon(call);
  }

  async close(): Promise<void> {
    this.#alarm.close();
    await this.#engine.close();
  }
}

/** It dials whom it loads, and nothing else. */
function reachOf(addresses: LoadPlan["addresses"]): Reach {
  return {
    hasDatagrams: addresses.some(({ transport }) => transport === "udp"),
    ports: addresses.flatMap((address) => address.transport === "tcp" ? [address.port] : []),
    mayDialUnix: addresses.some(({ transport }) => transport === "unix"),
    mayBind: false,
    makesLoad: true,
  };
}

class EpollLink implements Link, SocketOwner {
  readonly #socket: EpollSocket;
  #on: LinkEvents | undefined;
  /** What the system has not taken yet. */
  readonly #unsent: Bytes[] = [];
  #endsAfter = false;
  #hasEnded = false;

  constructor(socket: EpollSocket) {
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
    this.#socket.owner = this;
    if (preface !== undefined) this.send(preface);
    // What came before there was an owner to be told.
    if (this.#socket.isReadable) this.#soon(() => this.onReady(this.#socket, false));
  }

  send(bytes: Bytes): void {
    if (this.#unsent.length > 0) return void this.#unsent.push(bytes);
    const taken = this.#socket.sendFrom(bytes);
    if (taken === bytes.length) return;
    this.#unsent.push(taken > 0 ? bytes.subarray(taken) : bytes);
    if (taken === GONE) this.#soon(() => this.#lost());
  }

  endSending(): void {
    this.#endsAfter = true;
    if (this.isClear) this.#socket.endSending();
  }

  onReady(socket: EpollSocket, isWritable: boolean): void {
    if (isWritable && this.#unsent.length > 0 && !this.#flush()) return;
    const { buffers } = socket.tools;
    for (let receives = 0; socket.isReadable && !socket.isClosed; receives++) {
      if (receives === MAX_RECEIVES) return this.#soon(() => this.onReady(socket, false));
      const got = socket.receive(buffers.current);
      if (got === GONE) return this.#lost();
      if (got === 0) break;
      this.#on?.received(buffers.current, got);
    }
    if (socket.isClosed) return;
    if (socket.hasPeerGone) return this.#lost();
    if (!socket.isAtEnd || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#on?.ended();
  }

  onClosed(): void {}

  close(): void {
    this.#on = undefined;
    this.#socket.close();
  }

  /** False when there is no more to do with the connection now. */
  #flush(): boolean {
    for (let first = this.#unsent[0]; first !== undefined; first = this.#unsent[0]) {
      const taken = this.#socket.sendFrom(first);
      if (taken === GONE) {
        this.#lost();
        return false;
      }
      if (taken < first.length) {
        this.#unsent[0] = first.subarray(taken);
        return true;
      }
      this.#unsent.shift();
    }
    if (this.#endsAfter) this.#socket.endSending();
    this.#on?.drained();
    return !this.#socket.isClosed;
  }

  #lost(): void {
    const on = this.#on;
    this.close();
    on?.lost(undefined);
  }

  #soon(call: () => void): void {
    this.#socket.tools.loop.soon(() => {
      if (!this.#socket.isClosed) call();
    });
  }
}

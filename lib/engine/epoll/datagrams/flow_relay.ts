/**
 * The relay of a flow: datagrams from its client to its backend and back, each as it is, in their order. What a system has no room for is
 * dropped, and what is above a rate limit. It ends when both are closed, or when the backend refuses, or cannot be reached.
 */

import type { Pace, Paces, RelayEvents } from "../../contract.ts";
import { isUnreachable } from "../../unreachable.ts";
import { EMSGSIZE, ENOBUFS, ENOMEM, nameOf } from "../errno.ts";
import { EPOLLERR, MSG_NOSIGNAL, SYS_SENDMMSG } from "../linux.ts";
import { takeError } from "../options.ts";
import { type Answered, DRAINED, FAILED } from "./answers.ts";
import type { Arrivals } from "./arrivals.ts";
import type { Flow, FlowSink } from "./flow.ts";
import type { UdpSocket, UdpSocketOwner } from "./udp_socket.ts";

/** Calls for one flow before all others have their turn. */
const FAIR_SHARE_CALLS = 4;

/** Relays as {@linkcode Engine.relay} says. */
export function relayFlow(flow: Flow, backend: UdpSocket, on: RelayEvents, paces: Paces | undefined): void {
  new FlowRelay(flow, backend, on, paces).begin();
}

class FlowRelay implements FlowSink, UdpSocketOwner, Answered {
  readonly flow: Flow;
  readonly #backend: UdpSocket;
  readonly #on: RelayEvents;
  readonly #paceIn: Pace | undefined;
  readonly paceOut: Pace | undefined;
  #isOver = false;
  #isRefused = false;

  constructor(flow: Flow, backend: UdpSocket, on: RelayEvents, paces: Paces | undefined) {
    this.flow = flow;
    this.#backend = backend;
    this.#on = on;
    this.#paceIn = paces?.in;
    this.paceOut = paces?.out;
  }

  begin(): void {
    this.flow.relayBy(this, this.#backend.tools.datagrams.arrivals);
    this.#backend.own(this);
  }

  passKept(datagram: Uint8Array<ArrayBuffer>): void {
    if (this.#isEnded) return;
    try {
      if (this.#paceIn?.passes(datagram.length) === false) return;
      this.#send(datagram, datagram.length);
    } catch (fault) {
      this.#on.fault(fault);
    }
  }

  passIn(arrivals: Arrivals, begin: number, end: number): number {
    if (this.#isEnded) return end - begin;
    try {
      return this.#paceIn === undefined
        ? this.#sendAll(arrivals, begin, end)
        : this.#sendPassing(arrivals, begin, end, this.#paceIn);
    } catch (fault) {
      this.#on.fault(fault);
      return end - begin;
    }
  }

  onReady(events: number): void {
    if (this.#isEnded) return;
    try {
      if ((events & EPOLLERR) !== 0 && isRefusal(takeError(this.#backend.tools.libc, this.#backend.fd))) {
        this.#isRefused = true;
      }
      this.#passOut();
    } catch (fault) {
      this.#on.fault(fault);
    }
  }

  answered(bytes: number): void {
    if (this.#isOver) return;
    try {
      this.#on.moved("out", bytes);
    } catch (fault) {
      this.#on.fault(fault);
    }
  }

  lost(): void {
    this.flow.dropped++;
    if (this.#isOver) return;
    try {
      this.#on.answerLost();
    } catch (fault) {
      this.#on.fault(fault);
    }
  }

  /** One of the two was closed. */
  onClosed(): void {
    if (this.flow.isClosed && this.#backend.isClosed) this.#finish();
  }

  get #isEnded(): boolean {
    return this.#isOver || this.#backend.isClosed || this.flow.isClosed;
  }

  /** False when it was not sent because the backend is gone, and the flow was closed for it. */
  #send(datagram: Uint8Array<ArrayBuffer>, length: number): boolean {
    const { libc } = this.#backend.tools;
    if (libc.send(this.#backend.fd, datagram, length, MSG_NOSIGNAL) >= 0) this.#on.moved("in", length);
    else if (isUnreachable(nameOf(libc.errno()))) return !this.#refused();
    else this.flow.dropped++;
    return true;
  }

  /** Those that are below the limit. How many are dealt with. */
  #sendPassing(arrivals: Arrivals, begin: number, end: number, pace: Pace): number {
    const { received } = arrivals;
    for (let at = begin; at < end;) {
      let to = at;
      while (to < end && pace.passes(received.received(to))) to++;
      if (to > at) at += this.#sendAll(arrivals, at, to);
      if (this.#isEnded) return at - begin;
      // The one that was dropped.
      at = to + 1;
    }
    return end - begin;
  }

  /** How many are dealt with. */
  #sendAll(arrivals: Arrivals, begin: number, end: number): number {
    if (end - begin > 1) return this.#sendSome(arrivals, begin, end);
    const { received } = arrivals;
    const buffer = received.buffers[begin] as Uint8Array<ArrayBuffer>;
    return this.#send(buffer, received.received(begin)) ? 1 : 0;
  }

  #sendSome({ received, sent }: Arrivals, begin: number, end: number): number {
    const { libc } = this.#backend.tools;
    for (let i = begin; i < end; i++) sent.setLength(i, received.received(i));
    let at = begin;
    while (at < end) {
      const header = sent.from[at] as Uint8Array;
      const taken = libc.sendmmsg(SYS_SENDMMSG, this.#backend.fd, header, end - at, MSG_NOSIGNAL);
      if (taken < 0) {
        if (!isUnreachable(nameOf(libc.errno()))) this.flow.dropped++;
        else if (this.#refused()) break;
        at++;
      }
      for (let i = 0; i < taken; i++, at++) {
        if (!this.#isOver) this.#on.moved("in", received.received(at));
      }
      // The one who was told may have ended it.
      if (this.#isEnded) break;
    }
    return at - begin;
  }

  /** The answers that there are, up to a fair share. */
  #passOut(): void {
    const { loop, libc, datagrams } = this.#backend.tools;
    const { answers } = datagrams;
    for (let calls = 0; calls < FAIR_SHARE_CALLS && !this.#isEnded; calls++) {
      const how = answers.receive(this, this.#backend.fd);
      if (how === FAILED && isRefusal(libc.errno())) this.#isRefused = true;
      if (how === DRAINED) return void (this.#isRefused && this.#gone());
    }
    if (!this.#isEnded) loop.soon(() => this.onReady(0));
  }

  /** Sending has told that the backend is gone. Whether the flow was closed for it. */
  #refused(): boolean {
    this.#isRefused = true;
    this.#passOut();
    return this.flow.isClosed;
  }

  /** Nothing listens there. What it had answered before goes to the client first. */
  #gone(): void {
    this.#backend.tools.datagrams.answers.flush();
    if (this.#isEnded) return;
    this.#on.backendGone();
    this.#finish();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#on.finished();
  }
}

/** Whether an error that the system has noted for a connected socket means that no one is there, and not that a datagram is lost. */
function isRefusal(errno: number): boolean {
  return errno !== 0 && errno !== EMSGSIZE && errno !== ENOBUFS && errno !== ENOMEM;
}

/**
 * What the data plane asks of an engine, which alone knows sockets. Types only.
 *
 * One engine serves one thread. Events are told by calling, in the turn of the event loop in which they are noticed.
 *
 * Datagrams have the same contract. A flow, which is all that comes from one address and port to one listener, is a
 * {@linkcode ClientSocket}; it is accepted with its first datagram, unless that comes from port 0, where no answer can be sent. A
 * {@linkcode Socket} that was dialled at a UDP address is a socket of this flow alone, connected at once. Nothing of them ends by itself: a
 * flow is over when it is closed, or its backend refuses it. When both are closed their relay has ended, which is told within the call that
 * closes the second: what they held is free when it returns.
 */

import type { Address } from "../core/address.ts";
import type { Connection } from "../core/connection.ts";
import type { Endpoint } from "../core/endpoint.ts";
import type { NextSource } from "../core/next_source.ts";
import type { Every } from "../core/every.ts";
import type { TlsClient, TlsEvents, TlsKeys, TlsServer } from "./tls_contract.ts";
import type { TlsClientOptions, TlsServerOptions } from "../core/tls_options.ts";
import type { Woken } from "../core/woken.ts";

/** When the system asks a silent peer for a sign of life (RFC 9293, 3.8.4). */
export interface Keepalive {
  /** Silence before the first probe; 0 sends none. */
  readonly idleMs: number;
  /** Between two probes. */
  readonly intervalMs: number;
  /** So many without an answer, and the connection is over. */
  readonly count: number;
}

/**
 * A connection. Who was given it owns it and closes it, also after its peer has gone; a relay closes neither of its two.
 */
export interface Socket {
  readonly peer: Endpoint;
  readonly local: Endpoint;
  /**
   * Sends this before anything that is relayed to it, and before TLS, as it is; it is not counted. Call it once, before
   * {@linkcode startTls} and the relay.
   */
  preface(bytes: Uint8Array): void;
  /**
   * Opens TLS as the client of the connection, of which nothing was read yet. What is read, relayed and sent from then on is what TLS
   * carries.
   *
   * @param host Where it was dialled: a name or an IP address. The certificate has to be for that, unless `tls` names another one;
   * undefined where it has neither.
   * @throws {TypeError} for an engine that cannot.
   */
  startTls(tls: TlsClient, host: string | undefined, on: TlsEvents): void;
  /** Bytes that were sent and that the peer's system has not acknowledged; undefined where the engine does not know. */
  readonly unacknowledged: number | undefined;
  /**
   * Asks for signs of life from now on, with these times where the engine can set them. A client may have them from its listener
   * already.
   */
  keepAlive(options: Keepalive): void;
  /** Closes it, which ends all that is under way on it. May be called again. */
  close(): void;
  /**
   * As {@linkcode close}, but the peer learns that this is no regular end, where the engine can say so (RFC 9293, 3.10.5). What was
   * passed on to it before is delivered first, unless it takes nothing for a few seconds, or half a minute is over.
   */
  reset(): void;
}

/** One that can be read and written by hand, as those who are no relay do. */
export interface StreamSocket
  extends Omit<Socket, "preface" | "startTls" | "unacknowledged" | "keepAlive">, Connection {}

/** A connection that was accepted. */
export interface ClientSocket extends Socket {
  /** Of a flow: how many datagrams, of either direction, were dropped for want of room, or because the system would not send them. */
  readonly dropped?: number;
  /**
   * Begins to read ahead, before there is a backend to pass anything on to; the relay takes over what was read.
   *
   * @param on Told when the client turns out to have reset its connection, until the relay begins or the socket is closed.
   */
  readAhead(on: Pick<RelayEvents, "clientGone">): void;
  /**
   * Reads further ahead, a few KiB at most, for as long as `isWaiting`; call it after {@linkcode readAhead}.
   *
   * @return Whether the client has ended its sending side; false when that is not known.
   * @throws When the client has reset its connection, or the socket was closed.
   */
  hasEnded(isWaiting: () => boolean): Promise<boolean>;
  /**
   * Reads ahead until what the client has sent is enough; call it after {@linkcode readAhead}. All that was read is kept, and the
   * relay begins with it. Call it again, once it is answered, to look at more: it begins with what is there.
   *
   * @param isEnough Asked with all that came so far, whenever more has come.
   * @param on Told from now on, in place of the one before, also of a client that resets its connection after it was enough.
   * @param maxBytes So much is waited for at most.
   */
  firstBytes(isEnough: (bytes: Uint8Array) => boolean, on: FirstBytesEvents, maxBytes: number): void;
  /**
   * Drops the first of the bytes that were read ahead, such as a header that is not for the backend: what is asked and relayed next
   * begins after them. Call it once {@linkcode firstBytes} is answered, from within that call or later, and before the relay.
   *
   * @throws {RangeError} when less was read.
   */
  skip(bytes: number): void;
  /**
   * Opens TLS as the server of the connection; call it after {@linkcode readAhead}. What was read ahead is the beginning of it. What is
   * read, relayed and sent from then on is what TLS carries; a client that resets is told as before.
   *
   * @param serverName Which one its ClientHello asks for: decides which certificate it is shown.
   * @throws {TypeError} for an engine that cannot.
   */
  openTls(tls: TlsServer, serverName: string | undefined, on: TlsEvents): void;
}

/**
 * What becomes of waiting for first bytes; never told before `firstBytes` has returned, and nothing once the socket is closed. The
 * bytes are not to be changed.
 */
export interface FirstBytesEvents extends Pick<RelayEvents, "clientGone"> {
  /** All that came so far, which is enough. */
  enough(bytes: Uint8Array): void;
  /** All that came, which is not enough: the client has ended its sending side, or sent as much as is waited for. */
  tooFew(bytes: Uint8Array): void;
  /** One of these, or the question, has thrown. */
  fault(fault: unknown): void;
}

/** From the client to the backend, or back. */
export type Direction = "in" | "out";

/** What becomes of a dial; one of these, once, and never before `dial` has returned. */
export interface DialEvents {
  /** The socket belongs to the one who is told. */
  connected(socket: Socket): void;
  /** {@linkcode shortageOf} and {@linkcode describeDialFault} know to explain why. */
  dialFailed(error: unknown): void;
  /** One of these has thrown. */
  fault(fault: unknown): void;
}

/** What a relay tells the one for whom it works, at once. */
export interface RelayEvents {
  /** There is one write more that its peer has not taken yet, or one less. */
  writesPending(change: 1 | -1): void;
  /** Bytes were passed on; of datagrams, those of one, which may be none. */
  moved(direction: Direction, bytes: number): void;
  /** Of datagrams: one of the backend has come, and the system would not send it to the client. */
  answerLost(): void;
  /** A direction has come to its end, which was passed on. */
  directionEnded(direction: Direction): void;
  /**
   * The client has reset its connection, or takes nothing more: there is no one left to serve. Where the engine can read on, what the
   * client had sent before was passed on.
   */
  clientGone(): void;
  /**
   * The backend has reset its connection, or takes nothing more. The client still gets all that it had sent. Of datagrams: nothing
   * listens there (an ICMP message, RFC 1122, 4.1.3.3), where the engine is told.
   */
  backendGone(): void;
  /** After that: the client was given all of it, and an end. */
  clientTold(): void;
  /** The relay is over, and holds nothing more; the last that it tells. */
  finished(): void;
  /** One of these has thrown; its direction is over. */
  fault(fault: unknown): void;
}

/** How fast one direction of a relay may pass bytes on. */
export interface Pace {
  /** As much is received at once at most; what was read ahead may be more. */
  readonly mostBytes: number;
  /**
   * Asks for bytes that were received and are to be passed on; nothing more is received before that.
   *
   * @return Whether they may pass now. Otherwise `resume` is called once, when they may, or when both sockets are closed.
   */
  ask(bytes: number, resume: () => void): boolean;
  /** Of datagrams, which cannot wait: asked once for each, whole; false when it is above the limit, and is to be dropped. */
  passes(bytes: number): boolean;
}

/** Those of a relay; undefined for a direction without a limit. */
export interface Paces {
  readonly in: Pace | undefined;
  readonly out: Pace | undefined;
}

/** Who may come in. One place is taken for each connection, before it is accepted; a datagram that would begin a flow and finds none is dropped. */
export interface Limiter {
  /** Takes a place; false when there is none. */
  readonly enter: () => boolean;
  /** Gives a place back. */
  readonly leave: () => void;
  /** Resolves when it is worth trying to enter again; at the latest after a moment. */
  readonly freed: () => Promise<void>;
}

export interface AcceptOptions<Conn> {
  readonly limiter: Limiter;
  /** Serves a connection, which it then owns, and calls `leave` once when it is over. Never throws. */
  readonly serve: (conn: Conn, leave: () => void) => void;
  /** Ends the accepting and closes the listener. Connections that were accepted go on. */
  readonly stop: AbortSignal;
  /**
   * Where `stop` finds a socket that no other thread has, and whose path leads elsewhere by now, what waits in its backlog is still
   * accepted, for a few seconds at most; this ends that as well. Without it `stop` ends everything.
   */
  readonly halt?: AbortSignal;
  /** Told when accepting begins to fail, with the reason, and when it works again; of a series only once in a while. */
  readonly onTrouble: (event: "accept_failing" | "accept_recovered", fields: Record<string, unknown>) => void;
  /**
   * Of datagrams: asked with each one that belongs to no flow here, before there is a place for it, also when none is begun any more; true
   * when another thread has its flow, and was given it.
   */
  readonly passOn?: (client: Endpoint, datagram: Uint8Array) => boolean;
  /**
   * Of datagrams: whether another thread reads at the address from now on. Asked once, by `stop`: if so this one reads nothing more, and
   * is given what is for its flows by {@linkcode Listener.deliver}; if not it goes on to read for the flows that there are, and
   * drops what would begin another.
   */
  readonly isReplaced?: () => boolean;
}

/** What listens. Who asked for it owns it, until it accepts. */
export interface Listener {
  /**
   * Accepts until it is stopped, and then waits for nothing more; it closes the listener. What flows need of it lasts until the last of them
   * is closed.
   */
  accept(options: AcceptOptions<ClientSocket>): Promise<void>;
  /** Of datagrams: handles one of a client as if it was received here. The bytes are not kept. */
  deliver?(client: Endpoint, datagram: Uint8Array): void;
  /** Of datagrams, of one that was stopped and not replaced: another thread reads at the address from now on; this one reads nothing more. */
  leave?(): void;
  /** For a listener that never accepts. */
  close(): void;
}

export interface Engine {
  /**
   * Listens on addresses with nothing left open (see `settleAddresses`), all of one listener, together with every other thread
   * of this process that does.
   *
   * @param sockets Descriptors that the process has opened for that, where the engine is given them.
   * @throws {RunError} that says in one sentence why it cannot be done.
   */
  listen(addresses: readonly Address[], backlog: number, sockets?: readonly number[]): Promise<Listener>;
  /**
   * Dials a peer, at its other addresses too if the first does not answer.
   *
   * @param source Where it is dialled from, for an engine that can choose.
   * @return Gives the dial up: nothing is told any more, and what still comes of it is closed.
   */
  dial(addresses: readonly [Address, ...Address[]], on: DialEvents, source?: NextSource): () => void;
  /**
   * After a dial that found no descriptor: calls when it is worth another try. Accepting pauses meanwhile: a descriptor that
   * becomes free is for those who were let in.
   *
   * @return Takes that back.
   */
  whenDescriptor(call: () => void): () => void;
  /**
   * Calls once, after so many milliseconds.
   *
   * @return Takes that back.
   */
  later(ms: number, call: () => void): () => void;
  readonly every: Every;
  /** Waits for a wake-up by another thread. Resolves in the next turn of the event loop. */
  readonly woken: Woken;
  /**
   * Relays until both directions have ended, or the client is gone, or both sockets were closed; an end of one direction is passed
   * on as that alone. A backend that is gone lets the client have what it had sent. Closes neither socket.
   *
   * @param paces Undefined where neither direction has a limit.
   */
  relay(client: ClientSocket, backend: Socket, on: RelayEvents, paces?: Paces): void;
  /**
   * Makes ready what connections to a listener open TLS with.
   *
   * @throws {TypeError} when the keys cannot be read, or for an engine that does not open TLS.
   */
  tlsServer(options: TlsServerOptions, keys: TlsKeys): TlsServer;
  /** As {@linkcode tlsServer}, for connections to the backends of a pool. */
  tlsClient(options: TlsClientOptions, keys: TlsKeys): TlsClient;
  /** Ends the engine; resolves when the last of its connections, on their way out, is closed. Call it when nothing is under way. */
  close(): Promise<void>;
}

/**
 * What comes before a session is routed, where its listener asks for it: a PROXY header, which says who the client is; whether that
 * client is let in; then the ClientHello of TLS, which says where the client wants to go; then TLS itself, where it is opened and not
 * passed on.
 *
 * All of it has to be there within `handshake_timeout`, which the session watches. What is not whole by then, or is not what it should
 * be, is refused: there is no laxer way for it.
 */

import type { Endpoint } from "../core/endpoint.ts";
import type { ClientSocket, FirstBytesEvents } from "../engine/contract.ts";
import type { TlsEvents, TlsFacts, TlsServer } from "../engine/tls_contract.ts";
import type { Pool } from "../pool/pool.ts";
import { type ClientHello, ClientHelloReader, MAX_CLIENT_HELLO_BYTES } from "../wire/client_hello.ts";
import { Malformed } from "../wire/malformed.ts";
import { MAX_PROXY_HEADER_BYTES, type ProxyHeader, type Tlv } from "../wire/proxy_header.ts";
import { readProxyHeader } from "../wire/read_proxy_header.ts";
import { type Admission, UNCOUNTED } from "./admission.ts";
import type { DenialReason, EndReason } from "./record.ts";

/** What the clients of a listener are asked before they are routed. */
export interface GreetingPlan {
  /** For all of it together, in ms. */
  readonly timeoutMs: number;
  /** Whether a peer is a proxy, which sends a header; no other may connect. Undefined where no header is expected. */
  readonly isProxy: ((peer: Endpoint) => boolean) | undefined;
  /** Who is let in; undefined where everyone is. */
  readonly admission: Admission | undefined;
  /** Opens TLS; undefined passes it on as it is. */
  readonly tls: TlsServer | undefined;
  /** Whether a ClientHello that is passed on decides where the session goes. */
  readonly looksAtHello: boolean;
  /** The pool of the first route that matches; undefined when none does. */
  readonly routeOf: (hello: Pick<ClientHello, "serverName" | "alpn">) => Pool | undefined;
}

/** The session that is greeted. */
export interface Greeted {
  readonly client: ClientSocket;
  readonly listener: { readonly pool: Pool | undefined };
  route(pool: Pool): void;
  /** @param why In plain words, for its record. */
  refuse(reason: EndReason, why: string): void;
  /** As {@linkcode refuse}, with no more ado: there may be thousands a second. */
  deny(reason: DenialReason): void;
  clientGone(): void;
  fault(fault: unknown): void;
}

export class Greeting implements TlsEvents {
  /** The proxy that sent a header; undefined when none did. */
  via: Endpoint | undefined;
  /** The true client. */
  source: Endpoint;
  /** Where the header says that the client connected to; undefined: where it did here. */
  destination: Endpoint | undefined;
  /** Further facts of the header, until a backend has them. */
  tlvs: readonly Tlv[] = [];
  /** What the client asked for; undefined when that was not looked at, or was not TLS. */
  hello: Pick<ClientHello, "serverName" | "alpn"> | undefined;
  /** How TLS was opened; undefined where it was not. */
  tls: TlsFacts | undefined;
  readonly #session: Greeted;
  readonly #plan: GreetingPlan;
  #place = UNCOUNTED;
  /** What is waited for. */
  #step: "its PROXY header" | "its ClientHello" | "TLS" = "its PROXY header";

  constructor(session: Greeted, plan: GreetingPlan) {
    this.#session = session;
    this.#plan = plan;
    this.source = session.client.peer;
  }

  begin(): void {
    const { isProxy } = this.#plan;
    if (isProxy === undefined) this.#greet();
    else if (isProxy(this.source)) this.#readHeader();
    else this.#session.refuse("proxy_refused", "it may not send a PROXY header here");
  }

  #readHeader(): void {
    let answer: ReturnType<typeof readProxyHeader> = "incomplete";
    this.#firstBytes(
      MAX_PROXY_HEADER_BYTES,
      (bytes) => (answer = readProxyHeader(bytes)) !== "incomplete",
      () => {
        if (answer === "incomplete") {
          this.#session.refuse(
            "proxy_invalid",
            "the client ended before its PROXY header was whole",
          );
        } else if (answer instanceof Malformed) this.#session.refuse("proxy_invalid", answer.reason);
        else this.#introduced(answer);
      },
    );
  }

  /** A proxy that speaks for itself, or does not know for whom, is the client. */
  #introduced({ source, destination, tlvs, length }: ProxyHeader): void {
    this.via = this.source;
    this.source = source ?? this.source;
    this.destination = destination;
    this.tlvs = tlvs;
    this.#session.client.skip(length);
    this.#greet();
  }

  #greet(): void {
    const { admission } = this.#plan;
    if (admission !== undefined) {
      const place = admission.enter(this.source);
      if (typeof place === "string") return this.#session.deny(place);
      this.#place = place;
    }
    this.#step = "its ClientHello";
    if (this.#plan.looksAtHello || this.#plan.tls !== undefined) this.#readHello();
    else this.#route();
  }

  #readHello(): void {
    const reader = new ClientHelloReader();
    let answer: ReturnType<ClientHelloReader["take"]> = "incomplete";
    this.#firstBytes(
      MAX_CLIENT_HELLO_BYTES,
      (bytes) => (answer = reader.take(bytes)) !== "incomplete",
      () => {
        if (answer === "incomplete") {
          this.#session.refuse(
            "hello_invalid",
            "the client ended before its ClientHello was whole",
          );
        } else if (answer instanceof Malformed) this.#session.refuse("hello_invalid", answer.reason);
        else this.#helloRead(answer);
      },
    );
  }

  #helloRead(hello: ClientHello | "not_tls"): void {
    const { tls } = this.#plan;
    if (hello !== "not_tls") this.hello = hello;
    if (tls === undefined) return this.#route();
    if (hello === "not_tls") return this.#session.refuse("tls_failed", "it does not speak TLS");
    this.#step = "TLS";
    this.#session.client.openTls(tls, hello.serverName, this);
  }

  opened(facts: TlsFacts): void {
    this.tls = facts;
    this.hello = { serverName: facts.serverName, alpn: facts.alpn === undefined ? [] : [facts.alpn] };
    this.#route();
  }

  tlsFailed(why: string): void {
    this.#session.refuse("tls_failed", why);
  }

  fault(fault: unknown): void {
    this.#session.fault(fault);
  }

  /** The session is over: gives back the place that its source has. May be called again. */
  leave(): void {
    if (this.#place === UNCOUNTED) return;
    this.#plan.admission?.leave(this.#place);
    this.#place = UNCOUNTED;
  }

  /** @param ageMs Since the client was accepted. */
  onTick(ageMs: number): void {
    if (ageMs < this.#plan.timeoutMs) return;
    this.#session.refuse("handshake_timeout", `the client was not done with ${this.#step}`);
  }

  #route(): void {
    const routed = (this.hello === undefined ? undefined : this.#plan.routeOf(this.hello)) ??
      this.#session.listener.pool;
    if (routed !== undefined) this.#session.route(routed);
    else this.#session.refuse("no_route", this.hello === undefined ? "it is not TLS" : "no route matches");
  }

  /** @param then When it is decided, in whichever way. */
  #firstBytes(maxBytes: number, isEnough: (bytes: Uint8Array) => boolean, then: () => void): void {
    const on: FirstBytesEvents = {
      enough: then,
      tooFew: then,
      clientGone: () => this.#session.clientGone(),
      fault: (fault) => this.fault(fault),
    };
    this.#session.client.firstBytes(isEnough, on, maxBytes);
  }
}

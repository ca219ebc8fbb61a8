import type { Address } from "../../core/address.ts";
import { type Every, every } from "../../core/every.ts";
import { type Woken, woken } from "../../core/woken.ts";
import type { TlsClientOptions, TlsServerOptions } from "../../core/tls_options.ts";
import type { AcceptOptions, DialEvents, Engine, Listener, Paces, RelayEvents } from "../contract.ts";
import type { TlsKeys } from "../tls_contract.ts";
import { acceptConnections } from "./accept.ts";
import { Buffers } from "./buffers.ts";
import { DatagramBuffers } from "./datagrams/datagram_buffers.ts";
import { RuntimeFlow } from "./datagrams/flow.ts";
import { listenForFlows } from "./datagrams/flow_listener.ts";
import { relayDatagrams } from "./datagrams/relay.ts";
import { dialUpstream, type RuntimeUpstream } from "./datagrams/upstream.ts";
import { DescriptorShortage } from "../descriptor_shortage.ts";
import { dial } from "./dial.ts";
import { joined } from "./joined_listener.ts";
import { listenShared } from "./listen.ts";
import { relay } from "./relay.ts";
import type { RuntimeConn } from "./runtime_conn.ts";
import { RuntimeClient, type RuntimeSocket } from "./socket.ts";
import { RuntimeTlsClient } from "./tls_client.ts";
import { RuntimeTlsServer } from "./tls_server.ts";
import { TurnBudget } from "./turn_budget.ts";

/** The engine of a thread on the sockets of the runtime (`Deno.Conn`). */
export class RuntimeEngine implements Engine {
  readonly turnBudget: TurnBudget;
  readonly every: Every = every;
  readonly woken: Woken = woken;
  readonly #buffers = new Buffers();
  readonly #datagramBuffers = new DatagramBuffers();
  readonly #shortage = new DescriptorShortage((ms, call) => this.later(ms, call));

  /** @param sessions Those of this thread. Their number decides whether chunks may wait for a later turn. */
  constructor(sessions: { readonly size: number }) {
    this.turnBudget = new TurnBudget(sessions);
  }

  async listen(addresses: readonly Address[], backlog: number): Promise<Listener> {
    const forFlows = addresses.filter((address) => address.transport === "udp");
    return forFlows.length > 0
      ? listenForFlows(forFlows)
      : await this.listenForConnections(addresses, backlog);
  }

  /** As {@linkcode listen}, where there are no datagrams. */
  async listenForConnections(addresses: readonly Address[], backlog: number): Promise<RuntimeListener> {
    const tries = await Promise.allSettled(addresses.map((address) => listenShared(address, backlog)));
    const sockets = tries.flatMap((it) => it.status === "fulfilled" ? [it.value] : []);
    const failed = tries.find((it) => it.status === "rejected");
    if (failed !== undefined) {
      for (const socket of sockets) socket.close();
      throw failed.reason;
    }
    return new RuntimeListener(sockets, this.#shortage, this.#buffers);
  }

  /** A connection that was accepted by another listener. The client owns it from here on. */
  clientOf(conn: RuntimeConn): RuntimeClient {
    return new RuntimeClient(conn, this.#buffers);
  }

  dial(addresses: readonly [Address, ...Address[]], on: DialEvents): () => void {
    if (addresses[0].transport === "udp") return dialUpstream(addresses, on);
    const given = new AbortController();
    dial(addresses, given.signal).then(
      (socket) => {
        if (given.signal.aborted) return socket.close();
        on.connected(socket);
      },
      (error) => {
        if (!given.signal.aborted) on.dialFailed(error);
      },
    ).catch((fault) => on.fault(fault));
    return () => given.abort();
  }

  whenDescriptor(call: () => void): () => void {
    return this.#shortage.wait(call);
  }

  later(ms: number, call: () => void): () => void {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  }

  /** Datagrams are relayed to where datagrams were dialled, and connections to connections. */
  relay(
    client: RuntimeClient | RuntimeFlow,
    backend: RuntimeSocket | RuntimeUpstream,
    on: RelayEvents,
    paces?: Paces,
  ): void {
    if (client instanceof RuntimeFlow) {
      return relayDatagrams(client, backend as RuntimeUpstream, on, this.#datagramBuffers, paces);
    }
    relay(
      client,
      backend as RuntimeSocket,
      on,
      { buffers: this.#buffers, turnBudget: this.turnBudget },
      paces,
    );
  }

  tlsServer(options: TlsServerOptions, keys: TlsKeys): RuntimeTlsServer {
    return new RuntimeTlsServer(options, keys);
  }

  tlsClient(options: TlsClientOptions, keys: TlsKeys): RuntimeTlsClient {
    return new RuntimeTlsClient(options, keys, this.#buffers);
  }

  async close(): Promise<void> {}
}

class RuntimeListener implements Listener {
  readonly #sockets: readonly Deno.Listener[];
  readonly #shortage: DescriptorShortage;
  readonly #buffers: Buffers;

  constructor(sockets: readonly Deno.Listener[], shortage: DescriptorShortage, buffers: Buffers) {
    this.#sockets = sockets;
    this.#shortage = shortage;
    this.#buffers = buffers;
  }

  accept({ limiter, serve, stop, halt, onTrouble }: AcceptOptions<RuntimeClient>): Promise<void> {
    const shortage = this.#shortage;
    const serveConn = (conn: Deno.Conn, leave: () => void): void =>
      serve(new RuntimeClient(conn, this.#buffers), leave);
    return acceptConnections(joined(this.#sockets, (conn) => serveConn(conn, () => {})), {
      stop,
      onTrouble,
      // A TCP socket is shared: what waits there is accepted by others.
      ...(this.#isUnix && halt !== undefined ? { halt } : {}),
      serve: serveConn,
      limiter: {
        enter: () => !shortage.hasWaiters && limiter.enter(),
        leave: limiter.leave,
        freed: () => shortage.hasWaiters ? shortage.retryPause() : limiter.freed(),
      },
    });
  }

  get #isUnix(): boolean {
    return this.#sockets.some(({ addr }) => addr.transport === "unix");
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}

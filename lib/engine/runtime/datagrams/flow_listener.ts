// deno-lint-ignore-file no-await-in-loop -- datagrams are received one by one

/** A listener for datagrams: tells flows apart, and reads for all of them. */

import { formatHostPort, type UdpAddress } from "../../../core/address.ts";
import type { Endpoint } from "../../../core/endpoint.ts";
import { sleep } from "../../../core/sleep.ts";
import { AcceptTrouble } from "../../accept_trouble.ts";
import type { AcceptOptions, ClientSocket, Listener } from "../../contract.ts";
import { describeListenError } from "../../listen_error.ts";
import { MAX_DATAGRAM_BYTES } from "./datagram_buffers.ts";
import { FairShare, nextTurn } from "./fair_share.ts";
import { RuntimeFlow } from "./flow.ts";

/** A socket has nothing more to read when nothing has come at so many looks, each in a turn of the event loop of its own. */
const LOOK_MS = 10;
const QUIET_LOOKS = 3;

/** The control plane waits longer for a worker to close. */
const MAX_REST_MS = 2_000;

/**
 * Listens on these addresses. The socket that was bound last is given everything that comes to an address (Linux), whatever others
 * have it: so the next worker takes over with this call, and what comes until it accepts waits in its socket.
 *
 * @throws {RunError} that says in one sentence why it cannot be done; then none is left open.
 */
export function listenForFlows(addresses: readonly UdpAddress[]): FlowListener {
  const sockets: Deno.DatagramConn[] = [];
  for (const address of addresses) {
    const { host: hostname, port } = address;
    try {
      sockets.push(Deno.listenDatagram({ transport: "udp", hostname, port, reuseAddress: true }));
    } catch (error) {
      for (const socket of sockets) socket.close();
      throw describeListenError(address, error);
    }
  }
  return new FlowListener(sockets);
}

export class FlowListener implements Listener {
  readonly #sockets: readonly Deno.DatagramConn[];
  /** By the address of the client, in one form. */
  readonly #flows = new Map<string, RuntimeFlow>();
  /** Undefined before it accepts. */
  #options: AcceptOptions<ClientSocket> | undefined;
  #beginsFlows = true;
  #received = 0;
  #isClosed = false;

  constructor(sockets: readonly Deno.DatagramConn[]) {
    this.#sockets = sockets;
  }

  async accept(options: AcceptOptions<ClientSocket>): Promise<void> {
    this.#options = options;
    for (const socket of this.#sockets) void this.#read(socket, options);
    await aborted(options.stop);
    // What another thread does not get any more.
    if (options.isReplaced?.() === true) await this.#rest(options.halt);
    this.#beginsFlows = false;
    if (this.#flows.size === 0) this.close();
  }

  deliver(client: Endpoint, datagram: Uint8Array): void {
    const [socket] = this.#sockets;
    if (client.transport !== "udp" || socket === undefined || this.#options === undefined) return;
    this.#take(socket, this.#options, client, datagram);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.close();
  }

  async #read(socket: Deno.DatagramConn, options: AcceptOptions<ClientSocket>): Promise<void> {
    const buffer = new Uint8Array(MAX_DATAGRAM_BYTES);
    const trouble = new AcceptTrouble(options.onTrouble);
    const share = new FairShare();
    while (!this.#isClosed) {
      try {
        const [datagram, from] = await socket.receive(buffer);
        trouble.accepted();
        const { hostname: host, port } = from as Deno.NetAddr;
        this.#take(socket, options, { transport: "udp", host, port }, datagram);
        if (share.spend()) await nextTurn();
      } catch (error) {
        if (this.#isClosed) return;
        await sleep(trouble.failed(error));
      }
    }
  }

  #take(
    socket: Deno.DatagramConn,
    { passOn, limiter, serve }: AcceptOptions<ClientSocket>,
    client: UdpAddress,
    datagram: Uint8Array,
  ): void {
    this.#received++;
    const key = formatHostPort(client.host, client.port);
    const flow = this.#flows.get(key);
    if (flow !== undefined) return flow.take(datagram);
    // There is no way to answer port 0.
    if (client.port === 0) return;
    if (passOn?.(client, datagram) === true) return;
    if (!this.#beginsFlows || !limiter.enter()) return;
    const begun = new RuntimeFlow({ socket, client, onClosed: () => this.#left(key) });
    this.#flows.set(key, begun);
    begun.take(datagram);
    serve(begun, limiter.leave);
  }

  #left(key: string): void {
    this.#flows.delete(key);
    if (!this.#beginsFlows && this.#flows.size === 0) this.close();
  }

  /** Resolves when there is nothing more to read, or it has had its time. */
  async #rest(halt: AbortSignal | undefined): Promise<void> {
    const startedMs = performance.now();
    let [quietLooks, received] = [0, this.#received];
    while (quietLooks < QUIET_LOOKS && performance.now() - startedMs < MAX_REST_MS) {
      if (halt?.aborted === true) return;
      await sleep(LOOK_MS, halt);
      quietLooks = this.#received === received ? quietLooks + 1 : 0;
      received = this.#received;
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

import { AcceptTrouble } from "../../accept_trouble.ts";
import type { AcceptOptions, ClientSocket } from "../../contract.ts";
import type { Endpoint } from "../../../core/endpoint.ts";
import { addressBytes, addressLength } from "../endpoint_cell.ts";
import { EAGAIN, EINTR, SystemError } from "../errno.ts";
import { AF_INET6, EPOLLET, EPOLLIN, F_DUPFD_CLOEXEC, SYS_RECVMMSG } from "../linux.ts";
import type { EventHandler } from "../loop.ts";
import type { EngineTools } from "../tools.ts";
import type { Arrivals } from "./arrivals.ts";
import { endpointOfName, Flow, type FlowSource } from "./flow.ts";
import { FlowTable, portOf } from "./flow_table.ts";
import { BATCH, NAME_WORDS } from "./messages.ts";
import { udpEndpoint } from "./udp_socket.ts";

const NO_ADDRESS = /^(0\.0\.0\.0|::)$/;

/** One socket that a listener reads, and the flows of it. */
export class FlowSocket implements EventHandler, FlowSource {
  readonly fd: number;
  readonly local: Endpoint;
  readonly isIPv6: boolean;
  readonly tellsLocal: boolean;
  readonly #tools: EngineTools;
  readonly #flows = new FlowTable<Flow>();
  #options: AcceptOptions<ClientSocket> | undefined;
  #trouble: AcceptTrouble | undefined;
  #isReading = false;
  /** No flow begins any more, and with the last one it closes. */
  #isEnding = false;
  #isClosed = false;

  /**
   * Uses a socket that the process has opened, by a descriptor of its own: it needs it for as long as it has flows.
   *
   * @throws {SystemError}
   */
  constructor(tools: EngineTools, fd: number) {
    this.#tools = tools;
    this.fd = tools.loop.adopt(tools.libc.fcntl(fd, F_DUPFD_CLOEXEC, 0));
    this.local = udpEndpoint(this.fd, (it) => tools.libc.getsockname(it, addressBytes, addressLength));
    this.isIPv6 = addressBytes[0] === AF_INET6;
    this.tellsLocal = this.local.transport === "udp" && NO_ADDRESS.test(this.local.host);
  }

  /** Begins to read. */
  begin(options: AcceptOptions<ClientSocket>): void {
    this.#options = options;
    this.#trouble = new AcceptTrouble(options.onTrouble);
    this.#watch();
  }

  /** No flow begins from here on. It closes when there is none left. */
  end(isReplaced: boolean): void {
    this.#isEnding = true;
    if (isReplaced) this.#unwatch();
    if (this.#flows.size === 0) this.close();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#tools.datagrams.answers.flush();
    this.#unwatch();
    this.#tools.loop.close(this.fd);
  }

  /** Handles a datagram as if it was received here, unless it would begin a flow and may not; whether it was handled. */
  deliver(name: Int32Array<ArrayBuffer>, datagram: Uint8Array, mayBegin: boolean): boolean {
    const { arrivals } = this.#tools.datagrams;
    arrivals.release();
    arrivals.received.put(name, datagram);
    const hasPlace = mayBegin || this.#flows.find(arrivals.received.names, 0) !== undefined;
    if (hasPlace) this.#handle(arrivals, 1);
    arrivals.received.rearm(1);
    return hasPlace;
  }

  forget(flow: Flow): void {
    this.#flows.remove(flow);
    if (this.#isEnding && this.#flows.size === 0) this.close();
  }

  onEvents(): void {
    if (this.#isReading) this.#read();
  }

  #watch(): void {
    if (this.#isEnding || this.#isClosed) return;
    try {
      this.#tools.loop.watch(this.fd, EPOLLIN | EPOLLET, this);
      this.#isReading = true;
    } catch (error) {
      this.#later(error, () => this.#watch());
    }
  }

  #unwatch(): void {
    if (!this.#isReading) return;
    this.#isReading = false;
    this.#tools.loop.unwatch(this.fd);
  }

  /** A batch; then all other sockets have their turn. */
  #read(): void {
    const { libc, loop, datagrams: { arrivals } } = this.#tools;
    arrivals.release();
    const header = arrivals.received.from[0] as Uint8Array;
    const count = libc.recvmmsg(SYS_RECVMMSG, this.fd, header, BATCH, 0, null);
    if (count < 0) {
      const errno = libc.errno();
      if (errno === EAGAIN) return;
      if (errno === EINTR) return loop.soon(this.#readOn);
      return this.#later(new SystemError(errno), this.#readOn);
    }
    try {
      this.#handle(arrivals, count);
    } finally {
      arrivals.received.rearm(count);
    }
    if (count === BATCH) loop.soon(this.#readOn);
  }

  readonly #readOn = (): void => this.onEvents();

  #handle(arrivals: Arrivals, count: number): void {
    const { names } = arrivals.received;
    for (let i = 0; i < count;) {
      const flow = this.#flows.find(names, i * NAME_WORDS);
      if (flow === undefined) {
        this.#beginFlow(arrivals, i++);
        continue;
      }
      let end = i + 1;
      while (end < count && flow.isFrom(names, end * NAME_WORDS)) end++;
      // One that turned out to be of no more use has left the table: the next datagram begins another.
      i += flow.receive(arrivals, i, end);
    }
  }

  #beginFlow(arrivals: Arrivals, i: number): void {
    const options = this.#options;
    const { received } = arrivals;
    const at = i * NAME_WORDS;
    // There is no way to answer port 0.
    if (options === undefined || portOf(received.names, at) === 0) return;
    const name = received.names.slice(at, at + NAME_WORDS);
    if (options.passOn !== undefined) {
      const bytes = received.buffers[i] as Uint8Array;
      if (options.passOn(endpointOfName(name), bytes.subarray(0, received.received(i)))) return;
    }
    const { enter, leave } = options.limiter;
    if (this.#isEnding || !enter()) return;
    const flow = new Flow(this, name);
    this.#flows.add(flow);
    flow.receive(arrivals, i, i + 1);
    this.#trouble?.accepted();
    options.serve(flow, leave);
  }

  #later(error: unknown, call: () => void): void {
    const pauseMs = this.#trouble?.failed(error) ?? 0;
    this.#tools.loop.timers.later(pauseMs, call);
  }
}

/** Datagrams out of messages, or input, and what is answered to an output. */

import { formatAddress, type UdpAddress } from "../core/address.ts";
import type { CoarseClock } from "../core/coarse_clock.ts";
import type { Connection } from "../core/connection.ts";
import { MAX_DATAGRAM_BYTES } from "../core/datagram.ts";
import { formatDuration } from "../core/duration.ts";
import { RunError } from "../core/errors.ts";
import { OutputClosed, writeOut } from "../core/output.ts";
import { resolveAddress } from "../core/resolve.ts";
import { describeFault } from "./fault.ts";
import { readInput } from "./input.ts";
import { PeerSocket } from "./peer_socket.ts";
import { SilenceWatch } from "./silence_watch.ts";

/** How long an answer may take where no timeout is given: one that is lost never comes. */
const ANSWER_TIMEOUT_MS = 10_000;

export interface ExchangeOptions {
  readonly connect: UdpAddress;
  /** Sent with a newline each, when the one before has been answered; when there is none, `input` is sent as it is read. */
  readonly messages: readonly string[];
  /** How long to wait for any datagram in either direction, and for the answers that are due in the end; 0 is forever, but 10 s for those. */
  readonly timeoutMs: number;
  readonly input: Pick<Connection, "read">;
  readonly output: Pick<Connection, "write">;
  /** Ends it at once; not an error. */
  readonly stop: AbortSignal;
  /** What measures how long it waits; by default one of its own. */
  readonly clock?: CoarseClock;
}

/**
 * Sends everything, and prints what is answered, until there are as many answers as datagrams.
 *
 * @throws {RunError} when there is no such peer, or not all answers come in time.
 */
export async function exchangeDatagrams(options: ExchangeOptions): Promise<void> {
  const exchange = new Exchange(options);
  const peer = formatAddress(options.connect);
  try {
    await exchange.run();
  } catch (error) {
    if (options.stop.aborted || error instanceof OutputClosed) return;
    if (error instanceof RunError) throw error;
    const why = exchange.hasGivenUp ? exchange.silence() : describeFault(options.connect, error);
    throw new RunError(`${peer}: ${why}`, { cause: error });
  }
}

class Exchange {
  readonly #options: ExchangeOptions;
  readonly #watch: SilenceWatch;
  readonly #answerTimeoutMs: number;
  /** How long a silence now ends it. */
  #limitMs: number;
  #sent = 0;
  #answered = 0;
  /** Called when as many answers have come as datagrams were sent. */
  #onAllAnswered: (() => void) | undefined;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#watch = new SilenceWatch(options.stop, options.clock);
    this.#limitMs = options.timeoutMs;
    this.#answerTimeoutMs = options.timeoutMs === 0 ? ANSWER_TIMEOUT_MS : options.timeoutMs;
  }

  get hasGivenUp(): boolean {
    return this.#watch.signal.aborted;
  }

  /** What was missed when it has given up. */
  silence(): string {
    const time = formatDuration(this.#limitMs);
    if (this.#answered >= this.#sent) return `nothing came for ${time}`;
    if (this.#answered === 0) {
      return `no answer within ${time}; perhaps nothing listens there, or a datagram was lost`;
    }
    return `nothing came for ${time}; ${this.#answered} of ${this.#sent} datagrams were answered`;
  }

  async run(): Promise<void> {
    const { signal } = this.#watch;
    const { promise: gaveUp, reject } = Promise.withResolvers<never>();
    const giveUp = (): void => reject(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    if (signal.aborted) giveUp();
    let socket: PeerSocket | undefined;
    try {
      this.#watch.limit(this.#limitMs);
      const address = await Promise.race([resolveAddress(this.#options.connect), gaveUp]) as UdpAddress;
      socket = new PeerSocket(address);
      await Promise.race([this.#sendAll(socket), this.#receiveAll(socket), gaveUp]);
    } finally {
      this.#watch.end();
      signal.removeEventListener("abort", giveUp);
      socket?.close();
    }
  }

  async #sendAll(socket: PeerSocket): Promise<void> {
    const { messages, input } = this.#options;
    for (const message of messages) {
      // deno-lint-ignore no-await-in-loop -- one after the other is the point
      await this.#send(socket, new TextEncoder().encode(`${message}\n`));
      // deno-lint-ignore no-await-in-loop -- the same
      await this.#allAnswered();
    }
    if (messages.length > 0) return;
    const buffer = new Uint8Array(MAX_DATAGRAM_BYTES);
    for (;;) {
      // deno-lint-ignore no-await-in-loop -- a pipe is read in order
      const filled = await readInput(input, buffer);
      if (filled === null) break;
      // deno-lint-ignore no-await-in-loop -- and sent in order
      await this.#send(socket, buffer.subarray(0, filled));
    }
    await this.#allAnswered();
  }

  async #send(socket: PeerSocket, datagram: Uint8Array): Promise<void> {
    // Before it is sent: its answer may be there when the sending comes back.
    this.#sent++;
    await socket.send(datagram);
    this.#watch.moved();
  }

  /** Waits until there are as many answers as datagrams, for as long as an answer may take. */
  async #allAnswered(): Promise<void> {
    if (this.#answered >= this.#sent) return;
    this.#limitMs = this.#answerTimeoutMs;
    this.#watch.limit(this.#limitMs);
    await new Promise<void>((resolve) => this.#onAllAnswered = resolve);
  }

  /** Ends only by a fault, or when the socket is closed. */
  async #receiveAll(socket: PeerSocket): Promise<never> {
    for (;;) {
      // deno-lint-ignore no-await-in-loop -- answers come in order
      const answer = await socket.receive();
      this.#watch.moved();
      // deno-lint-ignore no-await-in-loop -- and are printed in order
      await writeOut(answer, this.#options.output);
      this.#answered++;
      if (this.#answered >= this.#sent) this.#onAllAnswered?.();
    }
  }
}

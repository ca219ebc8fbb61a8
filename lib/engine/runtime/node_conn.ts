/**
 * A connection that can be reset.
 *
 * `Deno.Conn` cannot be: when it is closed it ends its sending side first, so the peer sees an end even where bytes of it are unread.
 * A socket of node:net is closed with SO_LINGER of 0 s (socket(7)), for which the kernel sends an RST.
 */

import type { Socket } from "node:net";
import { errnoOf } from "../../core/errors.ts";
import type { RuntimeConn } from "./runtime_conn.ts";

export class NodeConn implements RuntimeConn {
  readonly localAddr: Deno.Addr;
  readonly remoteAddr: Deno.Addr;
  readonly #socket: Socket;
  readonly #closed = new AbortController();
  #error: Error | undefined;
  /** Lets the read that is under way look again. */
  #wake: () => void = () => {};

  /** Owns the socket from here on, whose server has `allowHalfOpen`. */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.localAddr = addressOf(socket.localAddress, socket.localPort);
    this.remoteAddr = addressOf(socket.remoteAddress, socket.remotePort);
    socket.on("error", (error) => this.#error = asRuntimeError(error));
    for (const event of ["readable", "end", "close"]) socket.on(event, () => this.#wake());
    socket.on("close", () => this.#closed.abort());
  }

  /** Aborted when it is closed, on this side or by a reset of the peer. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** One at a time. */
  async read(buffer: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#error !== undefined) throw this.#error;
      // To read nothing asks the system for more.
      const chunk = this.#socket.read(Math.min(buffer.length, this.#socket.readableLength)) as
        | Uint8Array
        | null;
      if (chunk !== null) {
        buffer.set(chunk);
        return chunk.length;
      }
      if (this.#socket.readableEnded) return null;
      if (this.#socket.destroyed) throw new Deno.errors.Interrupted("The connection was closed");
      // deno-lint-ignore no-await-in-loop -- until there is something
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(asRuntimeError(error)) : resolve(bytes.length));
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(() => resolve()));
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Closes it with an RST; a Unix socket, which knows none, is closed. */
  reset(): void {
    if (this.localAddr.transport === "tcp") this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }
}

function addressOf(hostname: string | undefined, port: number | undefined): Deno.Addr {
  return hostname === undefined || port === undefined
    ? { transport: "unix", path: "" }
    : { transport: "tcp", hostname, port };
}

/** As an error of the runtime, by which the rest of the program knows a peer that has reset. */
function asRuntimeError(error: Error): Error {
  if (errnoOf(error) === "ECONNRESET") return new Deno.errors.ConnectionReset("Connection reset by peer");
  if (errnoOf(error) === "EPIPE") return new Deno.errors.BrokenPipe("Broken pipe");
  return error;
}

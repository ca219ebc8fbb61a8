/**
 * The sockets of a generation that the runtime cannot share between threads. Unix sockets are made beside their paths, handed over at a
 * reload, removed at the end; what waits in the backlog of an old one is accepted by the worker that has it, when that is told to drain
 * (accept.ts). Datagrams go to the worker whose socket was bound last (flow_listener.ts).
 */

import { formatAddress, type UnixAddress } from "../core/address.ts";
import { RunError } from "../core/errors.ts";
import { boundAt, setSocketFile, type SocketFile } from "../core/socket_file.ts";
import { isAnswered, removeFile, removeSocketFile } from "../core/listening.ts";
import type { ListenerOptions } from "../dataplane/messages.ts";
import { describeListenError } from "../engine/listen_error.ts";
import type { GenerationSockets } from "./generation_sockets.ts";

/** As the runtime says it. */
const IN_USE = Object.assign(new Deno.errors.AddrInUse(), { code: "EADDRINUSE" });

export class UnixSockets implements GenerationSockets {
  readonly #addresses: readonly UnixAddress[];
  readonly #listeners: readonly ListenerOptions[];

  constructor(listeners: readonly ListenerOptions[]) {
    this.#listeners = listeners;
    this.#addresses = unixAddresses(listeners);
  }

  /** Checks that each path is free, or a stale socket. */
  async prepare(before: readonly ListenerOptions[]): Promise<void> {
    const fresh = missingIn(this.#addresses, unixAddresses(before));
    await Promise.all(fresh.map(async (address) => {
      if (await isAnswered(address.path)) throw describeListenError(address, IN_USE);
    }));
  }

  /** Unix sockets and datagrams cannot be shared between threads: the first worker has them. */
  forWorker(listener: ListenerOptions, index: number): ListenerOptions | undefined {
    if (listener.address.transport !== "tcp" && index > 0) return undefined;
    return { ...listener, address: boundAt(listener.address) };
  }

  /**
   * Renames the bound sockets to their paths, all or none.
   *
   * A worker that was given up removes what it has bound when it ends, however late. By then the next one may have bound the same
   * path: the runtime permits a Unix socket by its exact path only, so each worker cannot have a path of its own.
   *
   * @throws {RunError} when a bound socket is gone.
   */
  async takeOverPaths(): Promise<void> {
    await Promise.all(this.#addresses.map(async (address) => {
      if (await isMissing(boundAt(address).path)) {
        throw new RunError(`cannot listen on ${formatAddress(address)}: its new socket was removed`);
      }
    }));
    for (const { address, file } of this.#listeners) {
      if (address.transport === "unix" && file !== undefined) setFile(address, boundAt(address).path, file);
    }
    await Promise.all(this.#addresses.map((address) => Deno.rename(boundAt(address).path, address.path)));
  }

  /** Removes bound sockets that were never renamed. They are ours only if the first worker has bound them. */
  async withdraw(hasListened: boolean): Promise<void> {
    if (!hasListened) return;
    await Promise.all(this.#addresses.map((it) => removeFile(boundAt(it).path)));
  }

  /** Removes the socket files that `next` has not taken over. Call it when their listeners are closed. */
  async remove(next: readonly ListenerOptions[]): Promise<void> {
    await Promise.all(missingIn(this.#addresses, unixAddresses(next)).map(removeSocketFile));
  }
}

/** @throws {RunError} */
export function setFile(address: UnixAddress, path: string, file: SocketFile): void {
  try {
    setSocketFile(path, file);
  } catch (error) {
    throw describeListenError(address, error);
  }
}

async function isMissing(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return false;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}

function unixAddresses(listeners: readonly ListenerOptions[]): UnixAddress[] {
  return listeners.flatMap(({ address }) => address.transport === "unix" ? [address] : []);
}

function missingIn(addresses: readonly UnixAddress[], others: readonly UnixAddress[]): UnixAddress[] {
  return addresses.filter(({ path }) => others.every((it) => it.path !== path));
}

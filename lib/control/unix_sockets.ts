/**
 * The sockets of a generation that the runtime cannot share between threads. Unix sockets are made beside their paths, handed over at a
 * reload, removed at the end; what waits in the backlog of an old one is accepted by the worker that has it, when that is told to drain
 * (accept.ts). Datagrams go to the worker whose socket was bound last (flow_listener.ts).
 */

import { formatAddress, type UnixAddress } from "../core/address.ts";
import { RunError } from "../core/errors.ts";
import { boundAt, fileAt, setSocketFile, type SocketFile } from "../core/socket_file.ts";
import { isAnswered, removeFile, removeSocketFile } from "../core/listening.ts";
import type { ListenerOptions } from "../dataplane/messages.ts";
import { describeListenError } from "../engine/listen_error.ts";
import type { GenerationSockets } from "./generation_sockets.ts";

/** As the runtime says it. */
const IN_USE = Object.assign(new Deno.errors.AddrInUse(), { code: "EADDRINUSE" });

/** What tells the files that this program has made from those that take their places, by path. */
export type OwnFiles = Map<string, string | undefined>;

export class UnixSockets implements GenerationSockets {
  readonly #addresses: readonly UnixAddress[];
  readonly #listeners: readonly ListenerOptions[];
  readonly #files: OwnFiles;

  /** @param files Of all generations. */
  constructor(listeners: readonly ListenerOptions[], files: OwnFiles = new Map()) {
    this.#listeners = listeners;
    this.#files = files;
    this.#addresses = unixAddresses(listeners);
  }

  /** Checks that each path is free, or has a stale socket or our own. */
  async prepare(): Promise<void> {
    await Promise.all(this.#addresses.map(async (address) => {
      if (await this.#isInPlace(address)) return;
      if (await isAnswered(address.path)) throw describeListenError(address, IN_USE);
    }));
  }

  async areInPlace(): Promise<boolean> {
    return (await Promise.all(this.#addresses.map((it) => this.#isInPlace(it)))).every((it) => it);
  }

  async #isInPlace({ path }: UnixAddress): Promise<boolean> {
    const file = this.#files.get(path);
    return file !== undefined && file === await fileAt(path);
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
    await Promise.all(this.#addresses.map(async (address) => {
      const bound = boundAt(address).path;
      this.#files.set(address.path, await fileAt(bound));
      await Deno.rename(bound, address.path);
    }));
  }

  /** Removes bound sockets that were never renamed. They are ours only if the first worker has bound them. */
  async withdraw(hasListened: boolean): Promise<void> {
    if (!hasListened) return;
    await Promise.all(this.#addresses.map((it) => removeFile(boundAt(it).path)));
  }

  /** Removes the socket files that `next` has not taken over. Call it when their listeners are closed. */
  async remove(next: readonly ListenerOptions[]): Promise<void> {
    const kept = unixAddresses(next).map(({ path }) => path);
    await Promise.all(this.#addresses.filter(({ path }) => !kept.includes(path)).map(removeSocketFile));
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

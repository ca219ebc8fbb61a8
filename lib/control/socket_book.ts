/** All listening sockets of a balancer whose engine is epoll, and who uses them: a socket closes with its last user. */

import { type Address, formatAddress, type UnixAddress } from "../core/address.ts";
import { setFile } from "./unix_sockets.ts";
import { fileAt, setSocketFile, type SocketFile, socketFileAt } from "../core/socket_file.ts";
import { isAnswered, removeFile, removeSocketFile } from "../core/listening.ts";
import type { ListenerOptions } from "../dataplane/messages.ts";
import type { Keepalive } from "../engine/contract.ts";
import type { EpollHost } from "../engine/epoll/host.ts";
import { describeListenError } from "../engine/listen_error.ts";
import type { GivenSocket } from "./given_sockets.ts";

/** What the process does for the sockets. */
type SocketHost = Pick<
  EpollHost,
  "listen" | "openDatagrams" | "keepAlive" | "closeListening" | "adopt" | "pass"
>;

/** What a listener says of its sockets. */
type UseOptions = Pick<ListenerOptions, "backlog" | "keepalive" | "file">;

/** A socket that is open. Each use ends with {@linkcode SocketBook.release}. */
export interface OpenSocket {
  readonly address: Address;
  /** What tells the file of a Unix socket from one that takes its place. */
  readonly file: string | undefined;
  /** How the system made that file; undefined where that is not known. */
  readonly made: SocketFile | undefined;
  /** What was set of it. */
  guard: SocketFile | undefined;
  /** The one whose file was gone when this one was opened; generations that drain still listen with it. */
  readonly older: OpenSocket | undefined;
  /** One that all workers share; for datagrams one for each worker, by its index, as many as there ever were at once. */
  readonly descriptors: number[];
  /** Generations that listen on it. */
  users: number;
  /** Whether another process listens with it too: then it is not ours to end, and neither is its file. */
  isElsewhere: boolean;
  /** Whether that stays so for as long as it is open. */
  readonly isManaged: boolean;
}

/** All listening sockets of a balancer, by address. */
export class SocketBook {
  readonly #host: SocketHost;
  readonly #open = new Map<string, OpenSocket>();
  /** Those that no generation has asked for yet. */
  readonly #given = new Map<string, GivenSocket>();

  constructor(host: SocketHost) {
    this.#host = host;
  }

  /** Uses these sockets where their addresses are to be listened on, instead of opening others. */
  give(sockets: readonly GivenSocket[]): void {
    for (const socket of sockets) this.#given.set(formatAddress(socket.address), socket);
  }

  /** What was given for an address, and is not in use. */
  givenAt(address: Address): GivenSocket | undefined {
    return this.#given.get(formatAddress(address));
  }

  /** Closes what was given and is not in use. */
  closeUnused(): readonly GivenSocket[] {
    const unused = [...this.#given.values()];
    this.#given.clear();
    for (const fd of unused.flatMap(({ descriptors }) => descriptors)) this.#host.closeListening(fd, true);
    return unused;
  }

  /** All that is open. */
  get open(): readonly GivenSocket[] {
    return [...this.#open.values()].map(({ address, descriptors, isManaged, made, guard }) => {
      return { address, descriptors, isManaged, made, guard };
    });
  }

  /**
   * Passes all that is open, in this order, to the process that waits for it at a path; it goes on here.
   *
   * @return Whether that process may have it.
   * @throws {SystemError}
   */
  pass(to: UnixAddress): boolean {
    return this.#host.pass(to, this.open.flatMap(({ descriptors }) => descriptors));
  }

  /** The balancer that they were given by listens with them no more. */
  own(): void {
    for (const socket of this.#open.values()) socket.isElsewhere = socket.isManaged;
  }

  /** Another process listens at these addresses as well, and goes on when nothing here does. */
  shareWithOthers(addresses: ReadonlySet<string>): void {
    for (const [address, socket] of this.#open) if (addresses.has(address)) socket.isElsewhere = true;
  }

  /**
   * Listens on an address, which may be listened on already. Each use is to be released. A Unix socket whose file is gone is opened anew:
   * no client would find the one that is open.
   *
   * @throws {RunError} when it cannot be listened on.
   */
  async use(address: Address, options: UseOptions): Promise<OpenSocket> {
    const before = this.#open.get(formatAddress(address));
    if (before !== undefined) {
      before.users++;
      if (await isInPlace(before)) return before;
      await this.release(before);
    }
    const given = this.#takeGiven(address, options);
    const { descriptors, isManaged, made, guard } = given ?? await this.#listen(address, options);
    const socket = {
      address,
      file: await fileOf(address),
      made,
      guard,
      older: before,
      descriptors: [...descriptors],
      users: 1,
      isElsewhere: given !== undefined,
      isManaged,
    };
    this.#open.set(formatAddress(address), socket);
    return socket;
  }

  #takeGiven(address: Address, { backlog }: UseOptions): GivenSocket | undefined {
    const given = this.#given.get(formatAddress(address));
    if (given === undefined) return undefined;
    this.#given.delete(formatAddress(address));
    for (const fd of given.descriptors) this.#host.adopt(fd, address, backlog);
    // That of the service manager is as it was made.
    const made = address.transport === "unix" ? given.made ?? socketFileAt(address.path) : undefined;
    return { ...given, made };
  }

  /**
   * The descriptors that a worker listens with. For datagrams each generation has the same ones: with another number of sockets the
   * system would give clients to other workers than before. Where workers are fewer than they were, one has several: what comes to a
   * socket that no worker reads would be lost.
   *
   * @param index Of the worker, less than `workers`.
   * @throws {RunError} when one cannot be opened.
   */
  descriptors(socket: OpenSocket, index: number, workers: number): readonly number[] {
    const { address, descriptors, isManaged } = socket;
    if (address.transport !== "udp") return descriptors;
    // What comes to a socket of our own is lost when the program ends.
    while (!isManaged && descriptors.length <= index) {
      descriptors.push(attempt(address, () => this.#host.openDatagrams(address, false)));
    }
    return descriptors.filter((_, i) => i % workers === index);
  }

  /** Those who connect from now on have this. */
  keepAlive({ address, descriptors }: OpenSocket, keepalive: Keepalive): void {
    if (address.transport !== "tcp") return;
    for (const fd of descriptors) this.#host.keepAlive(fd, keepalive);
  }

  /** Sets the mode and the group of its file; what is said no more is as the system made it. */
  setFile(socket: OpenSocket, file: SocketFile | undefined): void {
    const { address, made, guard } = socket;
    if (address.transport !== "unix") return;
    const wanted = (key: keyof SocketFile): number | undefined =>
      file?.[key] ?? (guard?.[key] === undefined ? undefined : made?.[key]);
    setFile(address, address.path, { mode: wanted("mode"), group: wanted("group") });
    socket.guard = file;
  }

  /** Ends one use. The last one closes the socket, and removes the file of a Unix socket. */
  async release(socket: OpenSocket): Promise<void> {
    if (--socket.users > 0) return;
    const { address, older } = socket;
    const key = formatAddress(address);
    if (this.#open.get(key) === socket) {
      // A generation that could not begin leaves it to the one in force.
      if (older !== undefined && older.users > 0) this.#open.set(key, older);
      else this.#open.delete(key);
    }
    for (const fd of socket.descriptors) this.#host.closeListening(fd, socket.isElsewhere);
    if (!socket.isElsewhere && await isInPlace(socket)) await removeSocketFile(address);
  }

  async #listen(address: Address, { backlog, keepalive, file }: UseOptions): Promise<GivenSocket> {
    if (address.transport === "unix" && !await isAnswered(address.path)) await removeFile(address.path);
    let made: SocketFile | undefined;
    const onBound = (): void => {
      if (address.transport !== "unix") return;
      made = socketFileAt(address.path);
      if (file !== undefined) setSocketFile(address.path, file);
    };
    const descriptor = attempt(address, () => {
      return address.transport === "udp"
        ? this.#host.openDatagrams(address, true)
        : this.#host.listen(address, { backlog, keepalive, onBound });
    });
    return { address, descriptors: [descriptor], isManaged: false, made, guard: file };
  }
}

/** Whether a client finds it at its address. */
export async function isInPlace({ address, file }: OpenSocket): Promise<boolean> {
  return address.transport !== "unix" || (file !== undefined && file === await fileOf(address));
}

async function fileOf(address: Address): Promise<string | undefined> {
  return address.transport === "unix" ? await fileAt(address.path) : undefined;
}

function attempt(address: Address, open: () => number): number {
  try {
    return open();
  } catch (error) {
    throw describeListenError(address, error);
  }
}

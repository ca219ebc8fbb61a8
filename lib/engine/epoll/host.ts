import type { Address, StreamAddress, UdpAddress, UnixAddress } from "../../core/address.ts";
import type { Keepalive } from "../contract.ts";
import { makeBell, ring } from "./bell.ts";
import { openDatagrams } from "./datagrams/opening.ts";
import { Descriptors } from "./descriptors.ts";
import { passDescriptors } from "./given/handover.ts";
import { listensOn, makeFit } from "./given/listening_socket.ts";
import { type Libc, openLibc } from "./libc.ts";
import { type ListeningOptions, openListening } from "./listening.ts";
import { raiseDescriptorLimit } from "./limit.ts";
import { leavePlace, makeLoads, takePlace } from "./loads.ts";
import type { ThreadShare } from "./thread_share.ts";
import { CLOCK_MONOTONIC, SHUT_RDWR, SYS_TGKILL } from "./linux.ts";
import { OpenFileCount } from "./open_files.ts";
import { keepAlive } from "./options.ts";

/** Between two looks whether a thread has really ended. */
const ENDED_LOOK_MS = 20;

/** At the end no thread is waited for any longer. */
const LAST_PATIENCE_MS = 2_000;

/** What the control plane keeps for the threads whose engine is epoll: descriptors belong to the whole process. */
export class EpollHost {
  /** Woken by this, every thread lets its messages in. */
  readonly bell: number;
  /** How many descriptors the process may have. */
  readonly maxDescriptors: number;
  readonly #loads = makeLoads();
  readonly #places = new Set<number>();
  readonly #libc: Libc;
  readonly #openFiles: OpenFileCount;
  /** Sockets for datagrams that are open. */
  readonly #datagrams = new Set<number>();
  #isClosed = false;
  #closingMs = Infinity;
  readonly #reclaiming = new Set<Promise<void>>();

  /**
   * Raises the limit of descriptors as far as it may be raised.
   *
   * @throws {RunError} when there is no C library, or no permission for it.
   */
  constructor() {
    this.#libc = openLibc();
    this.maxDescriptors = raiseDescriptorLimit(this.#libc);
    this.#openFiles = new OpenFileCount(this.#libc.path);
    this.bell = makeBell(this.#libc);
  }

  /** The file of the C library, which workers need the permission for. */
  get libraryPath(): string {
    return this.#libc.path;
  }

  /** How many descriptors the process has open; undefined where that cannot be found out. */
  get openFiles(): number | undefined {
    return this.#isClosed ? undefined : this.#openFiles.now();
  }

  /** Wakes all threads; call it after each message to one of them. */
  readonly ring = (): void => {
    if (!this.#isClosed) ring(this.#libc, this.bell);
  };

  /**
   * Listens; the socket is closed with {@linkcode closeListening}.
   *
   * @throws {SystemError}
   */
  listen(address: StreamAddress, options: ListeningOptions): number {
    return openListening(this.#libc, address, options);
  }

  /**
   * Binds a socket for the datagrams of one thread; it is closed with {@linkcode closeListening}.
   *
   * @param isFirst Whether the process has no other at the address.
   * @throws {SystemError}
   */
  openDatagrams(address: UdpAddress, isFirst: boolean): number {
    const fd = openDatagrams(this.#libc, address, isFirst);
    this.#datagrams.add(fd);
    return fd;
  }

  /** What a descriptor that the process was given listens on; undefined when it is no such socket. */
  listensOn(fd: number): Address | undefined {
    return listensOn(this.#libc, fd);
  }

  /** Makes such a socket what one that was opened here would be; it is closed with {@linkcode closeListening}. */
  adopt(fd: number, address: Address, backlog: number): void {
    makeFit(this.#libc, fd, address, backlog);
    if (address.transport === "udp") this.#datagrams.add(fd);
  }

  /**
   * Passes sockets to the process that waits for them at a path; they stay open here.
   *
   * @return Whether that process is run by the same user, or by root; no other is given any.
   * @throws {SystemError} when no process waits there.
   */
  pass(to: UnixAddress, descriptors: readonly number[]): boolean {
    return passDescriptors(this.#libc, to, descriptors);
  }

  /** The time of the system's clock that is never set, in microseconds. */
  get monotonicUs(): number {
    const time = new BigInt64Array(2);
    this.#libc.clock_gettime(CLOCK_MONOTONIC, time);
    return Number(time[0]) * 1e6 + Math.floor(Number(time[1]) / 1e3);
  }

  /** For those who are accepted from now on. */
  keepAlive(fd: number, options: Keepalive): void {
    keepAlive(this.#libc, fd, options);
  }

  /**
   * Connections are refused from now on; a thread that has flows answers them by a descriptor of its own. A thread that was given up may
   * still watch the socket, and use its number: it is closed when all of those have really ended.
   *
   * @param isElsewhere Whether another process listens with the same socket: then it goes on to.
   */
  closeListening(fd: number, isElsewhere = false): void {
    if (this.#isClosed) return;
    const hasDatagrams = this.#datagrams.delete(fd);
    if (this.#reclaiming.size === 0) return void this.#libc.close(fd);
    if (!hasDatagrams && !isElsewhere) this.#libc.shutdown(fd, SHUT_RDWR);
    this.#afterwards(Promise.all(this.#reclaiming).then(() => void this.#libc.close(fd)));
  }

  /** What one more thread is given; {@linkcode leave} takes it back. */
  enter(): ThreadShare {
    const place = takePlace(this.#loads, this.#places);
    this.#places.add(place);
    const descriptors = new SharedArrayBuffer(this.maxDescriptors);
    const thread = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    return { bell: this.bell, descriptors, loads: this.#loads, place, thread };
  }

  /** A thread has been ended: what it had open is closed as soon as it cannot use it any more. */
  leave(share: ThreadShare): void {
    leavePlace(this.#loads, share.place);
    this.#places.delete(share.place);
    this.#afterwards(this.#reclaim(share));
  }

  #afterwards(work: Promise<void>): void {
    const reclaiming = work.finally(() => this.#reclaiming.delete(reclaiming));
    this.#reclaiming.add(reclaiming);
  }

  /**
   * A thread that was told to end may spin, or be in the middle of something. Closed under it, its numbers would soon be those of
   * other connections.
   */
  async #reclaim({ thread, descriptors }: ThreadShare): Promise<void> {
    const table = new Descriptors(descriptors);
    while (!table.isEmpty && this.#isAlive(thread)) {
      if (performance.now() > this.#closingMs + LAST_PATIENCE_MS) return;
      // deno-lint-ignore no-await-in-loop -- until it has ended
      await new Promise((resolve) => setTimeout(resolve, ENDED_LOOK_MS));
    }
    table.closeAll(this.#libc);
  }

  /** Signal 0 asks only whether there is such a thread (tgkill(2)). */
  #isAlive(thread: SharedArrayBuffer): boolean {
    const number = Atomics.load(new Int32Array(thread), 0);
    return number !== 0 && this.#libc.tgkill(BigInt(SYS_TGKILL), this.#libc.getpid(), number, 0) === 0;
  }

  /** Call it when no thread uses it any more. */
  async close(): Promise<void> {
    if (this.#closingMs !== Infinity) return;
    this.#closingMs = performance.now();
    await Promise.all(this.#reclaiming);
    this.#isClosed = true;
    this.#libc.close(this.bell);
    this.#libc.unload();
    this.#openFiles.unload();
  }
}

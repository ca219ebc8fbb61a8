import type { Address } from "../../core/address.ts";
import type { Keepalive } from "../contract.ts";
import { makeBell, ring } from "./bell.ts";
import { Descriptors } from "./descriptors.ts";
import { type Libc, openLibc } from "./libc.ts";
import { type ListeningOptions, openListening } from "./listening.ts";
import { raiseDescriptorLimit } from "./limit.ts";
import { leavePlace, makeLoads, takePlace } from "./loads.ts";
import type { ThreadShare } from "./thread_share.ts";
import { OpenFileCount } from "./open_files.ts";
import { keepAlive } from "./options.ts";

/** A thread that was ended may be in the middle of a call for a moment; then it uses no descriptor any more. */
const RECLAIM_AFTER_MS = 1_000;

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
  #isClosed = false;
  readonly #reclaiming = new Map<ReturnType<typeof setTimeout>, Descriptors>();

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
  listen(address: Address, options: ListeningOptions): number {
    return openListening(this.#libc, address, options);
  }

  /** For those who are accepted from now on. */
  keepAlive(fd: number, options: Keepalive): void {
    keepAlive(this.#libc, fd, options);
  }

  closeListening(fd: number): void {
    if (!this.#isClosed) this.#libc.close(fd);
  }

  /** What one more thread is given; {@linkcode leave} takes it back. */
  enter(): ThreadShare {
    const place = takePlace(this.#loads, this.#places);
    this.#places.add(place);
    const descriptors = new SharedArrayBuffer(this.maxDescriptors);
    return { bell: this.bell, descriptors, loads: this.#loads, place };
  }

  /** A thread has ended: what it had open is closed in a moment. */
  leave({ place, descriptors }: ThreadShare): void {
    leavePlace(this.#loads, place);
    this.#places.delete(place);
    this.#reclaim(new Descriptors(descriptors));
  }

  #reclaim(descriptors: Descriptors): void {
    if (descriptors.isEmpty) return;
    const timer = setTimeout(() => {
      this.#reclaiming.delete(timer);
      descriptors.closeAll(this.#libc);
    }, RECLAIM_AFTER_MS);
    this.#reclaiming.set(timer, descriptors);
  }

  /** Call it when no thread uses it any more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const [timer, descriptors] of this.#reclaiming) {
      clearTimeout(timer);
      descriptors.closeAll(this.#libc);
    }
    this.#libc.close(this.bell);
    this.#libc.unload();
    this.#openFiles.unload();
  }
}

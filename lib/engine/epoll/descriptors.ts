/**
 * The descriptors that a thread has open. They belong to the process and outlive the thread: when it dies, the control plane closes
 * them by this table.
 */

import type { Libc } from "./libc.ts";
import { resetOnClose } from "./options.ts";

export class Descriptors {
  /** 1 for each that is open, by its number. */
  readonly buffer: SharedArrayBuffer;
  readonly #isOpen: Uint8Array;
  /** How many this thread has open. */
  size = 0;

  /** @param buffer A byte for each number that a descriptor may have; see `maxDescriptors`. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#isOpen = new Uint8Array(buffer);
  }

  opened(fd: number): void {
    this.#isOpen[fd] = 1;
    this.size++;
  }

  /**
   * Call it before the descriptor is closed: another thread may be given its number at once.
   *
   * @throws {TypeError} when it is not open here: a second close would hit another connection.
   */
  closing(fd: number): void {
    if (this.#isOpen[fd] !== 1) throw new TypeError(`Cannot close descriptor ${fd}: it is not open here`);
    this.#isOpen[fd] = 0;
    this.size--;
  }

  /** Whether nothing is open; for the table of another thread. */
  get isEmpty(): boolean {
    return !this.#isOpen.includes(1);
  }

  /** Closes all that a thread has left, which must have ended. Connections are reset: a part of an answer is not to look like all. */
  closeAll(libc: Pick<Libc, "close" | "setsockopt">): void {
    for (let fd = this.#isOpen.indexOf(1); fd !== -1; fd = this.#isOpen.indexOf(1, fd + 1)) {
      this.#isOpen[fd] = 0;
      resetOnClose(libc, fd);
      libc.close(fd);
    }
  }
}

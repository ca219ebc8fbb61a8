import { CoarseClock } from "../core/coarse_clock.ts";
import type { Connection } from "../core/connection.ts";

/** Aborts its signal when nothing has moved for too long, or when the user wishes to stop. */
export class SilenceWatch {
  readonly signal: AbortSignal;
  readonly #clock = new CoarseClock();
  readonly #silent = new AbortController();
  #lastActiveMs: number;

  constructor(timeoutMs: number, stop: AbortSignal) {
    this.signal = AbortSignal.any([this.#silent.signal, stop]);
    this.#lastActiveMs = this.#clock.exactMs();
    if (timeoutMs === 0) return;
    this.#clock.watch({
      onTick: (nowMs) => {
        if (nowMs - this.#lastActiveMs >= timeoutMs) this.#silent.abort();
      },
    });
    this.#clock.start();
  }

  /** The connection, with each read and write taken note of. */
  watching(conn: Connection): Connection {
    const noted = async <T>(moved: Promise<T>): Promise<T> => {
      const result = await moved;
      this.#lastActiveMs = this.#clock.exactMs();
      return result;
    };
    return {
      read: (buffer) => noted(conn.read(buffer)),
      write: (bytes) => noted(conn.write(bytes)),
      closeWrite: () => conn.closeWrite(),
    };
  }

  end(): void {
    this.#clock.stop();
  }
}

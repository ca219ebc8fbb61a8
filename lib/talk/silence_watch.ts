import { CoarseClock } from "../core/coarse_clock.ts";
import type { Connection } from "../core/connection.ts";

/** Aborts its signal when nothing has moved for too long, or when the user wishes to stop. */
export class SilenceWatch {
  readonly signal: AbortSignal;
  readonly #clock: CoarseClock;
  readonly #silent = new AbortController();
  #limitMs = 0;
  #lastActiveMs = 0;

  constructor(stop: AbortSignal, clock = new CoarseClock()) {
    this.signal = AbortSignal.any([this.#silent.signal, stop]);
    this.#clock = clock;
    this.#clock.watch({
      onTick: (nowMs) => {
        if (this.#limitMs > 0 && nowMs - this.#lastActiveMs >= this.#limitMs) this.#silent.abort();
      },
    });
  }

  /** Begins anew: from now on nothing may be silent for longer than this; 0 is forever. */
  limit(limitMs: number): void {
    this.#limitMs = limitMs;
    this.#lastActiveMs = this.#clock.exactMs();
    if (limitMs > 0) this.#clock.start();
    else this.#clock.stop();
  }

  /** Something has moved just now. */
  moved(): void {
    this.#lastActiveMs = this.#clock.exactMs();
  }

  /** The connection, with each read and write taken note of. */
  watching(conn: Connection): Connection {
    const noted = async <T>(moved: Promise<T>): Promise<T> => {
      const result = await moved;
      this.moved();
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

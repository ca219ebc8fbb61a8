/** Bounds how many of something are under way at once; the others take their turn in the order they came. */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param limit At least 1. */
  constructor(limit: number) {
    if (!(Number.isInteger(limit) && limit >= 1)) {
      throw new RangeError(`Cannot bound turns: limit must be a whole number of at least 1, not ${limit}`);
    }
    this.#free = limit;
  }

  /** Does the work as soon as it is its turn. A turn ends with the work, however that ends. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The place of whoever waits longest is handed on; nobody who comes just now can take it.
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

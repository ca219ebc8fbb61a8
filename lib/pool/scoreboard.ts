/**
 * The scoreboard: live facts about listeners, pools and backends in memory that all threads share.
 *
 * The control plane makes it, every worker attaches to it, and nobody sends a message to learn or to change a fact.
 * Things are known by their row. Each count has one shared cell, which is exact over all workers, and one cell for each
 * worker, so that what a worker held can be given back when the worker dies.
 */

/** How many rows there are of each kind. */
export interface ScoreboardShape {
  readonly workers: number;
  readonly listeners: number;
  readonly pools: number;
  readonly backends: number;
}

/** A row a cache line (16 × 4 bytes), so that threads that count different things do not slow each other. */
const ROW_CELLS = 16;

export class Scoreboard {
  readonly buffer: SharedArrayBuffer;
  readonly shape: ScoreboardShape;
  readonly #cells: Int32Array<SharedArrayBuffer>;
  /** Index of the first cell of each table. */
  readonly #turns: number;
  readonly #admitted: number;
  readonly #active: number;

  /** Attaches to the memory of a scoreboard; with no memory given, makes a new one that is all zero. */
  constructor(shape: ScoreboardShape, buffer?: SharedArrayBuffer) {
    this.shape = shape;
    this.#turns = 0;
    this.#admitted = this.#turns + shape.pools * ROW_CELLS;
    this.#active = this.#admitted + tableCells(shape.listeners, shape.workers);
    const cells = this.#active + tableCells(shape.backends, shape.workers);
    this.buffer = buffer ?? new SharedArrayBuffer(cells * Int32Array.BYTES_PER_ELEMENT);
    this.#cells = new Int32Array(this.buffer);
  }

  /** Takes the next turn of a pool: 0, 1, 2, … over all workers, wrapping around at 2^32. */
  takeTurn(pool: number): number {
    return Atomics.add(this.#cells, this.#turns + pool * ROW_CELLS, 1) >>> 0;
  }

  /** Admits a session unless `limit` are admitted already, over all workers; 0 is no limit. */
  admit(listener: number, worker: number, limit: number): boolean {
    const cell = this.#admitted + listener * ROW_CELLS;
    if (limit === 0) {
      Atomics.add(this.#cells, cell, 1);
    } else {
      for (;;) {
        const admitted = Atomics.load(this.#cells, cell);
        if (admitted >= limit) return false;
        if (Atomics.compareExchange(this.#cells, cell, admitted, admitted + 1) === admitted) break;
      }
    }
    this.#addOwn(this.#admitted, this.shape.listeners, worker, listener, 1);
    return true;
  }

  /** Gives back what {@linkcode admit} took, and wakes one worker that waits for it. */
  dismiss(listener: number, worker: number): void {
    const cell = this.#admitted + listener * ROW_CELLS;
    this.#addOwn(this.#admitted, this.shape.listeners, worker, listener, -1);
    Atomics.sub(this.#cells, cell, 1);
    Atomics.notify(this.#cells, cell, 1);
  }

  /** Resolves when somebody may have been dismissed, or after `timeoutMs`; then try {@linkcode admit} again. */
  async dismissed(listener: number, limit: number, timeoutMs: number): Promise<void> {
    await Atomics.waitAsync(this.#cells, this.#admitted + listener * ROW_CELLS, limit, timeoutMs).value;
  }

  /** Takes a slot at a backend. Synchronous, so that a pick and its slot are one step. */
  takeSlot(backend: number, worker: number): void {
    Atomics.add(this.#cells, this.#active + backend * ROW_CELLS, 1);
    this.#addOwn(this.#active, this.shape.backends, worker, backend, 1);
  }

  releaseSlot(backend: number, worker: number): void {
    this.#addOwn(this.#active, this.shape.backends, worker, backend, -1);
    Atomics.sub(this.#cells, this.#active + backend * ROW_CELLS, 1);
  }

  /** Sessions at a listener, over all workers. A worker that waits for the next connection has one admitted. */
  admitted(listener: number): number {
    return Atomics.load(this.#cells, this.#admitted + listener * ROW_CELLS);
  }

  /** Sessions that hold a slot at a backend, over all workers. */
  active(backend: number): number {
    return Atomics.load(this.#cells, this.#active + backend * ROW_CELLS);
  }

  /**
   * Gives back all that a worker held when it died.
   *
   * @return How many sessions held a slot at a backend.
   */
  forgetWorker(worker: number): number {
    this.#forgetOwn(this.#admitted, this.shape.listeners, worker);
    return this.#forgetOwn(this.#active, this.shape.backends, worker);
  }

  #forgetOwn(table: number, rows: number, worker: number): number {
    let total = 0;
    for (let row = 0; row < rows; row++) {
      const held = Atomics.exchange(this.#cells, this.#ownCell(table, rows, worker, row), 0);
      if (held === 0) continue;
      total += held;
      Atomics.sub(this.#cells, table + row * ROW_CELLS, held);
      Atomics.notify(this.#cells, table + row * ROW_CELLS);
    }
    return total;
  }

  #addOwn(table: number, rows: number, worker: number, row: number, amount: number): void {
    Atomics.add(this.#cells, this.#ownCell(table, rows, worker, row), amount);
  }

  #ownCell(table: number, rows: number, worker: number, row: number): number {
    return table + rows * ROW_CELLS + worker * ownCells(rows) + row;
  }
}

/** A table: the shared rows, then for each worker a block of its own cells. */
function tableCells(rows: number, workers: number): number {
  return rows * ROW_CELLS + workers * ownCells(rows);
}

/** One cell a row, in whole cache lines. */
function ownCells(rows: number): number {
  return Math.ceil(rows / ROW_CELLS) * ROW_CELLS;
}

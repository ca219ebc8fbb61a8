import type { ListenerRow } from "./row.ts";
import { SOURCE_SLOTS, type SourceTable } from "./source_table.ts";

/** The cell behind those of the slots: 1 when the ledger is settled. */
const IS_SETTLED = SOURCE_SLOTS;

/** What one worker has added to the counts of a {@linkcode SourceTable}, as the ledger of ledger.ts has it for the scoreboard. */
export class SourceLedger {
  readonly buffer: SharedArrayBuffer;
  readonly table: SourceTable;
  readonly #held: Int32Array<SharedArrayBuffer>;

  /** Attaches to the memory of a ledger; with no memory given, makes a new one that is empty. */
  constructor(table: SourceTable, buffer?: SharedArrayBuffer) {
    this.table = table;
    this.buffer = buffer ?? new SharedArrayBuffer((SOURCE_SLOTS + 1) * Int32Array.BYTES_PER_ELEMENT);
    this.#held = new Int32Array(this.buffer);
  }

  /** Counts a connection; what it gives is what {@linkcode SourceTable.raise} does. */
  take(listener: ListenerRow, source: Uint32Array, length: number, limit: number): number {
    const slot = this.table.raise(listener, source, length, limit);
    if (slot < 0) return slot;
    Atomics.add(this.#held, slot, 1);
    // After the addition: a settlement that has begun by then may have missed it.
    if (this.#isSettled) this.giveBack(slot);
    return slot;
  }

  /** A connection that was counted is over. */
  giveBack(slot: number): void {
    if (Atomics.sub(this.#held, slot, 1) > 0 || !this.#isSettled) this.table.lower(slot, 1);
    else Atomics.add(this.#held, slot, 1);
  }

  /** Gives back everything that the worker, which has died or is given up, had. */
  settle(): void {
    Atomics.store(this.#held, IS_SETTLED, 1);
    for (let slot = 0; slot < SOURCE_SLOTS; slot++) {
      if (this.#held[slot] === 0) continue;
      const held = Atomics.exchange(this.#held, slot, 0);
      if (held > 0) this.table.lower(slot, held);
    }
  }

  get #isSettled(): boolean {
    return Atomics.load(this.#held, IS_SETTLED) === 1;
  }
}

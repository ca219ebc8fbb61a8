/** Waits for a wake-up by another thread; see {@linkcode woken}. */
export type Woken = (
  cells: Int32Array<SharedArrayBuffer>,
  index: number,
  value: number,
  timeoutMs: number,
) => Promise<void>;

/**
 * Resolves when another thread notifies a cell that holds `value`, at once when the cell holds something else, and after
 * `timeoutMs` at the latest.
 */
export const woken: Woken = async (cells, index, value, timeoutMs) => {
  await Atomics.waitAsync(cells, index, value, timeoutMs).value;
};

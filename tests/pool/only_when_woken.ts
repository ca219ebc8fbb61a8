/**
 * Lets who waits on shared memory go on only when it is woken, however long that takes.
 *
 * A worker looks at its queue again every second, which hides a wake that was lost; with this, whoever depended on that
 * waits for ever, and its test fails. For this thread, from now on.
 */
export function onlyWhenWoken(): void {
  const { waitAsync } = Atomics;
  const withoutTimeout = (cells: Int32Array<SharedArrayBuffer>, index: number, value: number) =>
    waitAsync(cells, index, value);
  Atomics.waitAsync = withoutTimeout as typeof Atomics.waitAsync;
}

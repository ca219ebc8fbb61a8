/** Numbers of several rounds to one, and to text. */

export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  if (sorted.length % 2 === 1) return sorted[middle] ?? NaN;
  return ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

/** The median of the ratios pair by pair: the two were measured one after the other, so the machine's drift cancels. */
export function pairedRatio(values: readonly number[], base: readonly number[]): number {
  return median(values.map((value, i) => value / (base[i] ?? NaN)));
}

/** Three significant digits, with a prefix for large numbers. */
export function short(value: number): string {
  if (Number.isNaN(value)) return "-";
  if (value >= 1e9) return `${(value / 1e9).toPrecision(3)}G`;
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)}M`;
  if (value >= 1e4) return `${(value / 1e3).toPrecision(3)}k`;
  return value >= 1000 ? value.toFixed(0) : value.toPrecision(3);
}

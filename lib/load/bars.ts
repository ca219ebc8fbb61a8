/** Bars of a terminal. Pure. */

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar whose length stands for a part of the whole, to an eighth of a character. What is not nothing can be seen. */
export function bar(part: number, width: number): string {
  const eighths = part <= 0 ? 0 : Math.max(1, Math.round(Math.min(1, part) * width * 8));
  return "█".repeat(eighths >> 3) + EIGHTHS[eighths & 7];
}

export interface BarRow {
  readonly label: string;
  readonly value: number;
}

/** The least width of a bar that says anything. */
const LEAST_BAR = 4;

/**
 * Lines of bars, the longest for the largest value, with the value and its share of the sum.
 *
 * @param paint Colours a bar.
 */
export function barLines(
  rows: readonly BarRow[],
  width: number,
  format: { value(value: number): string; share(part: number): string },
  paint: (bar: string) => string,
): string[] {
  const sum = rows.reduce((sum, { value }) => sum + value, 0);
  const largest = Math.max(...rows.map(({ value }) => value));
  const values = rows.map(({ value }) => format.value(value));
  const shares = rows.map(({ value }) => format.share(sum === 0 ? 0 : value / sum));
  const [valueWidth, shareWidth] = [widest(values), widest(shares)];
  const free = width - INDENT.length - 3 * GAP.length - valueWidth - shareWidth;
  const labelWidth = Math.min(widest(rows.map(({ label }) => label)), Math.max(LEAST_BAR, free - LEAST_BAR));
  const barWidth = Math.max(LEAST_BAR, free - labelWidth);
  return rows.map(({ label, value }, i) => {
    const drawn = bar(largest === 0 ? 0 : value / largest, barWidth);
    return [
      INDENT + cut(label, labelWidth).padEnd(labelWidth),
      paint(drawn) + " ".repeat(barWidth - drawn.length),
      (values[i] ?? "").padStart(valueWidth),
      (shares[i] ?? "").padStart(shareWidth),
    ].join(GAP);
  });
}

const INDENT = "  ";
const GAP = "  ";

function widest(texts: readonly string[]): number {
  return Math.max(...texts.map((text) => text.length));
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

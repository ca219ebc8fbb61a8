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

/** The least width of a bar, and of a label, that says anything. */
const LEAST = 4;

/**
 * Lines of bars, the longest for the largest value, with the value and its share of the sum. Where that does not fit, the
 * shares are left out, then the bars.
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
  const labels = rows.map(({ label }) => [...label]);
  const values = rows.map(({ value }) => format.value(value));
  const shares = rows.map(({ value }) => format.share(sum === 0 ? 0 : value / sum));
  const [valueWidth, shareWidth] = [widest(values), widest(shares)];
  const shortest = Math.min(widest(labels), MAX_SHORT_LABEL);
  const withBars = width - INDENT.length - 2 * GAP.length - valueWidth;
  const withShares = withBars - GAP.length - shareWidth;
  const hasShares = withShares >= shortest + LEAST;
  const free = hasShares ? withShares : withBars;
  const hasBars = free >= shortest + LEAST;
  const labelWidth = Math.min(widest(labels), Math.max(LEAST, hasBars ? free - LEAST : free + GAP.length));
  const barWidth = free - labelWidth;
  return rows.map(({ value }, i) => {
    const drawn = bar(largest === 0 ? 0 : value / largest, barWidth);
    return [
      INDENT + fitted(labels[i] ?? [], labelWidth),
      ...(hasBars ? [paint(drawn) + " ".repeat(barWidth - drawn.length)] : []),
      (values[i] ?? "").padStart(valueWidth),
      ...(hasShares ? [(shares[i] ?? "").padStart(shareWidth)] : []),
    ].join(GAP);
  });
}

/** A longer label, such as a name, may be cut for a bar. */
const MAX_SHORT_LABEL = 12;

const INDENT = "  ";
const GAP = "  ";

function widest(texts: readonly (string | readonly string[])[]): number {
  return Math.max(...texts.map((text) => text.length));
}

/** So many characters, with spaces or without an end. */
function fitted(text: readonly string[], width: number): string {
  if (text.length > width) return `${text.slice(0, width - 1).join("")}…`;
  return text.join("") + " ".repeat(width - text.length);
}

/** Tables of text that fit a width: pure. */

export interface Column {
  readonly title: string;
  /** Flush right, as numbers are. */
  readonly isNumeric?: boolean;
  /** Its cells are cut in the middle when the table is too wide: names often differ at both ends. */
  readonly isCut?: boolean;
}

export type Row = readonly string[];

const GAP = "  ";

/** No name is cut shorter. */
const LEAST_CUT = 6;

/** The lines of a table, its titles first, at most so wide. Rows of other tables may be given together, to be aligned. */
export function tableLines(columns: readonly Column[], rows: readonly Row[], width: number): string[] {
  const widths = columns.map(({ title }, i) => {
    return Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0));
  });
  const total = (): number => widths.reduce((sum, it) => sum + it, (widths.length - 1) * GAP.length);
  while (total() > width) {
    const widest = widestCut(columns, widths);
    if (widest === -1) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return [columns.map(({ title }) => title), ...rows].map((row) => {
    return columns.map(({ isNumeric }, i) => {
      const columnWidth = widths[i] ?? 0;
      const cell = cutMiddle(row[i] ?? "", columnWidth);
      return isNumeric ? cell.padStart(columnWidth) : cell.padEnd(columnWidth);
    }).join(GAP).trimEnd();
  });
}

/** -1 when none can give any more. */
function widestCut(columns: readonly Column[], widths: readonly number[]): number {
  let widest = -1;
  columns.forEach(({ isCut }, i) => {
    const own = widths[i] ?? 0;
    if (isCut && own > LEAST_CUT && own > (widths[widest] ?? 0)) widest = i;
  });
  return widest;
}

/** A sentence in lines that fit, those after the first indented; a word that does not fit is cut. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && longer.length > width) {
      lines.push(line);
      line = `  ${word}`;
    } else line = longer;
  }
  return [...lines, line].map((it) => cutMiddle(it, width));
}

/** `a-very-long-name-17` as `a-ver…me-17`. */
export function cutMiddle(text: string, width: number): string {
  if (text.length <= width) return text;
  const tail = Math.floor((width - 1) / 2);
  return `${text.slice(0, width - 1 - tail)}…${text.slice(text.length - tail)}`;
}

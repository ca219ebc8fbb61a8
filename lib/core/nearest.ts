/** "Did you mean …": the known word that a mistyped one is nearest to. */

/** Two edits mend a swapped pair of letters; long words may have a slip more. */
const MIN_EDITS = 2;
const MAX_EDITS = 3;

/** The nearest of `known` by edit distance, or undefined when none is near. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestEdits =
    Math.min(MAX_EDITS, Math.max(MIN_EDITS, Math.floor(word.length / 3)), Math.max(word.length - 1, 0)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= bestEdits) continue;
    const edits = editDistance(word, candidate);
    if (edits < bestEdits) [best, bestEdits] = [candidate, edits];
  }
  return best;
}

/** Insertions, deletions and replacements from `a` to `b` (Wagner and Fischer, one row at a time). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

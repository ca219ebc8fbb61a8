/** Points in time and spans of days, as people read them. */

/** `2026-11-25 00:03 UTC`. */
export function formatUtc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** The largest unit alone, rounded down: `3 days`, `1 hour`, `less than an hour`. */
export function spanText(ms: number): string {
  const [days, hours] = [ms / 86_400_000, ms / 3_600_000].map(Math.floor) as [number, number];
  if (days > 0) return days === 1 ? "1 day" : `${days} days`;
  if (hours > 0) return hours === 1 ? "1 hour" : `${hours} hours`;
  return "less than an hour";
}

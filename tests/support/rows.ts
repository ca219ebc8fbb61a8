import type { Row } from "../../lib/pool/row.ts";

/** A row of a scoreboard that a test has made, by its number; of the kind that is asked for where it is used. */
export function asRow<Kind extends string>(number: number): Row<Kind> {
  return number as Row<Kind>;
}

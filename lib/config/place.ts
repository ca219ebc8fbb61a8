/** Where in a configuration something stands, and what is wrong there. */

/** Where something stands, counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Steps from the root to a value: keys and list positions. */
export type Path = readonly (string | number)[];

/** Something wrong with what the user wrote. */
export interface Fault extends Place {
  /** Empty for a fault of the whole document. */
  readonly path: Path;
  readonly message: string;
}

/** `listeners[0].pool`. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    const shown = step === "" ? '""' : step;
    return text === "" ? shown : `${text}.${shown}`;
  }, "");
}

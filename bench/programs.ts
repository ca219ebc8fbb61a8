/** Programs that the measures need, and what follows when one is not installed. Pure. */

/** Each has the name of its Debian package. */
export type Program = "haproxy" | "wrk" | "iperf3" | "openssl" | "curl";

/** What can only be measured with some programs. */
export interface Needing {
  readonly name: string;
  readonly needs: readonly Program[];
}

/** What can be measured with the programs that are installed. */
export interface Possible<M extends Needing> {
  readonly measures: readonly M[];
  /** One for each program that is missing: what is left out, and how to install it. */
  readonly sentences: readonly string[];
}

/**
 * Leaves out the measures that need a missing program.
 *
 * @param wanted The measures that were asked for.
 */
export function possibleWith<M extends Needing>(
  wanted: readonly M[],
  installed: ReadonlySet<Program>,
): Possible<M> {
  const missing = [...new Set(wanted.flatMap((it) => it.needs))].filter((it) => !installed.has(it));
  return {
    measures: wanted.filter((it) => it.needs.every((program) => installed.has(program))),
    sentences: missing.map((program) => {
      const left = wanted.filter((it) => it.needs.includes(program)).map((it) => it.name).join(", ");
      return `${program} is not installed (apt-get install ${program}), so these are left out: ${left}`;
    }),
  };
}

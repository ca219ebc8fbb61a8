/** `${NAME}` and `${NAME:-default}` in a value, taken from the environment; `$${` is a plain `${`. Pure. */

import { InputError } from "../core/errors.ts";

/**
 * The value of a variable; undefined when it is not set.
 *
 * @throws {InputError} when it may not be read.
 */
export type Environment = (name: string) => string | undefined;

/** For a text that has no environment: every variable is unset. */
export const NO_ENVIRONMENT: Environment = () => undefined;

/** A value with its variables replaced. */
export interface Expanded {
  readonly text: string;
  /** Of every variable that is named, set or not. */
  readonly names: readonly string[];
  /** Whether a part of it comes from the environment, rather than from the file. */
  readonly isFromEnvironment: boolean;
  readonly faults: readonly string[];
}

/** What to write. */
export const VARIABLE_FORMS =
  "write a variable as ${NAME} or ${NAME:-default}, and a plain ${ as $${ (in quotes, where brackets are around it)";

/** A variable that YAML would not read as text within brackets. Its default has no sign that ends or escapes a quoted text. */
const VARIABLE = /(?<!\$)\$\{[A-Za-z_]\w*(?::-[^{}"'\\\n]*)?\}/g;

/** The text with its variables made plain words of the same length, so that YAML finds its values where they are. */
export function withPlainVariables(text: string): string {
  return text.replaceAll(VARIABLE, (variable) => "x".repeat(variable.length));
}

/** As in a shell, a variable that is empty has its default as well. */
export function expand(written: string, environment: Environment): Expanded {
  const names: string[] = [];
  const faults: string[] = [];
  let isFromEnvironment = false;
  const text = written.replaceAll(/(\$?)\$\{(?:([^}]*)\})?/g, (found, escape: string, inner?: string) => {
    if (escape !== "") return found.slice(1);
    const [, name, , otherwise] = /^([A-Za-z_]\w*)(:-([^]*))?$/.exec(inner ?? "") ?? [];
    if (name === undefined) {
      faults.push(`${JSON.stringify(found)} is no variable; ${VARIABLE_FORMS}`);
      return found;
    }
    names.push(name);
    try {
      const value = environment(name);
      if (value !== undefined && (value !== "" || otherwise === undefined)) {
        isFromEnvironment = true;
        return value;
      }
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      faults.push(error.message);
      return found;
    }
    if (otherwise !== undefined) return otherwise;
    faults.push(`\${${name}} is not set in the environment; set it, or write a default, as \${${name}:-…}`);
    return found;
  });
  return { text, names, isFromEnvironment, faults };
}

/** What to write for a variable that lacks its braces, as `$PORT` or `$(PORT)`; undefined where there is none. */
export function bracedVariableIn(text: string): string | undefined {
  const [, bare, inParentheses] = /\$(?:([A-Za-z_]\w*)|\(([A-Za-z_]\w*)\))/.exec(text) ?? [];
  const name = bare ?? inParentheses;
  return name === undefined ? undefined : `\${${name}}`;
}

/** A text as it is written where variables are looked for. */
export function escaped(text: string): string {
  return text.replaceAll("${", () => "$${");
}

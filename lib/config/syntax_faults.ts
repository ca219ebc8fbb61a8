/** Sentences for text that is not YAML. */

import { VARIABLE_FORMS } from "./variables.ts";

/** What a syntax error of js-yaml means to the one who wrote the line. */
export function describeSyntaxError(reason: string, line: string): string {
  const v6 = new RegExp(`(?:^|[\\s,])${UNQUOTED_V6.source}`, "i").exec(line)?.[1];
  if (v6 !== undefined) return describeUnquoted(v6);
  if (line.includes("${")) return VARIABLE_FORMS;
  if (reason.includes("tab characters")) return "a tab cannot indent YAML; use spaces";
  if (reason === "deficient indentation" && line.trim() === "") {
    return "not valid YAML: a bracket, a brace or a quote that was opened above is not closed";
  }
  return `not valid YAML: ${reason}`;
}

/** An IPv6 address with its port, which YAML takes for a list when it stands without quotes. */
export const UNQUOTED_V6 = /(\[[\da-f:.]*:[\da-f:.]*(?:%[^\s\]]+)?\]:\d+)/i;

export function describeUnquoted(v6: string): string {
  return `put quotes around an IPv6 address: "${v6}"`;
}

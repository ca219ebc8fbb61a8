/**
 * JSON that a YAML reader takes as well, laid out for people.
 *
 * JSON allows a few control characters and non-characters in its strings that YAML refuses (YAML 1.2.2, 5.1), and that a
 * terminal may obey; here they are escaped.
 */
export function plainJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/[\x7f-\x9f\ufeff\ufffe\uffff]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  }) + "\n";
}

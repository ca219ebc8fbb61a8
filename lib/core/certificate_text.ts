/** Names that stand in certificates, as text (RFC 5280). Pure. */

/**
 * `CN=www.example.com, O=Example` from the lines in which the runtime gives a subject. Within a value a comma and a backslash have a
 * backslash before them, and the end of a line is `\0A` (RFC 4514, 2.4): so one attribute does not look like two.
 *
 * What the runtime does not tell apart is not told apart here: a value with a line that begins as an attribute does, as `O=Other`; and
 * one with ` + O=Other`, which stands between attributes that belong together.
 */
export function subjectText(lines: string): string {
  return readable(lines)
    .replace(/[\\,]/g, "\\$&")
    .replace(/\n(?![A-Za-z\d.-]+=)/g, "\\0A")
    .replaceAll("\n", ", ");
}

/** The runtime shows each byte of UTF-8 as a character of its own (Deno 2.9.6). */
function readable(text: string): string {
  if (!/[\x80-\xff]/.test(text) || /[^\0-\xff]/.test(text)) return text;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(text, (it) => it.charCodeAt(0)));
  } catch {
    return text;
  }
}

/** DNS names in small letters and IP addresses of a subjectAltName (4.2.1.6): `DNS:a.example, IP Address:10.0.0.1, URI:…`. */
export function namesOf(subjectAltName: string): string[] {
  return subjectAltName.split(", ").flatMap((entry) => {
    const [, name] = /^(?:DNS|IP Address):(.+)$/.exec(entry) ?? [];
    return name === undefined ? [] : [name.toLowerCase()];
  });
}

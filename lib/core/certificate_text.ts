/** Names that stand in certificates, as text (RFC 5280). Pure. */

/** `CN=www.example.com, O=Example` from the lines in which the runtime gives a subject. */
export function subjectText(lines: string): string {
  return readable(lines).split("\n").join(", ");
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

/**
 * The names by which clients ask for a server in TLS (SNI: RFC 6066, 3), and the patterns that match them: a name, or `*.` and a name.
 *
 * `*` stands for exactly one label, as in certificates (RFC 6125, 6.4.3): `*.example.com` matches `www.example.com`, but neither
 * `example.com` nor `a.b.example.com`.
 */

import { isIP } from "./is_ip.ts";

/** As long is a name at most, without a dot at its end (RFC 1035, 2.3.4). */
const MAX_NAME_CHARACTERS = 253;

/** Letters, digits, hyphens and, as in container networks, underscores. */
const NAME = /^[a-z\d_-]{1,63}(?:\.[a-z\d_-]{1,63})*$/i;

/** The name in small letters and without a dot at its end; undefined when the text is no name of a host. */
export function canonicalServerName(text: string): string | undefined {
  const name = text.replace(/\.$/, "");
  return name.length <= MAX_NAME_CHARACTERS && NAME.test(name) ? name.toLowerCase() : undefined;
}

/** The pattern in small letters and without a dot at its end, so that equal patterns are equal texts. */
export function canonicalPattern(pattern: string): string {
  return pattern.toLowerCase().replace(/\.$/, "");
}

/** Whether a pattern, in any letters, matches a name as {@linkcode canonicalServerName} gives it. */
export function matchesServerName(pattern: string, serverName: string): boolean {
  const canonical = canonicalPattern(pattern);
  return canonical === serverName || canonical === wildcardOf(serverName);
}

/** The one pattern with `*` that matches this name: `*.example.com` for `www.example.com`. */
export function wildcardOf(serverName: string): string | undefined {
  const dot = serverName.indexOf(".");
  return dot === -1 ? undefined : `*${serverName.slice(dot)}`;
}

/** Why a text is no pattern, in a sentence that says what to write; undefined when it is one. */
export function whyNoServerNamePattern(text: string): string | undefined {
  const quoted = JSON.stringify(text);
  const name = text.replace(/^\*\./, "");
  const canonical = canonicalServerName(name);
  if (isIP(text.replace(/^\[(.*)\]$/, "$1"))) {
    return `${quoted} is an IP address, and clients that dial an address send no server name; write a name, or leave it out`;
  }
  if (canonical !== undefined) return undefined;
  if (text === "*") return `"*" matches every name already when there is none; leave it out`;
  if (name.includes("*")) {
    return `${quoted}: * stands for one whole label, and only for the first; write *.example.com`;
  }
  if (/[/:\s]/.test(text)) {
    return `${quoted} is more than a server name; write it without scheme, port, path or spaces, as www.example.com`;
  }
  // The one way to write it that clients send (RFC 5890).
  const ascii = canonicalServerName(URL.parse(`http://${name}`)?.hostname ?? "");
  if (/[^\0-\x7f]/.test(name) && ascii !== undefined) {
    return `${quoted} is not what clients send; write ${text.startsWith("*.") ? "*." : ""}${ascii}`;
  }
  return `${quoted} is not a server name; write www.example.com or *.example.com`;
}

/**
 * Names of servers as TLS clients send them (SNI, RFC 6066, 3), and patterns for them: a name, or `*.` and a name. Pure.
 *
 * `*` stands for exactly one label, as in certificates (RFC 6125, 6.4.3): `*.example.com` matches `www.example.com`, but neither
 * `example.com` nor `a.b.example.com`.
 */

import { isIP } from "node:net";

/** A label of a host name (RFC 1123), with the underscore that container networks use. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;

/** Without the final dot. */
const MAX_CHARS = 253;

export interface ServerNameForm {
  /** Whether `*` may stand for the first label. */
  readonly wildcard: boolean;
}

/**
 * Why a text is no server name, as the end of a sentence that begins with the text and says what to write; undefined when it is
 * one, in whatever case and with or without a final dot.
 */
export function whyNoServerName(text: string, { wildcard }: ServerNameForm): string | undefined {
  const example = wildcard ? "write it as www.example.com or *.example.com" : "write it as www.example.com";
  if (isIP(text.replace(/^\[(.*)\]$/, "$1").replace(/%.*$/, "")) !== 0) {
    return "is an IP address, which no client sends as a name; write a name";
  }
  const [, host] = /^(?:[a-z][a-z\d+.-]*:\/\/)?([^:/]+)(?::\d+)?(?:\/.*)?$/i.exec(text) ?? [];
  if (host !== undefined && host !== text && isName(host)) {
    return `is more than a server name; write ${canonicalServerName(host)}`;
  }
  if (text.startsWith(".") && isName(text.slice(1)) && wildcard) {
    return `is not a server name; write *${canonicalServerName(text)}`;
  }
  const name = text.startsWith("*.") ? text.slice(2) : text;
  if (name.includes("*")) {
    return wildcard
      ? "has a * that does not stand for the whole first label; write it as *.example.com"
      : `is not one server name; ${example}`;
  }
  if (name !== text && !wildcard) return `is not one server name; ${example}`;
  if (/[^\0-\x7f]/.test(name)) return describeForeign(text, name, example);
  return isName(name) && withoutDot(text).length <= MAX_CHARS
    ? undefined
    : `is not a server name; ${example}`;
}

/** The one form of a name or a pattern: small letters, no final dot. Any text has one, also one that is no name. */
export function canonicalServerName(text: string): string {
  return withoutDot(text).toLowerCase();
}

/** What clients are known to send: labels may also begin or end with a hyphen, or be numbers. */
const SENT_NAME = /^[a-z\d_-]{1,63}(?:\.[a-z\d_-]{1,63})*$/i;

/** The name that a client has sent, in its one form; undefined when it is none. */
export function sentServerName(text: string): string | undefined {
  const name = withoutDot(text);
  return name.length <= MAX_CHARS && SENT_NAME.test(name) ? name.toLowerCase() : undefined;
}

/** The one pattern with `*` that matches this name: `*.example.com` for `www.example.com`. */
export function wildcardOf(serverName: string): string | undefined {
  const dot = serverName.indexOf(".");
  return dot === -1 ? undefined : `*${serverName.slice(dot)}`;
}

function withoutDot(text: string): string {
  return text.endsWith(".") ? text.slice(0, -1) : text;
}

function isName(text: string): boolean {
  const labels = withoutDot(text).split(".");
  // A name whose last label is a number would be read by some programs as an odd IPv4 address.
  return labels.every((label) => LABEL.test(label)) && !/^(\d+|0x[0-9a-f]*)$/i.test(labels.at(-1) ?? "");
}

/** Clients send such names in the form of RFC 5890. */
function describeForeign(text: string, name: string, example: string): string {
  const ascii = URL.parse(`http://${name}/`)?.hostname ?? "";
  if (!isName(ascii)) return `is not a server name; ${example}`;
  return `has letters that no client sends as they are; write ${text === name ? "" : "*."}${ascii}`;
}

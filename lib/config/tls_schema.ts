/** What listeners and pools say about TLS and the PROXY protocol, and the kinds of value that stand there. */

import { z } from "zod";
import { InputError } from "../core/errors.ts";
import { type IPRange, parseIPRange } from "../core/ip_range.ts";
import { canonicalPattern, whyNoServerNamePattern } from "../core/server_name.ts";
import { choice, filePath, flag, parsed, refuse, section, shown } from "./fields.ts";
import { IP_RANGE_PATTERN, PROTOCOL_PATTERN, SERVER_NAME_PATTERN, SERVER_NAMES_PATTERN } from "./patterns.ts";

/** A name, or `*.` and a name, in the one form that equal ones have: small letters, no final dot. */
export function serverNamePattern(description: string): z.ZodType<string, string> {
  return parsed((text) => {
    const why = whyNoServerNamePattern(text);
    if (why !== undefined) throw new InputError(why);
    return canonicalPattern(text);
  }, refuse("a server name", "write www.example.com or *.example.com"))
    .meta({ title: "server name", description, pattern: SERVER_NAMES_PATTERN });
}

/** A single name. */
function serverName(description: string): z.ZodType<string, string> {
  return parsed((text) => {
    const why = whyNoServerNamePattern(text) ??
      (text.startsWith("*.")
        ? `${shown(text)} is not one server name; write www${text.slice(1)}`
        : undefined);
    if (why !== undefined) throw new InputError(why);
    return canonicalPattern(text);
  }, refuse("a server name", "write it as www.example.com"))
    .meta({ title: "server name", description, pattern: SERVER_NAME_PATTERN });
}

/** Names of ALPN (RFC 7301, 3.1), which are bytes; those in use are printable. */
const PROTOCOL = new RegExp(PROTOCOL_PATTERN);

/** Protocols above TLS, the one that is liked best first. */
export function protocols(description: string): z.ZodType<string[], string[]> {
  const refused = refuse("a protocol of ALPN", "write its registered name, as h2 or http/1.1");
  return z.array(
    z.string(refused).regex(PROTOCOL, refused),
    refuse("a list", "list protocols, as [h2, http/1.1]"),
  )
    .meta({ title: "list of protocols", description });
}

const certificate = section("a certificate", {
  cert: filePath("A PEM file: the certificate, and behind it those of its issuers."),
  key: filePath("A PEM file with its private key, without a passphrase; may be the same file."),
});

/** Both the file and the JSON Schema may have them without quotes. */
const minVersion = z.union([z.enum(["1.2", "1.3"]), z.literal([1.2, 1.3])], {
  error: ({ input }) => {
    if (input === null) return "empty; use 1.2, 1.3";
    const near = /(?<![\d.])1[._]?[23](?!\d)/.exec(String(input))?.[0];
    const hint = near === undefined ? "use 1.2, 1.3" : `write 1.${near.at(-1)}`;
    return `unknown version of TLS ${shown(input)}; ${hint}`;
  },
}).transform((it) => Number(it) === 1.2 ? "1.2" as const : "1.3" as const);

/** `tls` of a listener. */
export const listenerTls = section("tls of a listener", {
  certificates: z.array(certificate, refuse("a list", "list certificates, as - { cert: a.pem, key: a.key }"))
    .min(1, { error: "empty; list at least one certificate, as - { cert: a.pem, key: a.key }" })
    .meta({
      description:
        "What it shows to clients: the one with the name that a client asks for, or else the first.",
    }),
  client_ca: filePath(
    "A PEM file: whose certificates clients must have. Without it they need none.",
  ).optional(),
  alpn: protocols(
    "Which protocols it speaks, the one that is liked best first; without any, ALPN is not answered.",
  )
    .prefault([]),
  min_version: minVersion.meta({
    title: "version of TLS",
    description: "The least version of TLS that clients may have: 1.2 or 1.3.",
  }).prefault("1.2"),
}, "write tls: { certificates: [{ cert: a.pem, key: a.key }] }").transform((it) => ({
  certificates: it.certificates,
  clientCa: it.client_ca,
  alpn: it.alpn,
  minVersion: it.min_version,
}));

/** `tls` of a pool. */
export const poolTls = section("tls of a pool", {
  ca: filePath(
    "A PEM file: whose certificates backends must have; without it the public authorities that the runtime brings.",
  ).optional(),
  server_name: serverName(
    "The name that is asked for and that the certificate must have; by default the host of each backend's address.",
  ).optional(),
  cert: filePath("A PEM file: the certificate that is shown to backends; needs key.").optional(),
  key: filePath("A PEM file with its private key, without a passphrase; may be the same file.").optional(),
  alpn: protocols("Which protocols are offered, the one that is liked best first.").prefault([]),
  verify: flag("Whether the certificates of backends are verified.").prefault(true),
}, "write tls: { ca: ca.pem }, or {} for the public authorities").transform((it) => ({
  ca: it.ca,
  serverName: it.server_name,
  cert: it.cert,
  key: it.key,
  alpn: it.alpn,
  verify: it.verify,
}));

/** The peers of a Unix socket, which have no address. */
const UNIX = "unix";

/** Who sends a header of the PROXY protocol. */
export type ProxySource = IPRange | typeof UNIX;

const proxySource = parsed(
  (text): ProxySource => text === UNIX ? text : parseIPRange(text),
  refuse("a range of IP addresses", "write it as 10.0.0.0/8 or 2001:db8::/32, or one address"),
).meta({
  title: "range of IP addresses",
  description: "A range of IP addresses; for a listener on a Unix socket the word unix.",
  pattern: `^(?:${UNIX}$|${IP_RANGE_PATTERN.slice(1)})`,
});

/** `proxy_protocol` of a listener. */
export const proxyProtocol = section("proxy_protocol", {
  from: z.array(proxySource, refuse("a list", "list who sends a header, as [10.0.0.0/8]"))
    .min(1, { error: "empty; list who sends a header, as [10.0.0.0/8]" })
    .meta({
      description:
        "Who may connect, and has to send a header: ranges of IP addresses; [unix] for a listener on a Unix socket.",
    }),
}, "write proxy_protocol: { from: [10.0.0.0/8] }");

const sentVersion = (values: readonly [string, ...string[]]): z.ZodType<string, string> =>
  choice(
    "version of the PROXY protocol",
    values,
    "Version 1 is a line of text, version 2 is binary and tells more.",
  );

/** `send_proxy_protocol` of a pool; undefined: none is sent. */
export const sendProxyProtocol = z.union([
  section("send_proxy_protocol", {
    version: sentVersion(["v1", "v2"]),
    checksum: flag("Version 2: whether the header has a checksum (CRC-32c).").prefault(false),
  }),
  sentVersion(["none", "v1", "v2"]).transform((version) => ({ version, checksum: false })),
]).transform(({ version, checksum }): { version: "v1" | "v2"; checksum: boolean } | undefined => {
  return version === "v1" || version === "v2" ? { version, checksum } : undefined;
});

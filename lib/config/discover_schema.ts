/** `discover` of a pool: where its backends come from, beside those that are listed. */

import type { z } from "zod";
import { isIP } from "../core/is_ip.ts";
import { formatHostPort, hasName, parseDialAddress, type TcpAddress } from "../core/address.ts";
import { InputError } from "../core/errors.ts";
import { etcd } from "./etcd_schema.ts";
import { count, duration, filePath, flag, parsed, refuse, section, shown } from "./fields.ts";
import { parsedAddress } from "./loose.ts";
import { url } from "./url_field.ts";

/** Each names one source. */
export const SOURCE_KEYS = ["dns", "srv", "file", "http", "etcd"] as const;
export type SourceKey = typeof SOURCE_KEYS[number];

/** A name of DNS; those of services begin with underscores. */
function dnsName(description: string, example: string): z.ZodType<string, string> {
  const refused = refuse("a name", `write it as ${example}`);
  return parsed((text) => {
    const address = parsedAddress(`${text}:1`, parseDialAddress);
    if (address !== undefined && hasName(address) && address.host === text) return text;
    throw new InputError(`${shown(text)} is not a name; write it as ${example}`);
  }, refused).meta({ title: "name", description });
}

const DNS_PORT = 53;

const resolver = parsed((text): TcpAddress => {
  const written = !isIP(text) ? text : formatHostPort(text, DNS_PORT);
  const address = parsedAddress(written, parseDialAddress);
  if (address?.transport === "tcp" && !hasName(address)) return address;
  throw new InputError(`${shown(text)} is not the address of a name server; write it as 10.0.0.53:53`);
}, refuse("an address", "write it as 10.0.0.53:53"));

/** `discover` of a pool. Which keys go together is checked in discover_checks.ts. */
export const discover = section("discover", {
  dns: dnsName("A name whose addresses, of both families, are backends; needs port.", "api.internal")
    .optional(),
  port: count(1, 65_535, "With dns: the port of each backend.").optional(),
  srv: dnsName(
    "A service of DNS: its targets are backends. Those of the lowest priority take the sessions, the others are backups.",
    "_db._tcp.internal",
  ).optional(),
  file: filePath("A file, YAML or JSON, with a list as in backends. It is followed as it changes.")
    .optional(),
  http: url(
    "Where the same list can be had as JSON. It is asked for again and again, by its ETag.",
    "http://10.0.0.9/members",
    false,
  ).optional(),
  etcd: etcd(
    "What the keys of the members begin with. The value of each is a backend, as in backends.",
    "/sockbal/web/",
  ).meta({ description: "Keys of etcd, a backend each, followed as they change." }).optional(),
  resolver: resolver.meta({
    title: "address of a name server",
    description:
      "With dns and srv: the name server that is asked, by TCP. Without it: dns asks the resolver of the system, and srv its first name server.",
  }).optional(),
  ca: filePath("With http: a PEM file: whose certificate the server must have.").optional(),
  refresh: duration(
    "With dns, srv and http: the longest time until it is asked again; at least 1s. Without it: as long as an answer of DNS says that it holds, and 10s where it does not say.",
    1_000,
  ).optional(),
  allow_empty: flag(
    "Whether an answer without members empties the pool. Otherwise the last members stay, as when the source cannot be reached.",
  ).prefault(false),
}).transform((it) => ({
  dns: it.dns,
  port: it.port,
  srv: it.srv,
  file: it.file,
  http: it.http,
  etcd: it.etcd,
  resolver: it.resolver,
  ca: it.ca,
  refreshMs: it.refresh,
  allowEmpty: it.allow_empty,
}));

/** A source that was checked. */
export type DiscoverConfig = z.output<typeof discover>;

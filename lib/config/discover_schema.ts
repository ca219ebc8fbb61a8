/** `discover` of a pool: where its backends come from, beside those that are listed. */

import { isIP } from "../core/is_ip.ts";
import { z } from "zod";
import { formatHostPort, hasName, parseDialAddress, type TcpAddress } from "../core/address.ts";
import { InputError } from "../core/errors.ts";
import { count, duration, filePath, flag, parsed, refuse, section, shown } from "./fields.ts";
import { parsedAddress } from "./loose.ts";

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

/** An origin is all that is written of a server that has paths of its own. */
function url(description: string, example: string, isOrigin: boolean): z.ZodType<string, string> {
  return parsed((text) => {
    const found = URL.canParse(text) ? new URL(text) : undefined;
    const isHttp = found?.protocol === "http:" || found?.protocol === "https:";
    if (found === undefined || !isHttp) {
      throw new InputError(`${shown(text)} is not a URL; write it as ${example}`);
    }
    if (found.username !== "" || found.password !== "") {
      throw new InputError(`${shown(text)} has a password in it, which would be shown; leave it out`);
    }
    if (isOrigin && (found.pathname !== "/" || found.search !== "" || found.hash !== "")) {
      throw new InputError(`${shown(text)} has more than a host and a port; write ${found.origin}`);
    }
    return isOrigin ? found.origin : found.href;
  }, refuse("a URL", `write it as ${example}`)).meta({ title: "URL", description });
}

const DNS_PORT = 53;

const resolver = parsed((text): TcpAddress => {
  const written = !isIP(text) ? text : formatHostPort(text, DNS_PORT);
  const address = parsedAddress(written, parseDialAddress);
  if (address?.transport === "tcp" && !hasName(address)) return address;
  throw new InputError(`${shown(text)} is not the address of a name server; write it as 10.0.0.53:53`);
}, refuse("an address", "write it as 10.0.0.53:53"));

const etcd = section("etcd", {
  endpoints: z.array(
    url("A server of the cluster.", "http://10.0.0.5:2379", true),
    refuse("a list", "list servers, as [http://10.0.0.5:2379]"),
  ).min(1, { error: "empty; list at least one server, as [http://10.0.0.5:2379]" })
    .meta({ description: "Servers of the cluster; where one cannot be reached, the next is asked." }),
  prefix: z.string(refuse("a prefix", "write what the keys begin with, as /sockbal/web/"))
    .min(1, { error: "empty; write what the keys begin with, as /sockbal/web/" })
    .meta({
      description: "What the keys of the members begin with. The value of each is a backend, as in backends.",
    }),
  user: z.string(refuse("a name", "write the name of the user")).min(1).meta({
    description: "Who logs in; needs password_file.",
  }).optional(),
  password_file: filePath("A file whose only line is the password.").optional(),
  ca: filePath("A PEM file: whose certificates the servers must have.").optional(),
  cert: filePath("A PEM file: the certificate that is shown to the servers; needs key.").optional(),
  key: filePath("A PEM file with its private key.").optional(),
}).transform((it) => ({
  endpoints: it.endpoints,
  prefix: it.prefix,
  user: it.user,
  passwordFile: it.password_file,
  ca: it.ca,
  cert: it.cert,
  key: it.key,
}));

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
  etcd: etcd.meta({ description: "Keys of etcd, a backend each, followed as they change." }).optional(),
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

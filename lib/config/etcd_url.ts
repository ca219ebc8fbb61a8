/**
 * Where a configuration is in etcd, as the command line says it:
 *
 *     etcd://10.0.0.5:2379,10.0.0.6:2379/sockbal/balancer.yaml
 *     etcds://reader@etcd.internal/sockbal/balancer.yaml?password_file=/etc/sockbal/etcd.password&ca=/etc/sockbal/ca.pem
 *
 * Names of files are no secret; a password would be one, which every user of the machine sees among the arguments of a program.
 */

import { resolve } from "node:path";
import { formatAddress, parseDialAddress } from "../core/address.ts";
import { InputError } from "../core/errors.ts";
import { meantBy } from "../core/other_names.ts";

/** A key of etcd, and how its servers are asked. */
export interface EtcdUrl {
  /** How messages call it: without the user and without settings. */
  readonly name: string;
  /** As `http://10.0.0.5:2379`; at least one. */
  readonly endpoints: readonly string[];
  /** The same as `10.0.0.5:2379`. */
  readonly servers: readonly string[];
  /** Begins with a slash. */
  readonly path: string;
  readonly user: string | undefined;
  /** Absolute paths, as those that follow. */
  readonly passwordFile: string | undefined;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

const EXAMPLE = "etcd://10.0.0.5:2379/sockbal/balancer.yaml";

const DEFAULT_PORT = 2379;

/** Named as the keys of `discover: { etcd: … }`. */
const SETTINGS = ["password_file", "ca", "cert", "key"];

/** Whether this is meant to be one. */
export function isEtcdUrl(text: string): boolean {
  return /^etcds?:\/\//.test(text);
}

/** @throws {InputError} that says what to write instead. */
export function parseEtcdUrl(text: string): EtcdUrl {
  // Also one with a slash in it, which is never shown; a port before the key is none.
  if (/^etcds?:\/\/[^/?@]*:(?!\d+[/,])[^?]*@/.test(text)) {
    throw new InputError(
      "--config: a password is seen by every user of this machine; write it to a file, and name that: ?password_file=FILE",
    );
  }
  const [, scheme = "", user, hosts = "", path = "", query = ""] =
    /^(etcds?):\/\/(?:([^/?@]*)@)?([^/?@]*)(\/[^?]*)?(?:\?(.*))?$/.exec(text) ?? [];
  // What a setting says may be a secret that does not belong there.
  const [shown] = text.split("?");
  const refuse = (why: string): never => {
    throw new InputError(`--config ${shown}: ${why}`);
  };
  if (path.length < 2) refuse(`there is no key in it; write it as ${EXAMPLE}`);
  const servers = hosts.split(",").map((host) => serverOf(host) ?? refuse(notAServer(host)));
  const settings = new Map(new URLSearchParams(query));
  for (const setting of settings.keys()) {
    if (SETTINGS.includes(setting)) continue;
    const near = meantBy(setting, SETTINGS);
    refuse(
      `${JSON.stringify(setting)} is not known; ${
        near ? `did you mean ${near}?` : `use ${SETTINGS.join(", ")}`
      }`,
    );
  }
  if (user !== undefined) settings.set("user", user);
  const needed = missingSetting(settings);
  if (needed !== undefined) refuse(needed);
  const isTls = scheme === "etcds";
  const [tls] = ["ca", "cert"].filter((it) => settings.has(it));
  if (tls !== undefined && !isTls) refuse(`${tls} belongs to TLS; write etcds://`);
  const fileOf = (setting: string): string | undefined => {
    const file = settings.get(setting);
    return file === undefined ? undefined : resolve(file);
  };
  return {
    name: `${scheme}://${servers.join(",")}${path}`,
    endpoints: servers.map((it) => `${isTls ? "https" : "http"}://${it}`),
    servers,
    path: decoded(path) ?? refuse("its key has a % that is none of its own; write it as %25"),
    user: user === undefined ? undefined : decoded(user),
    passwordFile: fileOf("password_file"),
    ca: fileOf("ca"),
    cert: fileOf("cert"),
    key: fileOf("key"),
  };
}

function serverOf(host: string): string | undefined {
  try {
    const address = parseDialAddress(/:\d+$/.test(host) ? host : `${host}:${DEFAULT_PORT}`);
    return address.transport === "tcp" ? formatAddress(address) : undefined;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return undefined;
  }
}

function notAServer(host: string): string {
  if (host === "") return `there is no server in it; write it as ${EXAMPLE}`;
  return `${JSON.stringify(host)} is not the address of a server; write it as ${EXAMPLE}`;
}

/** What goes together, as in the configuration. */
function missingSetting(settings: ReadonlyMap<string, string>): string | undefined {
  const empty = [...settings].find(([, value]) => value === "");
  if (empty !== undefined) return `${empty[0]} is empty`;
  const pairs = [["cert", "key"], ["key", "cert"], ["user", "password_file"]] as const;
  const missing = pairs.find(([has, needs]) => settings.has(has) && !settings.has(needs));
  if (missing !== undefined) return `${missing[0]} needs ?${missing[1]}=FILE`;
  if (settings.has("password_file") && !settings.has("user")) {
    return "password_file needs the name of a user, as etcd://reader@10.0.0.5:2379/…";
  }
  return undefined;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

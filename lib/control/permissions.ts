/** The least that a configuration needs to be allowed, for the workers and for the whole program. */

import { dirname, resolve } from "node:path";
import type { Config } from "../config/schema.ts";
import { type Address, formatAddress, hasName } from "../core/address.ts";
import { stepInAddress } from "../dataplane/listen.ts";
import { PROBE_ADDRESS } from "./open_files.ts";
import { checkAddresses, configAddresses } from "./plan.ts";
import { resolveAddress } from "./resolve.ts";
import { workerModules } from "./worker_entry.ts";

/** Lists of what may be touched; an empty one forbids all. */
export interface Permissions {
  /** `ip:port` and `unix:/path`. */
  readonly net: readonly string[];
  readonly read: readonly string[];
  readonly write: readonly string[];
}

/** To listen on and to dial these addresses, and nothing else. A Unix socket is a file as well. */
export function socketPermissions(addresses: readonly Address[]): Permissions {
  const paths = addresses.flatMap((address) => address.transport === "unix" ? [address.path] : []);
  return { net: unique(addresses.map(netPermission)), read: unique(paths), write: unique(paths) };
}

/** Port 0 is any port of that host. */
function netPermission(address: Address): string {
  const text = formatAddress(address);
  return address.transport === "tcp" && address.port === 0 ? text.slice(0, -":0".length) : text;
}

/** The permissions of a worker, in the runtime's own form: everything that is not listed is forbidden. */
export function workerPermissions(permissions: Permissions): Deno.PermissionOptions {
  return {
    net: [...permissions.net],
    read: permissions.read.length === 0 ? false : [...permissions.read],
    write: permissions.write.length === 0 ? false : [...permissions.write],
    env: false,
    ffi: false,
    import: false,
    run: false,
    sys: false,
  };
}

/** As flags for the command line of Deno, quoted for a shell where that is needed. */
export function permissionFlags(permissions: Permissions): string[] {
  const flag = (name: string, list: readonly string[]): string[] => {
    // Deno reads two commas as one that is part of a path.
    const text = `--allow-${name}=${list.map((it) => it.replaceAll(",", ",,")).join(",")}`;
    const isPlain = /^[\w./:,=@%+~\[\]-]+$/.test(text);
    return list.length === 0 ? [] : [isPlain ? text : `'${text.replaceAll("'", `'\\''`)}'`];
  };
  return [
    ...flag("net", permissions.net),
    ...flag("read", permissions.read),
    ...flag("write", permissions.write),
  ];
}

function unique(list: readonly string[]): string[] {
  return [...new Set(list)];
}

/**
 * What the whole program needs for a configuration: its sockets, the names it looks up, its files, its own modules.
 *
 * @param files The configuration, if it is a file.
 * @param isWatched Whether it is read again when it changes, for which its folder is watched.
 */
export async function programPermissions(
  config: Config,
  files: readonly string[],
  isWatched = false,
): Promise<Permissions> {
  const admin = config.admin === undefined ? [] : [config.admin.listen];
  const stepsIn = config.listeners.flatMap(({ listen }) => {
    return listen.transport === "unix" ? [stepInAddress(listen)] : [];
  });
  const written = [...configAddresses(config), ...stepsIn, ...checkAddresses(config), ...admin].flatMap(
    forms,
  );
  const sockets = socketPermissions(await Promise.all(written.map(resolveAddress)));
  const names = written.filter(hasName).map((address) => address.host);
  // To see at the start whether the limit of open files carries what the configuration promises.
  const probes = config.listeners.some((listener) => listener.maxConnections > 0)
    ? [formatAddress(PROBE_ADDRESS)]
    : [];
  const tokenFiles = config.admin?.tokenFile === undefined ? [] : [config.admin.tokenFile];
  const logFiles = config.log.file === undefined ? [] : [config.log.file];
  return {
    net: unique([...sockets.net, ...names, ...probes]),
    read: unique([
      ...files,
      ...isWatched ? files.map((file) => dirname(resolve(file))) : [],
      ...tokenFiles,
      workerModules,
      ...sockets.read,
    ]),
    write: unique([...sockets.write, ...logFiles]),
  };
}

/** "All addresses" is one of two hosts; which one is known only when it is listened on. */
function forms(address: Address): Address[] {
  if (address.transport === "unix" || address.host !== "") return [address];
  return ["::", "0.0.0.0"].map((host) => ({ ...address, host }));
}

/** The least that a configuration needs to be allowed, for the workers and for the whole program. */

import { type Address, formatAddress, hasName } from "../core/address.ts";
import { reasonOf } from "../core/errors.ts";
import { formatSubnet, isWithin, type Subnet } from "../core/subnet.ts";
import { resolveAll } from "../core/resolve.ts";
import type { Touched } from "./touched.ts";
import { workerModules } from "./worker_entry.ts";

/** Lists of what may be touched; an empty one forbids all. */
export interface Permissions {
  /** `ip:port` and `unix:/path`. */
  readonly net: readonly string[];
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** Libraries with foreign functions, by their path; none where it is missing. */
  readonly ffi?: readonly string[] | "all";
}

/** What may be listened on and dialled. */
export interface Permitted {
  readonly listens: readonly Address[];
  readonly dials: readonly Address[];
  /** What else may be dialled. */
  readonly subnets: readonly Subnet[];
  /** Whether dials may have a local address of the pool's choice. */
  readonly mayBind?: boolean;
}

/** Whether all of these addresses may be dialled. */
export function permitsAll(
  { dials, subnets }: Pick<Permitted, "dials" | "subnets">,
  asked: readonly Address[],
): boolean {
  const permitted = new Set(dials.map(formatAddress));
  return asked.every((address) => {
    return permitted.has(formatAddress(address)) || subnets.some((subnet) => isWithin(address, subnet));
  });
}

/**
 * Whether workers may be permitted a subnet. The runtime refuses them each one, also one that the program itself has, unless
 * the program may use the whole network (Deno 2.9.6).
 */
export function mayPermitSubnets(): boolean {
  return Deno.permissions.querySync({ name: "net" }).state === "granted";
}

/**
 * Why the control plane may not check one of these backends; undefined when it may. It would know nothing about it, and workers may
 * have other permissions.
 */
export function whyNotCheckable(
  backends: readonly { readonly name: string; readonly address: Address }[],
): string | undefined {
  const refused = backends.find(({ address }) => {
    if (address.transport === "unix" || hasName(address)) return false;
    return Deno.permissions.querySync({ name: "net", host: formatAddress(address) }).state !== "granted";
  });
  if (refused === undefined) return undefined;
  const { name, address } = refused;
  return `cannot check backend ${name}: sockbal was started without permission to dial ` +
    `${formatAddress(address)} (--allow-net); this needs a restart`;
}

/** To listen on and to dial these, and nothing else. A Unix socket is a file as well. */
export function socketPermissions({ listens, dials, subnets }: Permitted): Permissions {
  const addresses = [...listens, ...dials];
  const paths = addresses.flatMap((address) => address.transport === "unix" ? [address.path] : []);
  const net = [...addresses.map(netPermission), ...subnets.map(formatSubnet)];
  return { net: unique(net), read: unique(paths), write: unique(paths) };
}

/** Port 0 is any port of that host. */
function netPermission(address: Address): string {
  const text = formatAddress(address);
  return address.transport === "tcp" && address.port === 0 ? text.slice(0, -":0".length) : text;
}

/** A flag that is missing for these, such as `--allow-net=10.0.0.1:80`; undefined when none is. */
export function missingFlag({ net, read, write }: Permissions): string | undefined {
  const isGranted = (asked: Deno.PermissionDescriptor): boolean =>
    Deno.permissions.querySync(asked).state === "granted";
  const host = net.find((it) => !isGranted({ name: "net", host: it }));
  if (host !== undefined) return `--allow-net=${host}`;
  const path = read.find((it) => !isGranted({ name: "read", path: it }));
  if (path !== undefined) return `--allow-read=${path}`;
  const written = write.find((it) => !isGranted({ name: "write", path: it }));
  return written === undefined ? undefined : `--allow-write=${written}`;
}

/** The permissions of a worker, in the runtime's own form: everything that is not listed is forbidden. */
export function workerPermissions(permissions: Permissions): Deno.PermissionOptions {
  return {
    net: permissions.net.length === 0 ? false : [...permissions.net],
    read: permissions.read.length === 0 ? false : [...permissions.read],
    write: permissions.write.length === 0 ? false : [...permissions.write],
    env: false,
    ffi: permissions.ffi === "all" || (permissions.ffi === undefined ? false : [...permissions.ffi]),
    import: false,
    run: false,
    sys: false,
  };
}

/** As flags for the command line of Deno, quoted for a shell where that is needed. */
export function permissionFlags({ net, read, write, ffi = [] }: Permissions): string[] {
  const flag = (name: string, list: readonly string[]): string[] => {
    // Deno reads two commas as one that is part of a path.
    const text = `--allow-${name}=${list.map((it) => it.replaceAll(",", ",,")).join(",")}`;
    const isPlain = /^[\w./:,=@%+~\[\]-]+$/.test(text);
    return list.length === 0 ? [] : [isPlain ? text : `'${text.replaceAll("'", `'\\''`)}'`];
  };
  return [
    ...flag("net", net),
    ...flag("read", read),
    ...flag("write", write),
    ...(ffi === "all" ? ["--allow-ffi"] : flag("ffi", ffi)),
  ];
}

function unique(list: readonly string[]): string[] {
  return [...new Set(list)];
}

/**
 * What the whole program needs for a configuration: its sockets, the names it looks up, its files, its own modules. The
 * addresses of a name that cannot be resolved are not known; `unresolved` has a sentence for each.
 */
export async function programPermissions(
  { listens, dials, dialsWithin, probes, names, reads, writes }: Touched,
): Promise<Permissions & { readonly unresolved: readonly string[] }> {
  const written = [...listens, ...dials].flatMap(forms);
  const unresolved = new Set<string>();
  const resolved = await Promise.all(written.map(async (address) => {
    try {
      return await resolveAll(address);
    } catch (error) {
      unresolved.add(reasonOf(error));
      return [];
    }
  }));
  const sockets = socketPermissions({ listens: [], dials: resolved.flat(), subnets: dialsWithin });
  return {
    net: unique([...sockets.net, ...names, ...probes.map(formatAddress)]),
    read: unique([...reads, workerModules, ...sockets.read]),
    write: unique([...sockets.write, ...writes]),
    unresolved: [...unresolved],
  };
}

/** "All addresses" is one of two hosts; which one is known only when it is listened on. */
function forms(address: Address): Address[] {
  if (address.transport === "unix" || address.host !== "") return [address];
  return ["::", "0.0.0.0"].map((host) => ({ ...address, host }));
}

/** The least that a configuration needs to be allowed, for the workers and for the whole program. */

import { isIP } from "../core/is_ip.ts";
import type { EngineName } from "../config/engine_names.ts";
import type { PoolConfig } from "../config/pool_schema.ts";
import {
  type Address,
  formatAddress,
  formatHostPort,
  hasName,
  isIPv6Address,
  type TcpAddress,
} from "../core/address.ts";
import { reasonOf } from "../core/errors.ts";
import { formatSubnet, isWithin, type Subnet } from "../core/subnet.ts";
import { resolveAll } from "../core/resolve.ts";
import { withoutZone } from "../core/zone.ts";
import { systemNameServer } from "../discovery/system_name_server.ts";
import { clientPermissions, type Clients } from "./clients.ts";
import type { Touched } from "./touched.ts";
import { workerModules } from "./worker_entry.ts";

/** Lists of what may be touched; an empty one forbids all. */
export interface Permissions {
  /** `ip:port` and `unix:/path`. */
  readonly net: readonly string[];
  /** Whether more of the network may be used than can be listed: as much as the program may. */
  readonly isNetInherited?: boolean;
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** Libraries with foreign functions, by their path; none where it is missing. */
  readonly ffi?: readonly string[] | "all";
  /** Names of the environment. */
  readonly env?: readonly string[];
}

/** What may be listened on and dialled. */
export interface Permitted {
  readonly listens: readonly Address[];
  readonly dials: readonly Address[];
  /** What else may be dialled. */
  readonly subnets: readonly Subnet[];
  /** Whom datagrams are sent to as answers. */
  readonly clients?: Clients;
  /** Whether dials may have a local address of the pool's choice. */
  readonly mayBind?: boolean;
  /** Whether datagrams are sent to the subnets as well. */
  readonly sendsDatagrams?: boolean;
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
    const { net } = socketPermissions({ listens: [], dials: [address], subnets: [] });
    return net.some((host) => Deno.permissions.querySync({ name: "net", host }).state !== "granted");
  });
  if (refused === undefined) return undefined;
  const { name, address } = refused;
  return `cannot check backend ${name}: sockbal was started without permission to dial ` +
    `${formatAddress(address)} (--allow-net); this needs a restart`;
}

/**
 * Why a member that was not written may not be dialled. With epoll, workers dial without the runtime, and what is left to it are
 * the checks.
 */
export function whyNotDialled(
  engine: EngineName,
): (address: Address, pool: Pick<PoolConfig, "healthCheck">) => string | undefined {
  const isAllGranted = mayPermitSubnets();
  return (address, { healthCheck }) => {
    // A name is looked up first, and its addresses are judged then.
    if (isAllGranted || address.transport === "unix" || !isIP(withoutZone(address.host))) {
      return undefined;
    }
    const port = healthCheck?.port ?? address.port;
    const dialled = engine === "runtime" ? [formatAddress(address)] : [];
    const checked = healthCheck === undefined ? [] : [formatHostPort(address.host, port)];
    const refused = [...dialled, ...checked].find((host) => {
      return Deno.permissions.querySync({ name: "net", host }).state !== "granted";
    });
    return refused && `sockbal was started without permission to dial ${refused} (--allow-net)`;
  };
}

/** To listen on and to dial these, and nothing else. A Unix socket is a file as well. */
export function socketPermissions(
  { listens, dials, subnets, clients = [], sendsDatagrams = false }: Permitted,
): Permissions {
  const addresses = [...listens, ...dials];
  const paths = addresses.flatMap((address) => address.transport === "unix" ? [address.path] : []);
  const answers = clientPermissions(clients);
  const net = [
    ...addresses.map(netPermission),
    ...datagramSources(dials),
    // Subnets are of IPv4.
    ...(sendsDatagrams ? ["0.0.0.0:0"] : []),
    ...subnets.map(formatSubnet),
    ...answers ?? [],
  ];
  return {
    net: unique(net),
    ...(answers === undefined ? { isNetInherited: true } : {}),
    read: unique(paths),
    write: unique(paths),
  };
}

/** Port 0 is any port of that host. Permissions know hosts and ports, whatever the transport. */
function netPermission(address: Address): string {
  if (address.transport === "unix") return formatAddress(address);
  const text = formatHostPort(address.host, address.port);
  return address.port === 0 ? text.slice(0, -":0".length) : text;
}

/** Where sockets are bound that send datagrams to these; each is asked for as it stands (Deno 2.9.6). */
function datagramSources(dials: readonly Address[]): string[] {
  return dials.filter(({ transport }) => transport === "udp")
    .map((address) => isIPv6Address(address) ? "[::]:0" : "0.0.0.0:0");
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
export function workerPermissions(permissions: Permissions): Deno.PermissionOptionsObject {
  const net = permissions.net.length === 0 ? false : [...permissions.net];
  return {
    net: permissions.isNetInherited === true ? "inherit" : net,
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
export function permissionFlags(
  { net, isNetInherited = false, read, write, ffi = [], env = [] }: Permissions,
): string[] {
  const flag = (name: string, list: readonly string[]): string[] => {
    // Deno reads two commas as one that is part of a path.
    const text = `--allow-${name}=${list.map((it) => it.replaceAll(",", ",,")).join(",")}`;
    const isPlain = /^[\w./:,=@%+~\[\]-]+$/.test(text);
    return list.length === 0 ? [] : [isPlain ? text : `'${text.replaceAll("'", `'\\''`)}'`];
  };
  return [
    ...(isNetInherited ? ["--allow-net"] : flag("net", net)),
    ...flag("read", read),
    ...flag("write", write),
    ...(ffi === "all" ? ["--allow-ffi"] : flag("ffi", ffi)),
    ...flag("env", env),
  ];
}

function unique(list: readonly string[]): string[] {
  return [...new Set(list)];
}

/**
 * What the whole program needs for a configuration: its sockets, the names it looks up, its files, its own modules. The
 * addresses of a name that cannot be resolved are not known; `unresolved` has a sentence for each.
 *
 * @param systemServer Finds the name server of the system; a test may have another one.
 */
export async function programPermissions(
  touched: Touched,
  systemServer: () => Promise<TcpAddress> = systemNameServer,
): Promise<Permissions & { readonly unresolved: readonly string[] }> {
  const { listens, dials, dialsWithin, clients, probes, names, asked, reads, writes } = touched;
  const unresolved = new Set<string>();
  const resolve = async (addresses: readonly Address[]): Promise<Address[]> => {
    const resolved = addresses.flatMap(forms).map(async (address) => {
      try {
        return await resolveAll(address);
      } catch (error) {
        unresolved.add(reasonOf(error));
        return [];
      }
    });
    return (await Promise.all(resolved)).flat();
  };
  const findSystemServer = async (): Promise<string[]> => {
    if (!touched.asksSystem) return [];
    try {
      return [formatAddress(await systemServer())];
    } catch (error) {
      unresolved.add(reasonOf(error));
      return [];
    }
  };
  const [listening, dialled, system] = await Promise.all([
    resolve(listens),
    resolve(dials),
    findSystemServer(),
  ]);
  const sockets = socketPermissions({
    listens: listening,
    dials: dialled,
    subnets: dialsWithin,
    clients,
    sendsDatagrams: touched.sendsWithin,
  });
  return {
    ...sockets,
    net: unique([...sockets.net, ...names, ...asked, ...system, ...probes.map(formatAddress)]),
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

/** What a configuration touches: the one statement from which permissions, and what is given up, are derived. Pure. */

import type { EngineName } from "../config/engine_names.ts";
import type { EtcdConfig } from "../config/etcd_schema.ts";
import type { EtcdUrl } from "../config/etcd_url.ts";
import { keyFilesOf } from "../config/key_files.ts";
import type { DiscoverConfig } from "../config/discover_schema.ts";
import { type ListenerConfig, poolsOf, udpPools } from "../config/listener_schema.ts";
import type { Config } from "../config/schema.ts";
import { GROUP_FILE } from "../core/groups.ts";
import { type Address, asUdp, formatAddress, hasName, type UnixAddress } from "../core/address.ts";
import { boundAt, handOverAt } from "../core/socket_file.ts";
import type { Subnet } from "../core/subnet.ts";
import { standardStreamOf } from "../core/standard_stream.ts";
import { RESOLV_CONF } from "../discovery/system_name_server.ts";
import { PROBE_ADDRESS } from "../engine/runtime/listen.ts";
import { whereChecked } from "../health/check.ts";
import { type Clients, clientsOf } from "./clients.ts";
import { newStateFile, unreadStateFile } from "./state_file.ts";
import { opensTls } from "./greetings.ts";

/** By the runtime, as it is written: names are not resolved, "all addresses" is no host. */
export interface Touched {
  /** Listeners, where their Unix sockets are made, and the admin side. */
  readonly listens: readonly Address[];
  /** Backends, and where they are checked. */
  readonly dials: readonly Address[];
  /** Whom workers answer by datagrams. */
  readonly clients: Clients;
  /** Where the limit of open files is found out. */
  readonly probes: readonly Address[];
  /** Names whose addresses are looked up. */
  readonly names: readonly string[];
  /** Servers that are asked for backends or about the fleet, as `host:port`. */
  readonly asked: readonly string[];
  /** Whether the name server of the system is asked as well, which is known only where this runs. */
  readonly asksSystem: boolean;
  /** Pools whose backends are discovered wherever they are. */
  readonly discovering: readonly string[];
  /** Where backends may come to be, and be checked. */
  readonly dialsWithin: readonly Subnet[];
  /** Whether datagrams are sent there. */
  readonly sendsWithin: boolean;
  /** Files; sockets are none of them. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

/**
 * @param files The files and folders of the configuration itself.
 * @param engine With epoll, workers dial without the runtime, and what is left to it are the checks, and what has to do with TLS.
 */
export function touchedBy(
  config: Config,
  files: readonly string[] = [],
  engine: EngineName = "runtime",
): Touched {
  const { listeners, pools: allPools, admin, log } = config;
  const isEpoll = engine === "epoll";
  // Listeners that open TLS are the runtime's, with either engine.
  const isRuntimes = (listener: ListenerConfig): boolean => !isEpoll || opensTls(listener, config);
  const reached = new Set(listeners.filter(isRuntimes).flatMap(poolsOf));
  const overUdp = udpPools(listeners);
  const pools = Object.entries(allPools)
    .map(([name, pool]) => ({ ...pool, isDialled: !isEpoll || reached.has(name), isUdp: overUdp.has(name) }))
    .filter(({ isDialled, healthCheck }) => isDialled || healthCheck !== undefined);
  const backends = Object.values(allPools).flatMap(({ backends }) => backends.map(({ address }) => address));
  const written = [...listeners.map(({ listen }) => listen), ...backends];
  if (admin !== undefined) written.push(admin.listen);
  const { stateFile, fleet } = config;
  const stateFiles = stateFile === undefined
    ? []
    : [stateFile, newStateFile(stateFile), unreadStateFile(stateFile)];
  const discovered = Object.values(allPools).flatMap(({ discover }) => discover ?? []);
  const logFiles = log.file === undefined || standardStreamOf(log.file) !== undefined ? [] : [log.file];
  return {
    listens: [
      ...listeners.flatMap((listener): Address[] => {
        const { listen } = listener;
        return listen.transport === "unix" && isRuntimes(listener) ? [listen, boundAt(listen)] : [listen];
      }),
      ...(admin === undefined ? [] : [admin.listen]),
      ...(admin?.listen.transport === "unix" ? besideAdmin(admin.listen, isEpoll) : []),
    ],
    dials: unique(
      pools.flatMap(({ backends, healthCheck, isDialled, isUdp }) =>
        backends.flatMap(({ address }): Address[] => [
          ...(isDialled ? [isUdp && address.transport !== "unix" ? asUdp(address) : address] : []),
          ...(healthCheck === undefined ? [] : [whereChecked(address, healthCheck)]),
        ])
      ),
    ),
    clients: isEpoll ? [] : clientsOf(listeners),
    probes: isEpoll ? [] : [PROBE_ADDRESS],
    names: [
      ...new Set([
        ...written.filter(hasName).map(({ host }) => host),
        ...discovered.flatMap(({ dns, resolver }) => dns === undefined || resolver !== undefined ? [] : dns),
      ]),
    ],
    asked: [
      ...discovered.flatMap(serversOf),
      ...(fleet === undefined ? [] : serversAt(fleet.etcd.endpoints)),
    ],
    asksSystem: discovered.some(asksSystem),
    discovering: Object.entries(allPools).flatMap(([name, { discover, within }]) => {
      return discover === undefined || within.length > 0 ? [] : name;
    }),
    dialsWithin: pools.flatMap(({ within, healthCheck }) => {
      const port = healthCheck?.port;
      return port === undefined ? within : within.flatMap((subnet) => [subnet, { ...subnet, port }]);
    }),
    sendsWithin: pools.some(({ within, healthCheck, isDialled, isUdp }) => {
      return within.length > 0 && ((isDialled && isUdp) || healthCheck?.type === "udp");
    }),
    // Whether the log ends in the middle of a line is looked at before it is written on.
    reads: [
      ...files,
      ...([...listeners, ...(admin === undefined ? [] : [admin])].some(({ group }) =>
          typeof group === "string"
        )
        ? [GROUP_FILE]
        : []),
      admin?.tokenFile,
      ...logFiles,
      ...stateFiles,
      ...keyFilesOf(listeners, Object.values(allPools)),
      ...discovered.flatMap(filesOf),
      ...filesOfEtcd(fleet?.etcd),
    ]
      .filter((path) => path !== undefined),
    writes: [...logFiles, ...stateFiles],
  };
}

/** The same with the servers that have the configuration itself. */
export function withServers(touched: Touched, stored: EtcdUrl | undefined): Touched {
  return stored === undefined ? touched : { ...touched, asked: [...stored.servers, ...touched.asked] };
}

/** Where its socket is made, and where it waits for the sockets of a balancer whose place it takes. */
function besideAdmin(listen: UnixAddress, isEpoll: boolean): UnixAddress[] {
  return isEpoll ? [boundAt(listen), handOverAt(listen)] : [boundAt(listen)];
}

function unique(addresses: readonly Address[]): Address[] {
  return [...new Map(addresses.map((address) => [formatAddress(address), address])).values()];
}

/** The servers that a source asks. */
function serversOf({ resolver, http, etcd }: DiscoverConfig): string[] {
  return [
    ...(resolver === undefined ? [] : [formatAddress(resolver)]),
    ...serversAt([...(http === undefined ? [] : [http]), ...etcd?.endpoints ?? []]),
  ];
}

function serversAt(urls: readonly string[]): string[] {
  return urls.map((url) => {
    const { hostname, port, protocol } = new URL(url);
    return `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
  });
}

function asksSystem({ srv, resolver }: DiscoverConfig): boolean {
  return srv !== undefined && resolver === undefined;
}

/** The files that a source reads. */
function filesOf(source: DiscoverConfig): string[] {
  const { file, ca, etcd } = source;
  const system = asksSystem(source) ? RESOLV_CONF : undefined;
  return [file, ca, ...filesOfEtcd(etcd), system].filter((path) => path !== undefined);
}

function filesOfEtcd(etcd: EtcdConfig | undefined): (string | undefined)[] {
  return [etcd?.passwordFile, etcd?.ca, etcd?.cert, etcd?.key];
}

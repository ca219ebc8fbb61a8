import { resolve } from "node:path";
import { type Address, formatAddress } from "../core/address.ts";
import type { DiscoverConfig } from "./discover_schema.ts";
import type { EtcdConfig } from "./etcd_schema.ts";
import { isName } from "./fields.ts";
import type { ListenerConfig } from "./listener_schema.ts";
import type { PoolConfig } from "./pool_schema.ts";
import type { Config } from "./schema.ts";

/** Relative paths in a configuration are relative to its file, wherever the program was started. */
export function withPathsFrom(folder: string, config: Config): Config {
  const { admin, fleet, log } = config;
  const pools = Object.entries(config.pools).map(([name, pool]) => [name, poolFrom(folder, pool)]);
  return {
    ...config,
    listeners: config.listeners.map((listener) => listenerFrom(folder, listener)),
    pools: Object.fromEntries(pools),
    admin: admin === undefined ? undefined : {
      ...admin,
      listen: addressFrom(folder, admin.listen),
      tokenFile: pathFrom(folder, admin.tokenFile),
    },
    stateFile: pathFrom(folder, config.stateFile),
    fleet: fleet === undefined ? undefined : { ...fleet, etcd: etcdFrom(folder, fleet.etcd) },
    log: log.file === undefined ? log : { ...log, file: resolve(folder, log.file) },
  };
}

function listenerFrom(folder: string, { listen, name, tls, ...listener }: ListenerConfig): ListenerConfig {
  return {
    ...listener,
    name: nameFrom(folder, name, listen),
    listen: addressFrom(folder, listen),
    tls: tls === undefined ? undefined : {
      ...tls,
      certificates: tls.certificates.map(({ cert, key }) => {
        return { cert: resolve(folder, cert), key: resolve(folder, key) };
      }),
      clientCa: pathFrom(folder, tls.clientCa),
    },
  };
}

function poolFrom(folder: string, { backends, discover, tls, ...pool }: PoolConfig): PoolConfig {
  return {
    ...pool,
    discover: discover === undefined ? undefined : discoverFrom(folder, discover),
    backends: backends.map(({ address, name, ...backend }) => {
      return { ...backend, name: nameFrom(folder, name, address), address: addressFrom(folder, address) };
    }),
    tls: tls === undefined ? undefined : {
      ...tls,
      ca: pathFrom(folder, tls.ca),
      cert: pathFrom(folder, tls.cert),
      key: pathFrom(folder, tls.key),
    },
  };
}

function discoverFrom(folder: string, { file, ca, etcd, ...discover }: DiscoverConfig): DiscoverConfig {
  return {
    ...discover,
    file: pathFrom(folder, file),
    ca: pathFrom(folder, ca),
    etcd: etcd === undefined ? undefined : etcdFrom(folder, etcd),
  };
}

function etcdFrom(folder: string, etcd: EtcdConfig): EtcdConfig {
  return {
    ...etcd,
    passwordFile: pathFrom(folder, etcd.passwordFile),
    ca: pathFrom(folder, etcd.ca),
    cert: pathFrom(folder, etcd.cert),
    key: pathFrom(folder, etcd.key),
  };
}

function pathFrom(folder: string, path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(folder, path);
}

/** The same for one address. */
export function addressFrom<Place extends Address>(folder: string, address: Place): Place {
  return address.transport === "unix" ? { ...address, path: resolve(folder, address.path) } : address;
}

/** What has no name is called by its address. A relative path that could not be given as a name becomes absolute there too. */
function nameFrom(folder: string, name: string, address: Address): string {
  return isName(name) || name !== formatAddress(address) ? name : formatAddress(addressFrom(folder, address));
}

/**
 * What no single value can know: names that must exist, things that may stand only once, and keys that go with others.
 *
 * Works on the plain document rather than on the checked configuration, so that these faults are reported together
 * with all others; whatever has the wrong shape is passed over here, since the schema reports it.
 */

import {
  type Address,
  formatAddress,
  isLocal,
  parseDialAddress,
  parseListenAddress,
} from "../core/address.ts";
import { accessFaults, socketFileFaults } from "./access_checks.ts";
import { boundAt, handOverAt } from "../core/socket_file.ts";
import { discoverFaults } from "./discover_checks.ts";
import { etcdFaults } from "./etcd_checks.ts";
import { nearest } from "../core/nearest.ts";
import type { Path } from "./place.ts";
import type { PathFault } from "./findings.ts";
import { CHECK_TYPES, EXPECT_FORMS, typesOfCheckKey } from "./health_check_schema.ts";
import { asList, asMap, isMap, parsedAddress } from "./loose.ts";
import { absolute, overlap } from "./overlaps.ts";
import { ALGORITHMS } from "./pool_schema.ts";
import { listenerTlsFaults, poolTlsFaults } from "./tls_checks.ts";
import { datagramCheckFaults, udpFaults } from "./udp_checks.ts";

/**
 * @param folder What relative paths are relative to.
 * @param inFile What a path is in its own file.
 */
export function crossChecks(
  document: unknown,
  folder: string,
  inFile: (path: Path) => Path = (path) => path,
): PathFault[] {
  const listeners = asList(asMap(document).listeners);
  const pools = asMap(asMap(document).pools);
  const faults: PathFault[] = [];

  listeners.forEach((listener, i) => {
    // What is no map is a fault of its own.
    if (!isMap(listener)) return;
    faults.push(
      ...poolNameFaults(listener, Object.keys(pools), ["listeners", i]),
      ...listenerTlsFaults(listener, ["listeners", i]),
      ...accessFaults(listener, ["listeners", i]),
    );
  });

  const admin = asMap(asMap(document).admin);
  const parseListen = (text: string): Address => absolute(parseListenAddress(text), folder);
  const listens = [
    ...listeners.map((it, i) => useOf(it, "listen", ["listeners", i], parseListen)),
    useOf({ listen: admin.listen }, "listen", ["admin"], parseListen),
  ];
  faults.push(
    ...repeatedUses(listens),
    ...overlapFaults(listens, inFile),
    ...besideFaults(listens, inFile),
    ...tokenFaults(admin),
    ...socketFileFaults(admin, ["admin"]),
    ...udpFaults(listeners, pools),
    ...etcdFaults(asMap(asMap(asMap(document).fleet).etcd), ["fleet", "etcd"]),
  );
  for (const [name, pool] of Object.entries(pools)) {
    const path = ["pools", name, "backends"];
    const backends = asList(asMap(pool).backends);
    faults.push(
      ...repeatedUses(backends.map((it, i) => useOf(it, "address", [...path, i], parseDialAddress))),
      ...(isMap(pool) ? discoverFaults(pool, ["pools", name]) : []),
      ...hashKeyFaults(asMap(pool), ["pools", name]),
      ...initialFaults(asMap(pool), ["pools", name]),
      ...poolTlsFaults(asMap(pool), ["pools", name]),
      ...checkTypeFaults(asMap(asMap(pool).health_check), ["pools", name, "health_check"]),
    );
  }
  return faults;
}

/** The pools that a listener and its routes name have to be there; and it needs one at all. */
function poolNameFaults(
  listener: Record<string, unknown>,
  poolNames: readonly string[],
  path: Path,
): PathFault[] {
  const { pool, routes } = listener;
  const uses = [
    { at: [...path, "pool"], pool },
    ...asList(routes).map((route, i) => ({ at: [...path, "routes", i, "pool"], pool: asMap(route).pool })),
  ];
  const faults = uses.flatMap(({ at, pool }): PathFault[] => {
    if (typeof pool !== "string" || poolNames.length === 0 || poolNames.includes(pool)) return [];
    const near = nearest(pool, poolNames);
    const hint = near === undefined ? `use ${poolNames.join(", ")}` : `did you mean ${near}?`;
    return [{ path: at, message: `there is no pool ${JSON.stringify(pool)}; ${hint}` }];
  });
  const hasNoRoutes = routes === undefined || (Array.isArray(routes) && routes.length === 0);
  if (pool === undefined && hasNoRoutes) {
    faults.push({ path: [...path, "pool"], message: "missing; name one of the pools" });
  }
  return faults;
}

/** Without checks it would stay down for ever. */
function initialFaults({ initial, health_check }: Record<string, unknown>, path: Path): PathFault[] {
  if (initial !== "down" || health_check !== undefined) return [];
  const message = "down waits for the first health check, and there is none; add health_check, or write up";
  return [{ path: [...path, "initial"], message }];
}

/** Two listeners that would take each other's connections, though their addresses are written differently. */
function overlapFaults(uses: readonly Use[], inFile: (path: Path) => Path): PathFault[] {
  return uses.flatMap(({ parsed, address, addressPath }, i) => {
    const other = uses.slice(0, i).find((it) => {
      return parsed !== undefined && it.parsed !== undefined && it.address !== address &&
        overlap(it.parsed, parsed);
    });
    if (other === undefined) return [];
    const message = `${JSON.stringify(address)} overlaps with ${JSON.stringify(other.address)} of ` +
      `${describeOwner(inFile(other.addressPath))}: both would take the same ${
        parsed?.transport === "udp" ? "datagrams" : "connections"
      }; ` +
      "use another port, or leave one of them out";
    return [{ path: addressPath, message, other: other.addressPath }];
  });
}

/** A Unix socket whose path is one that the program uses beside another one. */
function besideFaults(uses: readonly Use[], inFile: (path: Path) => Path): PathFault[] {
  return uses.flatMap(({ parsed, address, addressPath }) => {
    const other = uses.find((it) => parsed?.transport === "unix" && pathsBeside(it).includes(parsed.path));
    if (other === undefined) return [];
    const message = `${JSON.stringify(address)} is needed beside ${JSON.stringify(other.address)} of ` +
      `${
        describeOwner(inFile(other.addressPath))
      }, whose socket is made or handed over there; use another path`;
    return [{ path: addressPath, message, other: other.addressPath }];
  });
}

function pathsBeside({ parsed, addressPath: [section] }: Use): string[] {
  if (parsed?.transport !== "unix") return [];
  return [boundAt(parsed), ...(section === "admin" ? [handOverAt(parsed)] : [])].map(({ path }) => path);
}

function describeOwner([section, index]: Path): string {
  return index === undefined || section === "admin" ? "the admin side" : `${section}[${index}]`;
}

/** What others can reach needs a token. */
function tokenFaults({ listen, token_file }: Record<string, unknown>): PathFault[] {
  const address = parsedAddress(listen, parseListenAddress);
  if (token_file !== undefined || address === undefined || isLocal(address)) return [];
  const message = `other machines can reach ${listen}; set token_file, or listen on 127.0.0.1`;
  return [{ path: ["admin", "listen"], message }];
}

/** Only maglev has a key. */
function hashKeyFaults(pool: Record<string, unknown>, path: Path): PathFault[] {
  const { algorithm = "round_robin" } = pool;
  if (!("hash_key" in pool) || algorithm === "maglev" || !isOneOf(ALGORITHMS, algorithm)) return [];
  const message = `hash_key belongs to algorithm maglev; this pool has ${algorithm}`;
  return [{ path: [...path, "hash_key"], message, atKey: true }];
}

/** A check has the keys of its own type only, and those that this type needs. */
function checkTypeFaults(check: Record<string, unknown>, path: Path): PathFault[] {
  const { type = "tcp" } = check;
  if (!isOneOf(CHECK_TYPES, type)) return [];
  const faults: PathFault[] = [];
  for (const key of Object.keys(check)) {
    const owners = typesOfCheckKey(key);
    if (owners === undefined || owners.some((it) => it === type)) continue;
    const message = `${key} belongs to type ${owners.join(" or ")}; this check has type ${type}`;
    faults.push({ path: [...path, key], message, atKey: true });
  }
  if (type === "expect" && !("expect" in check)) {
    faults.push({ path: [...path, "expect"], message: `missing; ${EXPECT_FORMS}` });
  }
  if (type === "udp") faults.push(...datagramCheckFaults(check, path));
  return faults;
}

function isOneOf(words: readonly string[], value: unknown): value is string {
  return typeof value === "string" && words.includes(value);
}

/** A listener or a backend, with where its address and its name are written. */
interface Use {
  /** In the one form that every way of writing it has; undefined when it is no address. */
  readonly address: string | undefined;
  readonly parsed: Address | undefined;
  readonly addressPath: Path;
  /** The name that was given, or else the address. */
  readonly name: string | undefined;
  readonly namePath: Path;
}

function useOf(value: unknown, addressKey: string, path: Path, parse: (text: string) => Address): Use {
  const isShort = typeof value === "string";
  const found = parsedAddress(isShort ? value : asMap(value)[addressKey], parse);
  // Every port 0 is another port.
  const parsed = found !== undefined && found.transport !== "unix" && found.port === 0 ? undefined : found;
  const address = parsed === undefined ? undefined : formatAddress(parsed);
  const addressPath = isShort ? path : [...path, addressKey];
  const name = asMap(value).name;
  if (typeof name === "string") return { address, parsed, addressPath, name, namePath: [...path, "name"] };
  return { address, parsed, addressPath, name: address, namePath: addressPath };
}

/** The second and later uses of an address or a name; without a name of its own, an address is one fault, not two. */
function repeatedUses(uses: readonly Use[]): PathFault[] {
  const addresses = new Map<string, Path>();
  const names = new Map<string, Path>();
  const faults: PathFault[] = [];
  for (const { address, addressPath, name, namePath } of uses) {
    const first = address === undefined ? undefined : addresses.get(address);
    if (address !== undefined && first !== undefined) {
      faults.push(secondUse(addressPath, "address", address, first));
    } else if (address !== undefined) addresses.set(address, addressPath);
    if (name === undefined) continue;
    const firstName = names.get(name);
    if (firstName === undefined) names.set(name, namePath);
    else if (first === undefined || namePath !== addressPath) {
      faults.push(secondUse(namePath, "name", name, firstName));
    }
  }
  return faults;
}

function secondUse(path: Path, what: string, text: string, other: Path): PathFault {
  return { path, message: `the ${what} ${JSON.stringify(text)} is used a second time`, other };
}

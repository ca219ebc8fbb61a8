/**
 * What no single value can know: names that must exist, and things that may stand only once.
 *
 * Works on the plain document rather than on the checked configuration, so that these faults are reported together
 * with all others; whatever has the wrong shape is passed over here, since the schema reports it.
 */

import { type Address, formatAddress, parseDialAddress, parseListenAddress } from "../core/address.ts";
import { nearest } from "../core/nearest.ts";
import type { Path } from "./document.ts";

/** A fault whose place is still to be looked up. */
export interface PathFault {
  readonly path: Path;
  readonly message: string;
}

export function crossChecks(document: unknown): PathFault[] {
  const listeners = asList(asMap(document).listeners);
  const pools = asMap(asMap(document).pools);
  const faults: PathFault[] = [];

  const poolNames = Object.keys(pools);
  listeners.forEach((listener, i) => {
    const pool = asMap(listener).pool;
    if (typeof pool !== "string" || poolNames.length === 0 || poolNames.includes(pool)) return;
    const near = nearest(pool, poolNames);
    const hint = near === undefined ? `use ${poolNames.join(", ")}` : `did you mean ${near}?`;
    faults.push({
      path: ["listeners", i, "pool"],
      message: `there is no pool ${JSON.stringify(pool)}; ${hint}`,
    });
  });

  faults.push(
    ...repeatedUses(listeners.map((it, i) => useOf(it, "listen", ["listeners", i], parseListenAddress))),
  );
  for (const [name, pool] of Object.entries(pools)) {
    const path = ["pools", name, "backends"];
    const backends = asList(asMap(pool).backends);
    faults.push(
      ...repeatedUses(backends.map((it, i) => useOf(it, "address", [...path, i], parseDialAddress))),
    );
  }
  return faults;
}

/** A listener or a backend, with where its address and its name are written. */
interface Use {
  /** In the one form that every way of writing it has; undefined when it is no address. */
  readonly address: string | undefined;
  readonly addressPath: Path;
  /** The name that was given, or else the address. */
  readonly name: string | undefined;
  readonly namePath: Path;
}

function useOf(value: unknown, addressKey: string, path: Path, parse: (text: string) => Address): Use {
  const isShort = typeof value === "string";
  const address = normalized(isShort ? value : asMap(value)[addressKey], parse);
  const addressPath = isShort ? path : [...path, addressKey];
  const name = asMap(value).name;
  if (typeof name === "string") return { address, addressPath, name, namePath: [...path, "name"] };
  return { address, addressPath, name: address, namePath: addressPath };
}

function normalized(text: unknown, parse: (text: string) => Address): string | undefined {
  if (typeof text !== "string") return undefined;
  try {
    const address = parse(text);
    // Every port 0 is another port.
    return address.transport === "tcp" && address.port === 0 ? undefined : formatAddress(address);
  } catch {
    return undefined;
  }
}

/** The second and later uses of an address or a name; without a name of its own, an address is one fault, not two. */
function repeatedUses(uses: readonly Use[]): PathFault[] {
  const addresses = new Set<string>();
  const names = new Set<string>();
  const faults: PathFault[] = [];
  for (const { address, addressPath, name, namePath } of uses) {
    const isAddressRepeated = address !== undefined && addresses.has(address);
    if (isAddressRepeated) faults.push(secondUse(addressPath, "address", address));
    if (name !== undefined && names.has(name) && !(isAddressRepeated && namePath === addressPath)) {
      faults.push(secondUse(namePath, "name", name));
    }
    if (address !== undefined) addresses.add(address);
    if (name !== undefined) names.add(name);
  }
  return faults;
}

function secondUse(path: Path, what: string, text: string): PathFault {
  return { path, message: `the ${what} ${JSON.stringify(text)} is used a second time` };
}

function asMap(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Record<string, unknown>
    : {};
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

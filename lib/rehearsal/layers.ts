/**
 * The balancer's configuration as a plan says it: what stands under `balancer`, and what a variant or a reload changes of it, as
 * one document whose values know where in the plan they stand.
 */

import type { YamlDocument } from "../config/document.ts";
import { asList, asMap, isMap } from "../config/loose.ts";
import type { Path, Place } from "../config/place.ts";
import { meantBy } from "../core/other_names.ts";
import { mergePatch } from "./merge_patch.ts";
import type { PathFault } from "../config/findings.ts";

/** A part of the plan, and what stands there. */
export interface Layer {
  readonly path: Path;
  readonly value: unknown;
}

/** A backend that is written as a name; an address has a colon. */
const NAME_ALONE = /^[^:/\s]+$/;

/** The one document of all layers. */
export class LayeredDocument implements YamlDocument {
  readonly value: unknown;
  readonly faults: readonly [] = [];
  readonly variables: ReadonlySet<string>;
  /** Names of servers that there are not. */
  readonly unknownServers: readonly PathFault[];
  readonly #plan: YamlDocument;
  readonly #layers: readonly Layer[];

  /**
   * @param plan The document that the layers are parts of.
   * @param layers At least one; the later ones change those before.
   * @param addresses Where the servers listen, by their names.
   */
  constructor(plan: YamlDocument, layers: readonly Layer[], addresses: ReadonlyMap<string, string>) {
    this.#plan = plan;
    this.#layers = layers;
    this.variables = plan.variables;
    const unknown: PathFault[] = [];
    const merged = layers.reduce<unknown>((value, layer) => mergePatch(value, layer.value), undefined);
    this.value = withAddresses(merged, addresses, unknown);
    this.unknownServers = unknown;
  }

  placeOf(path: Path): Place {
    return this.#plan.placeOf(this.inPlan(path));
  }

  placeOfKey(path: Path): Place {
    return this.#plan.placeOfKey(this.inPlan(path));
  }

  fromEnvironment(path: Path): string | undefined {
    return this.#plan.fromEnvironment(this.inPlan(path));
  }

  /** Where in the plan a value stands: in the last layer that has it, or has what it is missing from. */
  inPlan(path: Path): Path {
    for (let length = path.length; length > 0; length--) {
      const layer = this.#layers.findLast(({ value }) => has(value, path.slice(0, length)));
      if (layer !== undefined) return [...layer.path, ...path];
    }
    return [...this.#layers[0]?.path ?? [], ...path];
  }
}

function has(value: unknown, path: Path): boolean {
  let found = value;
  for (const step of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, step)) return false;
    found = Reflect.get(found, step);
  }
  return true;
}

/** Backends that are named by a server have its address, and its name unless they have another one. */
function withAddresses(
  value: unknown,
  addresses: ReadonlyMap<string, string>,
  unknown: PathFault[],
): unknown {
  if (!isMap(value) || !isMap(value.pools)) return value;
  const pools = Object.entries(value.pools).map(([name, pool]) => {
    if (!isMap(pool) || !Array.isArray(pool.backends)) return [name, pool];
    const backends = asList(pool.backends).map((backend, i) => {
      const written = isMap(backend) ? backend.address : backend;
      if (typeof written !== "string" || !NAME_ALONE.test(written)) return backend;
      const address = addresses.get(written);
      if (address === undefined) {
        const path = ["pools", name, "backends", i, ...(isMap(backend) ? ["address"] : [])];
        unknown.push({ path, message: noServer(written, [...addresses.keys()]) });
      }
      // What is wrong is said once.
      return { name: written, ...asMap(backend), address: address ?? "127.0.0.1:1" };
    });
    return [name, { ...pool, backends }];
  });
  return { ...value, pools: Object.fromEntries(pools) };
}

export function noServer(name: string, known: readonly string[]): string {
  const near = meantBy(name, known);
  const hint = near === undefined ? `use ${[...new Set(known)].join(", ")}` : `did you mean ${near}?`;
  return `there is no server ${JSON.stringify(name)}; ${hint}`;
}

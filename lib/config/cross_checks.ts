/**
 * What no single value can know: names that must exist, and things that may stand only once.
 *
 * Works on the plain document rather than on the checked configuration, so that these faults are reported together
 * with all others; whatever has the wrong shape is passed over here, since the schema reports it.
 */

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
    ...repeated(listeners.map((it, i) => [["listeners", i, "listen"], asMap(it).listen]), "address"),
  );
  faults.push(...repeated(
    listeners.map((it, i) => [["listeners", i, "name"], asMap(it).name ?? asMap(it).listen]),
    "name",
    ([, i]) => asMap(listeners[Number(i)]).name !== undefined,
  ));
  for (const [name, pool] of Object.entries(pools)) {
    const backends = asList(asMap(pool).backends);
    const at = (i: number, key: string): Path => {
      const path = ["pools", name, "backends", i];
      return typeof backends[i] === "string" ? path : [...path, key];
    };
    faults.push(...repeated(
      backends.map((it, i) => [at(i, "address"), typeof it === "string" ? it : asMap(it).address]),
      "address",
    ));
    faults.push(...repeated(
      backends.map((
        it,
        i,
      ) => [at(i, "name"), typeof it === "string" ? it : asMap(it).name ?? asMap(it).address]),
      "name",
      (path) => path.at(-1) === "name",
    ));
  }
  return faults;
}

/** The second and later uses of a text; `reports` can leave out a use that is not written at its path. */
function repeated(
  uses: readonly (readonly [Path, unknown])[],
  what: string,
  reports: (path: Path) => boolean = () => true,
): PathFault[] {
  const seen = new Set<string>();
  const faults: PathFault[] = [];
  for (const [path, text] of uses) {
    if (typeof text !== "string") continue;
    if (seen.has(text) && reports(path)) {
      faults.push({ path, message: `the ${what} ${JSON.stringify(text)} is used a second time` });
    }
    seen.add(text);
  }
  return faults;
}

function asMap(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Record<string, unknown>
    : {};
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/**
 * Several files as one document, with the defaults of listeners and pools in it; and where each value of it stands.
 *
 * What checks a configuration sees one document. What it finds is said where it stands: in the file of that listener or
 * pool, or in the defaults.
 */

import { formatPath, type Path, type Place } from "./place.ts";
import { refuse } from "./fields.ts";
import type { PathFault } from "./findings.ts";
import type { ConfigFile } from "./gather.ts";
import { fittingDefaults } from "./fitting_defaults.ts";
import { isMap } from "./loose.ts";
import { rebased } from "./rebased.ts";
import { LISTENERS_FORM, POOLS_FORM } from "./schema.ts";
import { include, INCLUDED_KEYS, LISTENER_DEFAULTS, POOL_DEFAULTS } from "./short_schema.ts";

/** Where a value of the one document comes from. */
export interface Origin {
  readonly file: ConfigFile;
  /** In that file. */
  readonly path: Path;
  /** The listener or pool that has this value by default; undefined when it is its own. */
  readonly user?: Origin;
}

/** A fault of one of the files, in which its path is. */
export interface FileFault extends PathFault {
  readonly file: ConfigFile;
}

/** The one document. */
export interface Merged {
  /** Undefined when no file could be read. */
  readonly value: unknown;
  /** Whether all files could be read. */
  readonly isWhole: boolean;
  /** What keeps them from being one document. */
  readonly faults: readonly FileFault[];
  originOf(path: Path): Origin;
}

/** A listener or pool of a file; `step` is its number or name there. */
interface Part {
  readonly file: ConfigFile;
  readonly step: string | number;
  readonly value: unknown;
}

/** The listeners, or the pools, of all files, by their number or name in the one document; and what they have by default. */
interface Section {
  readonly key: "listeners" | "pools";
  readonly defaultsKey: "listener" | "pool";
  readonly parts: ReadonlyMap<string | number, Part>;
  /** Those that one of them has. */
  readonly defaultsOf: (value: unknown) => Readonly<Record<string, unknown>>;
}

/** @param files At least one. Their values are not changed. */
export function merge(files: readonly ConfigFile[]): Merged {
  const [main] = files;
  if (main === undefined) throw new RangeError("Cannot merge no files");
  const faults = files.flatMap((file) => file.faults.map((fault) => ({ ...fault, file })));
  const isWhole = faults.length === 0 && files.every(({ document }) => document.value !== undefined);
  const readable = files.filter(({ document }) => document.value !== undefined);
  const global = files.find((it) => !it.isIncluded && globalKeys(it).length > 0) ?? main;
  // A single file is checked as it stands, whatever its shape.
  if (files.length > 1) faults.push(...readable.flatMap((file) => formFaults(file, global)));

  const listeners = readable.flatMap((file) => partsOf(file, "listeners"));
  const pools = new Map<string | number, Part>();
  for (const pool of readable.flatMap((file) => partsOf(file, "pools"))) {
    const first = pools.get(pool.step);
    if (first === undefined) pools.set(pool.step, pool);
    else faults.push(repeatedPool(pool, first));
  }
  const root = global.document.value;
  const defaults = isMap(root) && isMap(root.defaults) ? root.defaults : {};
  const listenerDefaults = known(defaults.listener, LISTENER_DEFAULTS);
  const poolDefaults = known(defaults.pool, POOL_DEFAULTS);
  const sections: Record<string, Section> = {
    listeners: {
      key: "listeners",
      defaultsKey: "listener",
      parts: new Map(listeners.entries()),
      defaultsOf: (value) => fittingDefaults(listenerDefaults, value),
    },
    pools: { key: "pools", defaultsKey: "pool", parts: pools, defaultsOf: () => poolDefaults },
  };
  return {
    value: readable.length === 0 ? undefined : valueOf(root, Object.values(sections), main.folder),
    isWhole,
    faults,
    originOf: (path) => originOf(path, sections[path[0] ?? ""], global),
  };
}

/** The one document: `root` with all listeners and pools in the place of its own. What has the wrong shape stays as it is. */
function valueOf(root: unknown, sections: readonly Section[], folder: string): unknown {
  if (!isMap(root) && sections.every(({ parts }) => parts.size === 0)) return root;
  const joined = sections.filter(({ parts }) => parts.size > 0).map(({ key, parts, defaultsOf }) => {
    const entries = [...parts].map(([step, { file, value }]) => {
      const moved = file.folder === folder ? value : rebased(value, [key, step], file.folder, folder);
      return [step, isMap(moved) ? { ...defaultsOf(moved), ...moved } : moved];
    });
    return [key, key === "pools" ? Object.fromEntries(entries) : entries.map(([, value]) => value)];
  });
  return { ...(isMap(root) ? root : {}), ...Object.fromEntries(joined) };
}

function originOf(path: Path, section: Section | undefined, global: ConfigFile): Origin {
  const [, step, ...rest] = path;
  const part = step === undefined ? undefined : section?.parts.get(step);
  if (section === undefined || part === undefined) return { file: global, path };
  const { file, value } = part;
  const whole = [section.key, part.step];
  const [key = ""] = rest;
  const isDefault = isMap(value) && Object.hasOwn(section.defaultsOf(value), key) &&
    !Object.hasOwn(value, key);
  if (!isDefault) return { file, path: [...whole, ...rest] };
  return { file: global, path: ["defaults", section.defaultsKey, ...rest], user: { file, path: whole } };
}

/** Where in its file. */
export function placeOf({ file: { document }, path }: Origin, atKey = false): Place {
  return atKey ? document.placeOfKey(path) : document.placeOf(path);
}

/** `pools.web, pools.d/web.yaml:3:3`. */
export function formatOrigin(origin: Origin, atKey = false): string {
  const { line, column } = placeOf(origin, atKey);
  return `${formatPath(origin.path)}, ${origin.file.name}:${line}:${column}`;
}

function valueIn({ document: { value } }: ConfigFile, key: string): unknown {
  return isMap(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function isPartList(value: unknown, key: "listeners" | "pools"): boolean {
  return key === "listeners" ? Array.isArray(value) : isMap(value);
}

function partsOf(file: ConfigFile, key: "listeners" | "pools"): Part[] {
  const value = valueIn(file, key);
  if (key === "listeners") {
    return Array.isArray(value) ? value.map((it, step) => ({ file, step, value: it })) : [];
  }
  return isMap(value) ? Object.entries(value).map(([step, it]) => ({ file, step, value: it })) : [];
}

/** What the schema knows; the rest is a fault in the defaults themselves. */
function known(defaults: unknown, keys: ReadonlySet<string>): Record<string, unknown> {
  if (!isMap(defaults)) return {};
  return Object.fromEntries(Object.entries(defaults).filter(([key]) => keys.has(key)));
}

/** Keys of the whole program. */
function globalKeys({ document: { value } }: ConfigFile): string[] {
  return isMap(value) ? Object.keys(value).filter((key) => !INCLUDED_KEYS.includes(key)) : [];
}

/** What only the schema of a single file would see. */
function formFaults(file: ConfigFile, global: ConfigFile): FileFault[] {
  const { value } = file.document;
  if (!isMap(value)) {
    const { error } = refuse("a map", `a file is a map of ${INCLUDED_KEYS.join(", ")}`);
    return [{ file, path: [], message: error({ input: value }) }];
  }
  const faults: FileFault[] = [];
  for (const [key, refused] of [["listeners", LISTENERS_FORM], ["pools", POOLS_FORM]] as const) {
    if (!(key in value) || isPartList(value[key], key)) continue;
    faults.push({ file, path: [key], message: refused.error({ input: value[key] }) });
  }
  if (file === global) return faults;
  const { issues = [] } = include.optional().safeParse(value.include, { reportInput: true }).error ?? {};
  faults.push(...issues.map(({ path, message }) => {
    return { file, path: ["include", ...path as (string | number)[]], message };
  }));
  const [key] = globalKeys(file);
  if (file.isIncluded) {
    const message = `an included file has ${INCLUDED_KEYS.join(", ")} and nothing else; ` +
      "write what is for the whole program in the file that includes";
    return [...faults, ...globalKeys(file).map((key) => ({ file, path: [key], message, atKey: true }))];
  }
  if (key === undefined) return faults;
  const first = formatOrigin({ file: global, path: globalKeys(global).slice(0, 1) }, true);
  const message = `one file has all that is for the whole program, and there is one already (${first})`;
  return [...faults, { file, path: [key], message, atKey: true }];
}

function repeatedPool({ file, step }: Part, first: Part): FileFault {
  const where = formatOrigin({ file: first.file, path: ["pools", first.step] }, true);
  const message = `there is a pool of this name already (${where})`;
  return { file, path: ["pools", step], message, atKey: true };
}

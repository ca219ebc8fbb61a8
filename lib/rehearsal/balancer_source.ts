/** Where the balancer of a rehearsal has its configuration from: the plan itself, or a file that it names. */

import { resolve } from "node:path";
import { withPathsFrom } from "../config/based_paths.ts";
import type { YamlDocument } from "../config/document.ts";
import type { EngineOf } from "../config/engine_checks.ts";
import { fileFindings } from "../config/file_checks.ts";
import { asMap, isMap } from "../config/loose.ts";
import { ConfigError, draftConfig } from "../config/parse.ts";
import type { Path } from "../config/place.ts";
import { readConfig } from "../config/read.ts";
import type { Config } from "../config/schema.ts";
import { InputError } from "../core/errors.ts";
import { type Layer, LayeredDocument } from "./layers.ts";

/** A plan as it was read. */
export interface PlanText {
  readonly name: string;
  /** What its relative paths are relative to. */
  readonly folder: string;
  readonly document: YamlDocument;
}

/** Parts of the plan, the later ones changing those before; or a file. */
export type BalancerSource =
  | { readonly from: "plan"; readonly layers: readonly Layer[] }
  | { readonly from: "file"; readonly path: Path; readonly file: string };

/** A source with what a part of the plan says: a map changes what stands in the plan, a text names another file. */
export function changedBy(source: BalancerSource | undefined, layer: Layer): BalancerSource | undefined {
  const { path, value } = layer;
  if (typeof value === "string") return { from: "file", path, file: value };
  if (!isMap(value) || source?.from === "file") return undefined;
  return { from: "plan", layers: [...source?.layers ?? [], layer] };
}

/**
 * Reads and checks a configuration.
 *
 * @param addresses Where the servers listen, by their names.
 * @throws {ConfigError} with every fault, each where it stands.
 */
export async function readSource(
  source: BalancerSource,
  plan: PlanText,
  addresses: ReadonlyMap<string, string>,
  engineOf: EngineOf,
): Promise<Config> {
  const config = source.from === "file"
    ? await readFile(source, plan, engineOf)
    : await readLayers(source, plan, addresses, engineOf);
  return alone(config);
}

/** Without what reaches out of a rehearsal: no admin side, no files that it writes, and no waiting at the end. */
function alone(config: Config): Config {
  return {
    ...config,
    admin: undefined,
    stateFile: undefined,
    log: { ...config.log, file: undefined },
    shutdownDelayMs: 0,
    shutdownTimeoutMs: 0,
  };
}

async function readLayers(
  source: BalancerSource & { from: "plan" },
  plan: PlanText,
  addresses: ReadonlyMap<string, string>,
  engineOf: EngineOf,
): Promise<Config> {
  const { name, folder } = plan;
  const document = new LayeredDocument(plan.document, source.layers, addresses);
  const draft = draftConfig([{ name, folder, isIncluded: false, document, faults: [] }]);
  const { faults, notes } = await fileFindings(draft.document, folder, [name]);
  const include = "include" in asMap(document.value)
    ? [{ path: ["include"], message: "a plan includes nothing; write what the file says", atKey: true }]
    : [];
  try {
    const more = { faults: [...document.unknownServers, ...include, ...faults], notes };
    return withPathsFrom(folder, draft.finish(more, engineOf));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.faults.map((it) => ({ ...it, path: document.inPlan(it.path) })));
  }
}

async function readFile(
  { file, path }: BalancerSource & { from: "file" },
  { name, folder, document }: PlanText,
  engineOf: EngineOf,
): Promise<Config> {
  try {
    return await readConfig(resolve(folder, file), engineOf);
  } catch (error) {
    if (!(error instanceof InputError) || error instanceof ConfigError) throw error;
    throw new ConfigError([{ path, file: name, ...document.placeOf(path), message: error.message }]);
  }
}

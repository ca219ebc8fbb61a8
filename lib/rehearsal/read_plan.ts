// deno-lint-ignore-file no-await-in-loop -- one configuration after the other, so that faults stay in their order

/** A plan from its file, with all its faults, those of the balancer's configuration among them. */

import { dirname } from "node:path";
import { readConfigText, readsStdin, STDIN } from "../config/config_file.ts";
import { readDocument } from "../config/document.ts";
import type { EngineOf } from "../config/engine_checks.ts";
import type { PathFault } from "../config/findings.ts";
import { addressFrom } from "../config/based_paths.ts";
import { ConfigError, type LocatedFault, pathFaults } from "../config/parse.ts";
import { environment } from "../config/read.ts";
import type { Config } from "../config/schema.ts";
import { formatAddress } from "../core/address.ts";
import { InputError } from "../core/errors.ts";
import { asList, asMap, isMap } from "../config/loose.ts";
import { type BalancerSource, changedBy, type PlanText, readSource } from "./balancer_source.ts";
import { listenerFaults } from "./load_target.ts";
import type { Plan, Variant } from "./plan.ts";
import { planFaults } from "./plan_checks.ts";
import { boundsOf, planSchema, type ServerSettings } from "./plan_schema.ts";
import { variantsOf } from "./variants.ts";

/** A plan, and how its configurations are read once the servers listen. */
export interface ReadPlan extends Plan {
  /** All that there are, with made-up addresses of servers that have none yet. */
  readonly configs: readonly Config[];
  /** @param addresses Where the servers listen, by their names. */
  readonly read: (source: BalancerSource, addresses: ReadonlyMap<string, string>) => Promise<Config>;
}

/**
 * Reads and checks a plan, and every configuration of it. Starts nothing.
 *
 * @param path A file, or `-` for stdin.
 * @throws {InputError} when it cannot be read, {@linkcode ConfigError} with its faults.
 */
export async function readPlan(path: string, engineOf: EngineOf): Promise<ReadPlan> {
  const isDirectory = await Deno.stat(path).then((it) => it.isDirectory, () => false);
  if (isDirectory) throw new InputError(`${path}: is a directory; name one plan in it`);
  const text = await readConfigText(path);
  const name = readsStdin(path) ? STDIN : path;
  const fail = (faults: readonly LocatedFault[]): never => {
    throw new ConfigError([...faults].sort((a, b) => a.line - b.line || a.column - b.column));
  };
  if (text.trim() === "") {
    const message = "the file is empty; a plan has servers, balancer, load and expect";
    return fail([{ file: name, path: [], line: 1, column: 1, message }]);
  }
  const document = readDocument(text, environment);
  const locate = ({ path, message, atKey }: PathFault): LocatedFault => {
    return { file: name, path, message, ...(atKey ? document.placeOfKey(path) : document.placeOf(path)) };
  };
  if (document.faults.length > 0) fail(document.faults.map((fault) => ({ ...fault, file: name })));
  const { data, error } = planSchema.safeParse(document.value, { reportInput: true });
  const folder = dirname(path);
  const planText: PlanText = { name, folder, document };
  if (data === undefined) {
    const faults = error.issues.flatMap((it) => pathFaults(it, [])).map(locate);
    return fail([...faults, ...await faultsInBalancer(planText, engineOf)]);
  }
  const { variants, faults } = variantsOf(data);
  const made = madeUpAddresses(data.servers);
  const read = await readAll(variants, planText, made, engineOf);
  const unlocated = [...planFaults(data), ...faults];
  if (read.faults.length === 0) {
    unlocated.push(...read.starts.flatMap((config) => listenerFaults(data.load, config)).slice(0, 1));
  }
  const all = [...unlocated.map(locate), ...read.faults];
  if (all.length > 0) fail(all);
  return {
    name,
    servers: data.servers.map(({ listen, ...server }) => ({
      ...server,
      listen: addressFrom(folder, listen),
    })),
    load: data.load,
    variants,
    bounds: boundsOf(data),
    configs: read.configs,
    read: (source, addresses) => readSource(source, planText, addresses, engineOf),
  };
}

interface AllRead {
  readonly configs: readonly Config[];
  /** Those that a balancer begins with. */
  readonly starts: readonly Config[];
  readonly faults: readonly LocatedFault[];
}

async function readAll(
  variants: readonly Pick<Variant, "balancer" | "events">[],
  planText: PlanText,
  addresses: ReadonlyMap<string, string>,
  engineOf: EngineOf,
): Promise<AllRead> {
  const configs: Config[] = [];
  const starts: Config[] = [];
  // What is wrong with a part is wrong wherever it is in force.
  const faults = new Map<string, LocatedFault>();
  for (const { balancer, events } of variants) {
    for (const source of [balancer, ...events.flatMap((it) => it.do === "reload" ? [it.source] : [])]) {
      try {
        const config = await readSource(source, planText, addresses, engineOf);
        configs.push(config);
        if (source === balancer) starts.push(config);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        for (const fault of error.faults) {
          faults.set(`${fault.file}:${fault.line}:${fault.column} ${fault.message}`, fault);
        }
      }
    }
  }
  return { configs, starts, faults: [...faults.values()].map((it) => withServerNames(it, addresses)) };
}

/** What is wrong with the balancer's configuration of a plan that has not the form of one. */
async function faultsInBalancer(planText: PlanText, engineOf: EngineOf): Promise<readonly LocatedFault[]> {
  const { servers, balancer: value } = asMap(planText.document.value);
  const names = asList(servers).map((it) => isMap(it) ? it.name : it).filter((it) => typeof it === "string");
  const balancer = changedBy(undefined, { path: ["balancer"], value });
  if (balancer === undefined || names.length === 0) return [];
  const made = madeUpAddresses(names.map((name) => ({ name, listen: UNKNOWN })));
  return (await readAll([{ balancer, events: [] }], planText, made, engineOf)).faults;
}

const UNKNOWN = { transport: "tcp", host: "127.0.0.1", port: 0 } as const;

/** Addresses that no server has, for those whose port is not known before they listen. */
function madeUpAddresses(servers: readonly Pick<ServerSettings, "name" | "listen">[]): Map<string, string> {
  return new Map(servers.map(({ name, listen }, i) => {
    const isKnown = listen.transport === "unix" || listen.port !== 0;
    return [name, isKnown ? formatAddress(listen) : `127.127.${i >> 8}.${i & 255}:1`];
  }));
}

function withServerNames(fault: LocatedFault, addresses: ReadonlyMap<string, string>): LocatedFault {
  let { message } = fault;
  for (const [name, address] of addresses) {
    if (address.startsWith("127.127.")) message = message.replaceAll(address, name);
  }
  return { ...fault, message };
}

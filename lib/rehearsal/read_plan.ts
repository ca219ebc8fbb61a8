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
import { type BalancerSource, type PlanText, readSource } from "./balancer_source.ts";
import { listenerFaults } from "./load_target.ts";
import type { Plan } from "./plan.ts";
import { listenerOf, planFaults, serverNames, unwatchedFaults } from "./plan_checks.ts";
import { boundsOf, planSchema, type ServerSettings } from "./plan_schema.ts";
import { type RunSources, sourcesOf, variantOf } from "./variants.ts";

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
    // What is wrong with a part is wrong in every run that has it.
    const each = new Map(faults.map((it) => [`${it.file}:${it.line}:${it.column} ${it.message}`, it]));
    throw new ConfigError([...each.values()].sort((a, b) => a.line - b.line || a.column - b.column));
  };
  if (text.trim() === "") {
    const message = "the file is empty; a plan has servers, balancer, load and expect";
    return fail([{ file: name, path: [], line: 1, column: 1, message }]);
  }
  const document = readDocument(text, environment);
  const locate = ({ path, message, atKey }: PathFault): LocatedFault => {
    return { file: name, path, message, ...(atKey ? document.placeOfKey(path) : document.placeOf(path)) };
  };
  const ofText = document.faults.map((fault) => ({ ...fault, file: name }));
  if (document.value === undefined) return fail(ofText);
  const { data, error } = planSchema.safeParse(document.value, { reportInput: true });
  const folder = dirname(path);
  const planText: PlanText = { name, folder, document };
  const { runs, faults: ofRuns } = sourcesOf(document.value);
  const made = madeUpAddresses(data?.servers ?? namedServers(document.value));
  // Without servers every name of one would be a fault.
  const read = await readRuns(made.size === 0 ? [] : runs, planText, made, engineOf);
  const ofForm = error?.issues.flatMap((it) => pathFaults(it, [])) ?? [];
  const unlocated = [
    ...ofForm,
    ...planFaults(document.value, ofForm),
    ...ofRuns,
    ...read.flatMap(({ start }) =>
      start === undefined ? [] : listenerFaults(listenerOf(document.value), start)
    ),
    // What could not be read may watch.
    ...read.flatMap(({ faults, configs }) =>
      faults.length > 0 ? [] : unwatchedFaults(document.value, configs)
    ),
  ];
  // What could not be read has no content to complain about.
  const ofContent = [...unlocated.map(locate), ...read.flatMap((it) => it.faults)].filter((it) => {
    return !ofText.some(({ file, line, column }) => {
      return it.file === file && it.line === line && it.column === column;
    });
  });
  const all = [...ofText, ...ofContent];
  if (data === undefined || all.length > 0) return fail(all);
  return {
    name,
    servers: data.servers.map(({ listen, ...server }) => ({
      ...server,
      listen: addressFrom(folder, listen),
    })),
    load: data.load,
    variants: runs.map((run) => variantOf(data, run)),
    bounds: boundsOf(data),
    configs: read.flatMap((it) => it.configs),
    read: (source, addresses) => readSource(source, planText, addresses, engineOf),
  };
}

/** What could be read of a run. */
interface ReadRun {
  /** The one that its balancer begins with. */
  readonly start: Config | undefined;
  readonly configs: readonly Config[];
  readonly faults: readonly LocatedFault[];
}

async function readRuns(
  runs: readonly RunSources[],
  planText: PlanText,
  addresses: ReadonlyMap<string, string>,
  engineOf: EngineOf,
): Promise<ReadRun[]> {
  const read: ReadRun[] = [];
  for (const { balancer, reloads } of runs) {
    let start: Config | undefined;
    const configs: Config[] = [];
    const faults: LocatedFault[] = [];
    for (const source of [balancer, ...reloads.values()]) {
      try {
        const config = await readSource(source, planText, addresses, engineOf);
        configs.push(config);
        if (source === balancer) start = config;
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        faults.push(...error.faults.map((it) => withServerNames(it, addresses)));
      }
    }
    read.push({ start, configs, faults });
  }
  return read;
}

/** The servers of a plan that has not the form of one, as far as they have names. */
function namedServers(document: unknown): Pick<ServerSettings, "name" | "listen">[] {
  return serverNames(document).flatMap((name) => name === undefined ? [] : [{ name, listen: UNKNOWN }]);
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

/**
 * The files of certificates and keys that a configuration names: looked at before it is put into force, and read for it.
 *
 * What is read stays apart from the configuration, which is shown and compared.
 */

import {
  type Authorities,
  type KeyPair,
  type PairFinding,
  readAuthorities,
  readKeyPair,
} from "./certificates.ts";
import { quote } from "../core/quote.ts";
import type { Findings, PathFault } from "./findings.ts";
import type { Path } from "./place.ts";
import type { ListenerConfig } from "./listener_schema.ts";
import type { PoolConfig } from "./pool_schema.ts";
import type { CheckedConfig } from "./schema.ts";
import { readSmallFile, type SmallFile } from "./small_file.ts";

/** All roots of a system take a quarter of it. */
const MAX_FILE_BYTES = 1024 * 1024;

/** The files of one listener or pool; absolute paths. */
export interface KeyFiles {
  /** Where the pairs stand in the configuration; one that has no key is left out. */
  readonly pairs: readonly { readonly path: Path; readonly cert: string; readonly key: string }[];
  /** Whether the pairs are those of a server, whose name clients look for. */
  readonly isServer: boolean;
  readonly authorities: { readonly path: Path; readonly ca: string } | undefined;
}

/** What these files hold; never shown, since there are private keys in it. */
export interface KeyMaterial {
  /** In the order of the configuration. */
  readonly pairs: readonly KeyPair[];
  readonly authorities: Authorities | undefined;
}

/** Of all listeners and pools that have some, by their names. */
export interface AllKeyMaterial {
  readonly listeners: ReadonlyMap<string, KeyMaterial>;
  readonly pools: ReadonlyMap<string, KeyMaterial>;
}

/** A certificate and its key, as far as they are named. */
interface PairFiles {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Those of `tls` of the listener at a path. */
export function listenerKeyFiles(
  path: Path,
  { certificates = [], clientCa }: {
    readonly certificates?: readonly PairFiles[];
    readonly clientCa?: string | undefined;
  } = {},
): KeyFiles {
  return {
    isServer: true,
    pairs: certificates.flatMap((pair, i) => whole([...path, "tls", "certificates", i], pair)),
    authorities: clientCa === undefined ? undefined : { path: [...path, "tls", "client_ca"], ca: clientCa },
  };
}

/** Those of `tls` of the pool at a path. */
export function poolKeyFiles(
  path: Path,
  { ca, ...pair }: PairFiles & { readonly ca?: string | undefined } = {},
): KeyFiles {
  return {
    isServer: false,
    pairs: whole([...path, "tls"], pair),
    authorities: ca === undefined ? undefined : { path: [...path, "tls", "ca"], ca },
  };
}

function whole(path: Path, { cert, key }: PairFiles): KeyFiles["pairs"] {
  return cert === undefined || key === undefined ? [] : [{ path, cert, key }];
}

/** The path of every file, each once. */
export function keyFilesOf(
  listeners: readonly Pick<ListenerConfig, "tls">[],
  pools: readonly Pick<PoolConfig, "tls">[],
): string[] {
  const all = [
    ...listeners.map(({ tls }) => listenerKeyFiles([], tls)),
    ...pools.map(({ tls }) => poolKeyFiles([], tls)),
  ];
  return [
    ...new Set(all.flatMap(({ pairs, authorities }) => [
      ...pairs.flatMap(({ cert, key }) => [cert, key]),
      ...(authorities === undefined ? [] : [authorities.ca]),
    ])),
  ];
}

/**
 * Reads what a configuration names. Never rejects.
 *
 * @param nowMs Since 1970.
 * @param known What the same configuration had before: where a pair or the authorities have a fault, these take their place.
 * @returns `material` when there is no fault, or all were known. Each message begins with the path of its file.
 */
export async function readKeyMaterial(
  { listeners, pools }: Pick<CheckedConfig, "listeners" | "pools">,
  nowMs: number,
  known?: AllKeyMaterial,
): Promise<Findings & { readonly material?: AllKeyMaterial }> {
  const readAll = async (
    files: readonly (readonly [name: string, KeyFiles])[],
    known: ReadonlyMap<string, KeyMaterial> | undefined,
  ): Promise<Findings & { readonly material: Map<string, KeyMaterial> }> => {
    const used = files.filter(([, { pairs, authorities }]) => pairs.length > 0 || authorities !== undefined);
    const read = await Promise.all(used.map(([name, it]) => readKeyFiles(it, nowMs, known?.get(name))));
    return {
      faults: read.flatMap(({ faults }) => faults),
      notes: read.flatMap(({ notes }) => notes),
      material: new Map(used.flatMap(([name], i) => {
        const material = read[i]?.material;
        return material === undefined ? [] : [[name, material]];
      })),
    };
  };
  const [ofListeners, ofPools] = await Promise.all([
    readAll(
      listeners.map((it, i) => [it.name, listenerKeyFiles(["listeners", i], it.tls)]),
      known?.listeners,
    ),
    readAll(
      Object.entries(pools).map(([name, it]) => [name, poolKeyFiles(["pools", name], it.tls)]),
      known?.pools,
    ),
  ]);
  const faults = [...ofListeners.faults, ...ofPools.faults];
  const notes = [...ofListeners.notes, ...ofPools.notes];
  if (faults.length > 0 && known === undefined) return { faults, notes };
  return { faults, notes, material: { listeners: ofListeners.material, pools: ofPools.material } };
}

/** The same for one listener or pool. */
export async function readKeyFiles(
  { pairs, isServer, authorities }: KeyFiles,
  nowMs: number,
  known?: KeyMaterial,
): Promise<Findings & { readonly material?: KeyMaterial }> {
  const read = await Promise.all(pairs.map((pair) => readPair(pair, nowMs)));
  const trusted = authorities === undefined ? undefined : await readTrusted(authorities, nowMs);
  const all = [...read, ...(trusted === undefined ? [] : [trusted])];
  const faults = all.flatMap((it) => it.faults);
  const notes = all.flatMap((it) => it.notes);
  if (faults.length > 0 && known === undefined) return { faults, notes };
  const found = read.flatMap(({ pair }, i) => pair ?? known?.pairs[i] ?? []);
  notes.push(...sharedNames(pairs, found), ...(isServer ? withoutNames(pairs, found) : []));
  return {
    faults,
    notes,
    material: { pairs: found, authorities: trusted?.authorities ?? known?.authorities },
  };
}

async function readPair(
  { path, cert, key }: KeyFiles["pairs"][number],
  nowMs: number,
): Promise<Findings & { readonly pair?: KeyPair | undefined }> {
  const files = { cert, key };
  const at = ({ file, message }: PairFinding): PathFault => ({
    path: [...path, file],
    message: `${files[file]}: ${message}`,
  });
  const [certFile, keyFile] = await Promise.all([
    readSmallFile(cert, MAX_FILE_BYTES),
    readSmallFile(key, MAX_FILE_BYTES),
  ]);
  const faults: PathFault[] = [];
  if ("why" in certFile) faults.push(at({ file: "cert", message: certFile.why }));
  if ("why" in keyFile) faults.push(at({ file: "key", message: keyFile.why }));
  const { pair, ...found } = readKeyPair(textOf(certFile), textOf(keyFile), nowMs);
  const notes = found.notes.map(at);
  const mode = "mode" in keyFile ? keyFile.mode ?? 0 : 0;
  if ((mode & 0o077) !== 0) {
    const shown = (mode & 0o777).toString(8).padStart(4, "0");
    const message =
      `its mode is ${shown}, so others than its owner may use the private key in it; chmod 600 ${key}`;
    notes.push(at({ file: "key", message }));
  }
  return { faults: [...faults, ...found.faults.map(at)], notes, pair };
}

function textOf(file: SmallFile): string | undefined {
  return "text" in file ? file.text : undefined;
}

async function readTrusted(
  { path, ca }: NonNullable<KeyFiles["authorities"]>,
  nowMs: number,
): Promise<Findings & { readonly authorities?: Authorities | undefined }> {
  const at = (message: string): PathFault => ({ path, message: `${ca}: ${message}` });
  const file = await readSmallFile(ca, MAX_FILE_BYTES);
  if ("why" in file) return { faults: [at(file.why)], notes: [] };
  const { faults, notes, authorities } = readAuthorities(file.text, nowMs);
  return {
    faults: faults.map(at),
    notes: notes.map(at),
    authorities,
  };
}

/** Clients look at the subjectAltName alone, and not at the subject (RFC 9525, 2). */
function withoutNames(pairs: KeyFiles["pairs"], found: readonly KeyPair[]): PathFault[] {
  return pairs.flatMap(({ path, cert }, i) => {
    if (found[i]?.facts.names.length !== 0) return [];
    const message = `${cert}: has no name in its subjectAltName, so clients that verify it will refuse it`;
    return [{ path: [...path, "cert"], message }];
  });
}

/** Of two certificates with the same name, clients that ask for it get the first. */
function sharedNames(pairs: KeyFiles["pairs"], found: readonly KeyPair[]): PathFault[] {
  return pairs.flatMap(({ path, cert }, i) => {
    const names = new Set(found[i]?.facts.names ?? []);
    const first = found.slice(0, i).findIndex(({ facts }) => facts.names.some((name) => names.has(name)));
    const shared = found[first]?.facts.names.find((name) => names.has(name));
    if (shared === undefined) return [];
    const message = `${cert}: ${quote(shared)} is a name of certificates[${first}] too, ` +
      "which is shown to clients that ask for it";
    return [{ path: [...path, "cert"], message }];
  });
}

/**
 * The certificates and keys of the configuration in force. Workers have them before they accept, and have new ones as soon as the files
 * have changed, without a reload: sessions that are open stay as they are.
 *
 * Nothing of a key is ever compared, logged or shown. A new key needs a new certificate, so those are compared. And what workers would
 * refuse is found out here first, so that all of them, and those that are restarted, have what is said to be in use.
 */

import type { CertificateFacts } from "../config/certificates.ts";
import { type AllKeyMaterial, keyFilesOf, type KeyMaterial, readKeyMaterial } from "../config/key_files.ts";
import type { PathFault } from "../config/findings.ts";
import type { Config } from "../config/schema.ts";
import { RunError } from "../core/errors.ts";
import { sleep } from "../core/sleep.ts";
import { type AllTlsKeys, NO_TLS_KEYS } from "../dataplane/messages.ts";
import type { TlsKeys } from "../engine/tls_contract.ts";
import { logNotes } from "./config_notes.ts";
import type { Journal } from "./journal.ts";
import { keyChanges } from "./key_changes.ts";
import { watchFile } from "./watch_file.ts";

/** A certificate and its key are two files that are written one after the other; so long after the first both are read. */
const LOOK_EVERY_MS = 1_000;

export interface KeysOptions {
  readonly journal: Pick<Journal, "info" | "warn">;
  /** The one in force. */
  readonly config: () => Config;
  /** Does it when no reload is under way. */
  readonly inTurn: (work: () => Promise<void>) => Promise<void>;
  /** Why workers would refuse these; undefined when they would not. */
  readonly whyRefused: (keys: TlsKeys) => string | undefined;
  /** Has the workers use these for the connections to come; resolves when they do. */
  readonly tell: (keys: AllTlsKeys) => Promise<void>;
  /** A test may have less patience. */
  readonly lookEveryMs?: number;
}

/** A certificate that is in use, for those who look at it. */
export interface CertificateInUse extends CertificateFacts {
  readonly of: "listener" | "pool";
  readonly name: string;
}

/** What was read for a configuration. */
export interface ReadKeys {
  readonly keys: AllTlsKeys;
  readonly material: AllKeyMaterial;
  /** What is allowed, but probably not meant. */
  readonly notes: readonly string[];
}

export class Keys {
  readonly #options: KeysOptions;
  #inUse: ReadKeys = { keys: NO_TLS_KEYS, material: { listeners: new Map(), pools: new Map() }, notes: [] };
  #watching = new AbortController();
  /** What is watched, as one text. */
  #watched = "";

  constructor(options: KeysOptions) {
    this.#options = options;
  }

  /**
   * Reads those of a configuration.
   *
   * @throws {RunError} with the first fault.
   */
  async read(config: Config): Promise<ReadKeys> {
    const { faults: [fault], notes, material } = await readKeyMaterial(config, Date.now());
    if (material === undefined) throw new RunError(fault?.message ?? "certificates cannot be read");
    const { accepted, refused: [refused] } = this.#sift(material);
    if (refused !== undefined) throw new RunError(refused);
    return readKeys(accepted, notes);
  }

  /** The workers of this configuration have these. Watches its files, and no others any more. */
  follow({ listeners, pools }: Config, read: ReadKeys): void {
    this.#inUse = read;
    const files = keyFilesOf(listeners, Object.values(pools));
    const watched = files.join("\n");
    if (watched === this.#watched) return;
    this.#watched = watched;
    this.stop();
    this.#watching = new AbortController();
    const { signal } = this.#watching;
    const { lookEveryMs = LOOK_EVERY_MS } = this.#options;
    let isPending = false;
    const changed = async (): Promise<void> => {
      if (isPending) return;
      isPending = true;
      await sleep(lookEveryMs, signal);
      isPending = false;
      if (!signal.aborted) await this.#renew(signal);
    };
    for (const file of files) {
      void watchFile(file, () => void changed(), signal, { lookEveryMs, isSecret: true });
    }
    // They may have changed after they were read, and before they were watched.
    if (files.length > 0) void changed();
  }

  stop(): void {
    this.#watching.abort();
  }

  /** What the workers have; secret. */
  get inUse(): ReadKeys {
    return this.#inUse;
  }

  /** Certificates that are in use, the listeners' first. */
  get certificates(): CertificateInUse[] {
    const of = (kind: CertificateInUse["of"], names: Iterable<string>): CertificateInUse[] =>
      [...names].flatMap((name) =>
        this.certificatesOf(kind, name).map((facts) => ({ of: kind, name, ...facts }))
      );
    const { listeners, pools } = this.#inUse.material;
    return [...of("listener", listeners.keys()), ...of("pool", pools.keys())];
  }

  /** Those of one listener or pool, in the order of the configuration. */
  certificatesOf(kind: CertificateInUse["of"], name: string): CertificateFacts[] {
    const { listeners, pools } = this.#inUse.material;
    const all = kind === "listener" ? listeners : pools;
    return all.get(name)?.pairs.map(({ facts }) => facts) ?? [];
  }

  async #renew(stop: AbortSignal): Promise<void> {
    const { journal, config, inTurn, tell } = this.#options;
    await inTurn(async () => {
      if (stop.aborted) return;
      const before = this.#inUse;
      // One that is broken, or has expired by now, does not keep the others from being renewed.
      const { faults, notes, material = before.material } = await readKeyMaterial(
        config(),
        Date.now(),
        before.material,
      );
      const { accepted, refused } = this.#sift(material);
      for (const reason of [...faults.map(({ message }) => message), ...refused]) {
        journal.warn("keys_not_renewed", { reason, meanwhile: "those before stay in use" });
      }
      const next = readKeys(accepted, notes);
      logNotes(next.notes.filter((note) => !before.notes.includes(note)), journal);
      const changes = keyChanges(before.material, accepted);
      if (changes !== undefined) await tell(next.keys);
      this.#inUse = next;
      if (changes !== undefined) journal.info("keys_renewed", changes);
    });
  }

  /** Puts what is in use in the place of what workers would refuse; it is missing where nothing is. */
  #sift(
    material: AllKeyMaterial,
  ): { readonly accepted: AllKeyMaterial; readonly refused: readonly string[] } {
    const refused: string[] = [];
    const sifted = (kind: "listener" | "pool"): Map<string, KeyMaterial> => {
      const before = this.#inUse.material[`${kind}s`];
      return new Map([...material[`${kind}s`]].flatMap(([name, read]) => {
        const why = this.#options.whyRefused(keysOf(read));
        if (why === undefined) return [[name, read]];
        refused.push(`${kind} ${name}: ${why}`);
        const kept = before.get(name);
        return kept === undefined ? [] : [[name, kept]];
      }));
    };
    return { accepted: { listeners: sifted("listener"), pools: sifted("pool") }, refused };
  }
}

function readKeys(material: AllKeyMaterial, notes: readonly PathFault[]): ReadKeys {
  return {
    keys: { listeners: allKeysOf(material.listeners), pools: allKeysOf(material.pools) },
    material,
    notes: notes.map(({ message }) => message),
  };
}

function allKeysOf(all: ReadonlyMap<string, KeyMaterial>): Map<string, TlsKeys> {
  return new Map([...all].map(([name, material]) => [name, keysOf(material)]));
}

function keysOf({ pairs, authorities }: KeyMaterial): TlsKeys {
  return { pairs: pairs.map(({ cert, key }) => ({ cert, key })), authorities: authorities?.pem };
}

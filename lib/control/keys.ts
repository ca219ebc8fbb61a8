/**
 * The certificates and keys of the configuration in force. Workers have them before they accept, and have new ones as soon as the files
 * have changed, without a reload: sessions that are open stay as they are.
 *
 * Nothing of a key is ever compared, logged or shown. A new key needs a new certificate, so those are compared.
 */

import type { CertificateFacts } from "../config/certificates.ts";
import { type AllKeyMaterial, keyFilesOf, type KeyMaterial, readKeyMaterial } from "../config/key_files.ts";
import type { Config } from "../config/schema.ts";
import { RunError } from "../core/errors.ts";
import { sleep } from "../core/sleep.ts";
import { type AllTlsKeys, NO_TLS_KEYS } from "../dataplane/messages.ts";
import type { TlsKeys } from "../engine/contract.ts";
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
}

export class Keys {
  readonly #options: KeysOptions;
  #inUse: ReadKeys = { keys: NO_TLS_KEYS, material: { listeners: new Map(), pools: new Map() } };
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
    const { faults: [fault], material } = await readKeyMaterial(config, Date.now());
    if (material === undefined) throw new RunError(fault?.message ?? "certificates cannot be read");
    return readKeys(material);
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
    for (const file of files) void watchFile(file, () => void changed(), signal, { lookEveryMs });
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
      // One that is broken, or has expired by now, does not keep the others from being renewed.
      const { faults, material = this.#inUse.material } = await readKeyMaterial(
        config(),
        Date.now(),
        this.#inUse.material,
      );
      for (const { message } of faults) {
        journal.warn("keys_not_renewed", { reason: message, meanwhile: "those before stay in use" });
      }
      const changes = keyChanges(this.#inUse.material, material);
      if (changes === undefined) return;
      const next = readKeys(material);
      await tell(next.keys);
      this.#inUse = next;
      journal.info("keys_renewed", changes);
    });
  }
}

function readKeys(material: AllKeyMaterial): ReadKeys {
  return {
    keys: { listeners: keysOf(material.listeners), pools: keysOf(material.pools) },
    material,
  };
}

function keysOf(all: ReadonlyMap<string, KeyMaterial>): Map<string, TlsKeys> {
  return new Map([...all].map(([name, { pairs, authorities }]) => {
    const plain = pairs.map(({ cert, key }) => ({ cert, key }));
    return [name, { pairs: plain, authorities: authorities?.pem }];
  }));
}

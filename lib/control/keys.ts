/**
 * The certificates and keys of the configuration in force. Workers have them before they accept, and have new ones as soon as the files
 * have changed, without a reload: sessions that are open stay as they are.
 *
 * Nothing of a key is ever compared, logged or shown.
 */

import type { CertificateFacts } from "../config/certificates.ts";
import { type AllKeyMaterial, keyFilesOf, type KeyMaterial, readKeyMaterial } from "../config/key_files.ts";
import type { Config } from "../config/schema.ts";
import { RunError } from "../core/errors.ts";
import { sleep } from "../core/sleep.ts";
import type { AllTlsKeys } from "../dataplane/messages.ts";
import type { TlsKeys } from "../engine/contract.ts";
import type { Journal } from "./journal.ts";
import { watchFile } from "./watch_file.ts";

/** A certificate and its key are two files that are written one after the other; so long after the first both are read. */
const PAIR_MS = 1_000;

const LOOK_EVERY_MS = 1_000;

export interface KeysOptions {
  readonly journal: Journal;
  /** Reads anew and tells the workers, when it is the turn of that. */
  readonly renew: () => Promise<void>;
  /** A test may have less patience. */
  readonly lookEveryMs?: number;
}

/** A certificate that is in use, for those who look at it. */
export interface CertificateInUse extends CertificateFacts {
  readonly of: "listener" | "pool";
  readonly name: string;
}

export class Keys {
  readonly #options: KeysOptions;
  #material: AllKeyMaterial = { listeners: new Map(), pools: new Map() };
  #watching = new AbortController();
  /** What is watched, as one text. */
  #watched = "";

  constructor(options: KeysOptions) {
    this.#options = options;
  }

  /**
   * Reads those of a configuration, which are in use from then on.
   *
   * @throws {RunError} with the first fault; then nothing has changed.
   */
  async read(config: Config): Promise<AllTlsKeys> {
    const { faults: [fault], material } = await readKeyMaterial(config, Date.now());
    if (material === undefined) throw new RunError(fault?.message ?? "certificates cannot be read");
    this.#material = material;
    return { listeners: keysOf(material.listeners), pools: keysOf(material.pools) };
  }

  /** Watches the files of a configuration, and no others any more. */
  follow({ listeners, pools }: Config): void {
    const files = keyFilesOf(listeners, Object.values(pools));
    const watched = files.join("\n");
    if (watched === this.#watched) return;
    this.#watched = watched;
    this.stop();
    this.#watching = new AbortController();
    const { signal } = this.#watching;
    let isPending = false;
    const changed = async (): Promise<void> => {
      if (isPending) return;
      isPending = true;
      await sleep(PAIR_MS, signal);
      isPending = false;
      if (!signal.aborted) await this.#renew();
    };
    const { lookEveryMs = LOOK_EVERY_MS } = this.#options;
    for (const file of files) void watchFile(file, () => void changed(), signal, { lookEveryMs });
  }

  stop(): void {
    this.#watching.abort();
  }

  /** Those that are in use, the listeners' first. */
  get certificates(): CertificateInUse[] {
    const of = (kind: CertificateInUse["of"], names: Iterable<string>): CertificateInUse[] =>
      [...names].flatMap((name) =>
        this.certificatesOf(kind, name).map((facts) => ({ of: kind, name, ...facts }))
      );
    const { listeners, pools } = this.#material;
    return [...of("listener", listeners.keys()), ...of("pool", pools.keys())];
  }

  /** Those of one listener or pool, in the order of the configuration. */
  certificatesOf(kind: CertificateInUse["of"], name: string): CertificateFacts[] {
    const all = kind === "listener" ? this.#material.listeners : this.#material.pools;
    return all.get(name)?.pairs.map(({ facts }) => facts) ?? [];
  }

  async #renew(): Promise<void> {
    const { journal, renew } = this.#options;
    const before = new Set(this.certificates.map(({ fingerprint }) => fingerprint));
    try {
      await renew();
      const fresh = this.certificates.filter(({ fingerprint }) => !before.has(fingerprint));
      journal.info("keys_renewed", { certificates: fresh.map(({ subject }) => subject) });
    } catch (error) {
      const reason = error instanceof RunError ? error.message : "they cannot be read";
      journal.warn("keys_not_renewed", { reason, meanwhile: "those before stay in use" });
    }
  }
}

function keysOf(all: ReadonlyMap<string, KeyMaterial>): Map<string, TlsKeys> {
  return new Map([...all].map(([name, { pairs, authorities }]) => {
    const plain = pairs.map(({ cert, key }) => ({ cert, key }));
    return [name, { pairs: plain, authorities: authorities?.pem }];
  }));
}

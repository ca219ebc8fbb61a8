/** What checks open TLS with: the options and keys of the sessions of their pools. */

import type { TlsClientOptions } from "../core/tls_options.ts";
import type { TlsKeys } from "../engine/tls_contract.ts";
import { Buffers } from "../engine/runtime/buffers.ts";
import { RuntimeTlsClient } from "../engine/runtime/tls_client.ts";

/** Keys by the names of pools; those that have none are missing. */
export type PoolKeys = ReadonlyMap<string, TlsKeys>;

const NO_KEYS: TlsKeys = { pairs: [], authorities: undefined };

export class TlsClients {
  readonly #buffers = new Buffers();
  readonly #made = new Map<string, RuntimeTlsClient>();
  #keys: PoolKeys = new Map();

  /** Uses these keys for the checks to come, and the options that they come with. */
  renew(keys: PoolKeys): void {
    this.#keys = keys;
    this.#made.clear();
  }

  /**
   * For a check of a pool.
   *
   * @param options Those of the pool since the last {@linkcode renew}.
   * @throws {TypeError} when its keys cannot be read.
   */
  of(pool: string, options: TlsClientOptions): RuntimeTlsClient {
    let client = this.#made.get(pool);
    if (client === undefined) {
      client = new RuntimeTlsClient(options, this.#keys.get(pool) ?? NO_KEYS, this.#buffers);
      this.#made.set(pool, client);
    }
    return client;
  }
}

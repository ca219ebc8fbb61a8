import { reasonOf } from "../core/errors.ts";
import type { Engine } from "../engine/contract.ts";
import type { TlsClient, TlsKeys, TlsServer } from "../engine/tls_contract.ts";
import type { AllTlsKeys, PlaneOptions } from "./messages.ts";

/** Trusts the public authorities that the runtime brings, and shows nothing. */
const NO_KEYS: TlsKeys = { pairs: [], authorities: undefined };

/** How the listeners and the pools of a worker open TLS. */
export class TlsEnds {
  readonly #servers = new Map<string, TlsServer>();
  readonly #clients = new Map<string, TlsClient>();

  /** @throws {TypeError} when keys cannot be read. */
  constructor(
    { listeners, pools, keys }: Pick<PlaneOptions, "listeners" | "pools" | "keys">,
    engine: Engine,
  ) {
    for (const { name, greeting } of listeners) {
      if (greeting?.tls === undefined) continue;
      this.#servers.set(name, engine.tlsServer(greeting.tls, keys.listeners.get(name) ?? NO_KEYS));
    }
    // A worker is told of all pools, also of those to which only others open TLS.
    if (!listeners.some(({ opensTls }) => opensTls)) return;
    for (const { name, tls } of pools) {
      if (tls !== undefined) this.#clients.set(name, engine.tlsClient(tls, keys.pools.get(name) ?? NO_KEYS));
    }
  }

  /** Undefined where a listener passes TLS on as it is. */
  ofListener(name: string): TlsServer | undefined {
    return this.#servers.get(name);
  }

  /** @throws {TypeError} when this worker opens no TLS to that pool: it is never dialled without, then. */
  ofPool(name: string): TlsClient {
    const client = this.#clients.get(name);
    if (client === undefined) throw new TypeError(`Cannot open TLS to pool ${name}: this worker opens none`);
    return client;
  }

  /**
   * Uses these keys for the connections to come.
   *
   * @param onRefused Told of the listener or pool that keeps its keys, because the new ones cannot be used.
   */
  renew(
    keys: AllTlsKeys,
    onRefused: (
      whose: { readonly listener?: string; readonly pool?: string; readonly reason: string },
    ) => void,
  ): void {
    for (const [listener, server] of this.#servers) {
      renewOne(server, keys.listeners.get(listener), (reason) => onRefused({ listener, reason }));
    }
    for (const [pool, client] of this.#clients) {
      renewOne(client, keys.pools.get(pool), (reason) => onRefused({ pool, reason }));
    }
  }
}

function renewOne(
  end: TlsServer | TlsClient,
  keys: TlsKeys = NO_KEYS,
  onRefused: (reason: string) => void,
): void {
  try {
    end.renew(keys);
  } catch (error) {
    onRefused(reasonOf(error));
  }
}

// deno-lint-ignore-file no-await-in-loop -- one server after the other

/** Questions that one server of etcd answers, whichever it is. */

import { EtcdClient, type EtcdOptions } from "./etcd_client.ts";

/**
 * The value of a key; undefined when there is no such key.
 *
 * @throws {Error} with one sentence, when no server answers.
 */
export async function readKey(
  options: EtcdOptions,
  key: string,
  stop: AbortSignal,
): Promise<string | undefined> {
  // Of the keys that begin with it, it is the first one itself.
  const { entries: [entry] } = await askAny(options, (client) => client.range(key, 1, stop), stop);
  return entry?.key === key ? entry.value : undefined;
}

/**
 * Asks the servers in their order, until one answers.
 *
 * @throws {Error} with one sentence, about the last of them.
 */
export async function askAny<T>(
  options: EtcdOptions,
  ask: (client: EtcdClient) => Promise<T>,
  stop: AbortSignal,
): Promise<T> {
  let fault: unknown;
  for (const endpoint of options.endpoints) {
    try {
      using client = await EtcdClient.open(endpoint, options, stop);
      return await ask(client);
    } catch (error) {
      if (stop.aborted) throw error;
      fault = error;
    }
  }
  throw fault;
}

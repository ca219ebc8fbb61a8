// deno-lint-ignore-file no-await-in-loop -- one server after the other

/** A single key of etcd. */

import { EtcdClient, type EtcdOptions } from "./etcd_client.ts";

/**
 * The value of a key; undefined when there is no such key. The servers are asked in their order, until one answers.
 *
 * @throws {Error} with one sentence, about the last of them.
 */
export async function readKey(
  options: EtcdOptions,
  key: string,
  stop: AbortSignal,
): Promise<string | undefined> {
  let fault: unknown;
  for (const endpoint of options.endpoints) {
    try {
      using client = await EtcdClient.open(endpoint, options, stop);
      // Of the keys that begin with it, it is the first one itself.
      const { entries: [entry] } = await client.range(key, 1, stop);
      return entry?.key === key ? entry.value : undefined;
    } catch (error) {
      if (stop.aborted) throw error;
      fault = error;
    }
  }
  throw fault;
}

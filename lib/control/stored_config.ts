/** A configuration that stands in etcd. */

import type { EtcdUrl } from "../config/etcd_url.ts";
import { InputError, reasonOf, RunError } from "../core/errors.ts";
import type { EtcdOptions } from "../discovery/etcd_client.ts";
import { readKey } from "../discovery/etcd_questions.ts";

/** How its servers are asked. */
export function etcdOptionsOf({ endpoints, user, passwordFile, ca, cert, key }: EtcdUrl): EtcdOptions {
  return { endpoints, user, passwordFile, ca, cert, key };
}

/** The files that are read to ask them. */
export function filesOf({ passwordFile, ca, cert, key }: EtcdUrl): string[] {
  return [passwordFile, ca, cert, key].filter((path) => path !== undefined);
}

/**
 * Reads it.
 *
 * @throws {RunError} when no server answers, {@linkcode InputError} when there is nothing under the key.
 */
export async function readStoredText(url: EtcdUrl, stop: AbortSignal): Promise<string> {
  const text = await readBeside(url, "", stop);
  if (text === undefined) throw new InputError(`${url.name}: there is no such key`);
  return text;
}

/**
 * What is under a key whose name begins with that of the configuration; undefined when there is no such key.
 *
 * @throws {RunError} when no server answers.
 */
export async function readBeside(
  url: EtcdUrl,
  suffix: string,
  stop: AbortSignal,
): Promise<string | undefined> {
  try {
    return await readKey(etcdOptionsOf(url), url.path + suffix, stop);
  } catch (error) {
    throw new RunError(`${url.name}: cannot be read: ${reasonOf(error)}`);
  }
}

/** A configuration that stands in etcd. */

import type { EngineOf } from "../config/engine_checks.ts";
import type { EtcdUrl } from "../config/etcd_url.ts";
import { type PlacedConfig, placeText } from "../config/read.ts";
import { InputError, reasonOf, RunError } from "../core/errors.ts";
import type { EtcdOptions } from "../discovery/etcd_client.ts";
import { readKey } from "../discovery/etcd_key.ts";

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
  let text: string | undefined;
  try {
    text = await readKey(etcdOptionsOf(url), url.path, stop);
  } catch (error) {
    throw new RunError(`${url.name}: cannot be read: ${reasonOf(error)}`);
  }
  if (text === undefined) throw new InputError(`${url.name}: there is no such key`);
  return text;
}

/**
 * Reads and checks it.
 *
 * @throws as {@linkcode readStoredText} does, and {@linkcode ConfigError} when something in it is wrong.
 */
export async function readStoredConfig(
  url: EtcdUrl,
  checksFiles: boolean,
  engineOf: EngineOf | undefined,
  stop: AbortSignal,
): Promise<PlacedConfig> {
  return await placeText(url.name, await readStoredText(url, stop), checksFiles, engineOf);
}

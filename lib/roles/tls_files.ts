/** Certificates and keys that flags name. */

import { readKeyFiles } from "../config/key_files.ts";
import { InputError } from "../core/errors.ts";
import type { TlsKeys } from "../engine/tls_contract.ts";

/** Paths, as far as they were given; a certificate and its key go together. */
export interface TlsFiles {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly ca?: string | undefined;
}

/**
 * Reads them.
 *
 * @param prefix What the names of their flags begin with.
 * @return `notes`: what is allowed, but probably not meant.
 * @throws {InputError} that names the flag and says what is wrong with its file.
 */
export async function readTlsFiles(
  prefix: "--" | "--tls-",
  { cert, key, ca }: TlsFiles,
): Promise<{ readonly keys: TlsKeys; readonly notes: readonly string[] }> {
  const files = {
    isServer: prefix === "--tls-",
    pairs: cert === undefined || key === undefined ? [] : [{ path: [], cert, key }],
    authorities: ca === undefined ? undefined : { path: ["ca"], ca },
  };
  const { faults: [fault], notes, material } = await readKeyFiles(files, Date.now());
  if (material === undefined) throw new InputError(`${prefix}${fault?.path.at(-1)}: ${fault?.message}`);
  return {
    keys: {
      pairs: material.pairs.map(({ cert, key }) => ({ cert, key })),
      authorities: material.authorities?.pem,
    },
    notes: notes.map(({ message }) => message),
  };
}

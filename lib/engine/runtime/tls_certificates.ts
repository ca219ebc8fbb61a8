/** Certificates with their keys: whether they can be used, and which one is shown. */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { namesOf } from "../../core/certificate_text.ts";
import { reasonOf } from "../../core/errors.ts";
import { canonicalServerName, wildcardOf } from "../../core/server_name.ts";
import { whyNoTlsKey } from "../../core/tls_key_kinds.ts";
import type { TlsKeys } from "../tls_contract.ts";

type KeyPair = TlsKeys["pairs"][number];

/**
 * Makes something of each pair, to be found by the names in its certificate.
 *
 * @return Gives what has this name: as it is, or with `*` for its first label. Else it is the first.
 * @throws {TypeError} when there is no pair, or as {@linkcode checkPair}.
 */
export function byServerName<Made>(
  pairs: readonly KeyPair[],
  make: (pair: KeyPair) => Made,
): (serverName: string | undefined) => Made {
  const named = new Map<string, Made>();
  const all = pairs.map((pair) => {
    checkPair(pair);
    const made = make(pair);
    for (const name of namesOf(new X509Certificate(pair.cert).subjectAltName ?? "")) {
      // Of several with the same name the first is shown.
      if (!named.has(name)) named.set(name, made);
    }
    return made;
  });
  const [first] = all;
  if (first === undefined) throw new TypeError("Cannot open TLS: there is no certificate");
  return (serverName) => {
    const name = serverName === undefined ? undefined : canonicalServerName(serverName);
    if (name === undefined) return first;
    return named.get(name) ?? named.get(wildcardOf(name) ?? name) ?? first;
  };
}

/** Why no connection of a listener, or to a pool, can be opened with these; undefined when they can be used. */
export function whyNoTlsKeys({ pairs, authorities }: TlsKeys): string | undefined {
  try {
    createSecureContext(authorities === undefined ? {} : { ca: authorities });
    for (const pair of pairs) {
      checkPair(pair);
      createSecureContext({ ...pair });
    }
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/**
 * @throws {TypeError} when a pair cannot be read, does not belong together, or is of a kind that cannot be used: the runtime would take
 * it, and fail each handshake. The reason says nothing of it but its kind.
 */
export function checkPair({ cert, key }: KeyPair): void {
  const object = privateKeyOf(cert, key);
  if (object === undefined) {
    throw new TypeError("Cannot open TLS: a certificate and its key are damaged, or do not belong together");
  }
  const why = whyNoTlsKey(object);
  if (why !== undefined) throw new TypeError(`Cannot open TLS: ${why}`);
}

/** Undefined when it is not that of the certificate. */
function privateKeyOf(cert: string, key: string): KeyObject | undefined {
  try {
    const object = createPrivateKey(key);
    return new X509Certificate(cert).checkPrivateKey(object) ? object : undefined;
  } catch {
    return undefined;
  }
}

/** Private keys with which TLS can be opened here. Pure. */

import type { KeyObject } from "node:crypto";

/** Those with which the runtime signs (Deno 2.9.6). */
const CURVES: ReadonlySet<string | undefined> = new Set(["prime256v1", "secp384r1", "secp521r1"]);
const MIN_RSA_BITS = 2048;

/**
 * Why TLS cannot be opened with a private key: the runtime would take it, and fail each handshake. Says nothing of the key but its kind.
 *
 * @return A sentence without the path of its file; undefined when it can.
 */
export function whyNoTlsKey(
  { asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: Pick<
    KeyObject,
    "asymmetricKeyType" | "asymmetricKeyDetails"
  >,
): string | undefined {
  const { modulusLength: bits = 0, namedCurve } = details;
  if (type === "ed25519") return undefined;
  if (type === "ec" && CURVES.has(namedCurve)) return undefined;
  if (type === "rsa" && bits >= MIN_RSA_BITS) return undefined;
  const kind = type === "ec" ? `on the curve ${namedCurve}` : type === "rsa" ? `RSA of ${bits} bits` : type;
  return `its private key is ${kind}, with which TLS cannot be opened here; take a certificate for a key ` +
    `that is RSA of ${MIN_RSA_BITS} bits or more, ECDSA on P-256, P-384 or P-521, or Ed25519`;
}

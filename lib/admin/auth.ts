/**
 * The token: as a Bearer (RFC 6750) for programs, or as the password of HTTP Basic (RFC 7617), with any user, so that a
 * browser asks for it and opens the page.
 */

import { createHash, timingSafeEqual } from "node:crypto";

/** What a 401 asks for, a header each. Basic comes first: some browsers look at the first one only. */
export const CHALLENGES = ['Basic realm="sockbal", charset="UTF-8"', 'Bearer realm="sockbal"'] as const;

/** Whether an Authorization header, null when there is none, shows the token. */
export type TokenCheck = (authorization: string | null) => boolean;

/**
 * Makes the check of a token.
 *
 * Digests are compared, in constant time: how long it takes says nothing about how much of the token was right, nor how
 * long it is.
 *
 * @throws {RangeError} for an empty token, which everybody would have.
 */
export function tokenCheck(token: string): TokenCheck {
  if (token === "") throw new RangeError("Cannot guard with an empty token");
  const wanted = digest(new TextEncoder().encode(token));
  return (authorization) => {
    const shown = secretOf(authorization ?? "");
    return timingSafeEqual(digest(shown ?? new Uint8Array()), wanted) && shown !== undefined;
  };
}

/** The bytes of the secret in an Authorization header; undefined when there is none that we know. */
function secretOf(authorization: string): Uint8Array | undefined {
  const [, scheme = "", credentials = ""] = /^(bearer|basic) +(.+)$/i.exec(authorization) ?? [];
  if (scheme === "") return undefined;
  // Headers are bytes, which the runtime hands over as characters of the same numbers.
  if (scheme.toLowerCase() === "bearer") return Uint8Array.from(credentials, (char) => char.charCodeAt(0));
  return passwordOf(credentials);
}

/** What follows the first colon of `user:password` in Base64. */
function passwordOf(credentials: string): Uint8Array | undefined {
  try {
    const bytes = Uint8Array.from(atob(credentials), (char) => char.charCodeAt(0));
    const colon = bytes.indexOf(":".charCodeAt(0));
    return colon === -1 ? undefined : bytes.subarray(colon + 1);
  } catch {
    // Not Base64.
    return undefined;
  }
}

function digest(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

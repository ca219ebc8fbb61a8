import { errnoOf } from "../core/errors.ts";

/**
 * What became of requests that were not answered. `short`: the peer ended before the reply was whole. `corrupt`: the reply was not
 * what was expected. `other`: such as no local port left, or TLS that was not opened.
 */
export const ERROR_KINDS = ["refused", "reset", "timed_out", "short", "corrupt", "other"] as const;

export type ErrorKind = typeof ERROR_KINDS[number];

/** By the name of the error number (errno(3)). */
const KINDS: Readonly<Record<string, ErrorKind>> = {
  ECONNREFUSED: "refused",
  ENOENT: "refused",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
  ENOTCONN: "reset",
  ETIMEDOUT: "timed_out",
};

/** The kind of what a dial, a read or a write has failed with. */
export function kindOf(error: unknown): ErrorKind {
  return KINDS[errnoOf(error) ?? ""] ?? "other";
}

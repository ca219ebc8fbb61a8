/** Names to IP addresses, as the system's resolver knows them. Never blocks a thread of the program. */

import { lookup } from "node:dns/promises";
import { formatDuration } from "./duration.ts";
import { RunError } from "./errors.ts";

/**
 * Looks a name up.
 *
 * @return Its addresses, each once, in the resolver's order of preference; at least one.
 * @throws {NameError} when it has none.
 */
export type LookUp = (name: string) => Promise<readonly string[]>;

/** A name that cannot be resolved; the message is one sentence. */
export class NameError extends RunError {
  /** Whether the resolver says that there is no such name, rather than nothing. */
  readonly isUnknown: boolean;

  constructor(name: string, why: string, isUnknown: boolean, cause?: unknown) {
    super(`cannot resolve the name ${JSON.stringify(name)}: ${why}`, { cause });
    this.isUnknown = isUnknown;
  }
}

/** {@linkcode LookUp} by the resolver of the system, which gives up when it likes, often only after many seconds. */
export async function lookUp(name: string): Promise<readonly string[]> {
  let found: readonly string[];
  try {
    const all = await lookup(name, { all: true, order: "verbatim" });
    found = [...new Set(all.map(({ address }) => address))];
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw new NameError(name, describe(code), code === "ENOTFOUND", error);
  }
  if (found.length > 0) return found;
  throw new NameError(name, "it has no address", true);
}

/**
 * Looks a name up, for at most so long. The resolver cannot be stopped; what it says later is not heard.
 *
 * @throws {NameError} when it has no address, or none by then.
 */
export async function lookUpWithin(name: string, timeoutMs: number): Promise<readonly string[]> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NameError(name, noAnswerWithin(timeoutMs), false)), timeoutMs);
  });
  const found = lookUp(name);
  try {
    return await Promise.race([found, late]);
  } finally {
    clearTimeout(timer);
    found.catch(() => {});
  }
}

/** Why a name has no address at a deadline. */
export function noAnswerWithin(timeoutMs: number): string {
  return `no name server answered within ${formatDuration(timeoutMs)}`;
}

function describe(code: string): string {
  if (code === "ENOTFOUND") return "there is no such name";
  if (code === "EAI_AGAIN") return "no name server answered";
  if (code === "EPERM") return "sockbal was started without permission to look it up";
  return code;
}

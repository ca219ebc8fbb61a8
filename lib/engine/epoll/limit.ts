import type { Libc } from "./libc.ts";
import { RLIMIT_NOFILE } from "./linux.ts";

/** A table with a byte for each is made for every thread, so that there must be an end to it. */
const MAX_DESCRIPTORS = 1 << 22;

/** Raises the soft limit of descriptors to the hard one (getrlimit(2)), and says what it is. */
export function raiseDescriptorLimit(libc: Pick<Libc, "getrlimit" | "setrlimit">): number {
  const limits = new BigUint64Array(2);
  if (libc.getrlimit(RLIMIT_NOFILE, limits) < 0) return MAX_DESCRIPTORS;
  const [soft = 0n, hard = 0n] = limits;
  limits[0] = hard;
  const isRaised = hard > soft && libc.setrlimit(RLIMIT_NOFILE, limits) === 0;
  const limit = isRaised ? hard : soft;
  return limit < BigInt(MAX_DESCRIPTORS) ? Number(limit) : MAX_DESCRIPTORS;
}

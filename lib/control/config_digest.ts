import { createHash } from "node:crypto";
import type { Config } from "../config/schema.ts";
import { shownConfig } from "./shown_config.ts";

/** Long enough that two configurations do not have the same by chance. */
const DIGITS = 16;

/**
 * By which balancers compare their configurations: the same for two that mean the same, without what each has for itself: its
 * name in the fleet, and where its admin side is.
 */
export function configDigest({ fleet: _, admin, ...config }: Config): string {
  const shared = { ...config, fleet: undefined, admin: undefined };
  const whole = JSON.stringify([shownConfig(shared), admin !== undefined]);
  return createHash("sha256").update(whole).digest("hex").slice(0, DIGITS);
}

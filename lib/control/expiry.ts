// deno-lint-ignore-file no-await-in-loop -- one look after the other

/** What is told about certificates that are in use, and above all when they expire. */

import type { CertificateStatus } from "../admin/status.ts";
import { ageOf, type CertificateFacts } from "../config/certificates.ts";
import { certificateTitle } from "../core/certificate_title.ts";
import type { Recorder } from "../core/log.ts";
import type { CertificateInUse, Keys } from "./keys.ts";

const DAY_MS = 86_400_000;

export interface ExpiryOptions {
  /** Those in use. */
  readonly certificates: () => readonly CertificateInUse[];
  readonly log: Pick<Recorder, "warn">;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** See sleep.ts. */
  readonly sleep: (ms: number, stop: AbortSignal) => Promise<void>;
}

/** Tells once a day, until `stop`, which have expired or soon will; what is so when they are read is a note of that. Never rejects. */
export async function tellOfExpiry(
  { certificates, log, now, sleep }: ExpiryOptions,
  stop: AbortSignal,
): Promise<void> {
  for (;;) {
    await sleep(DAY_MS, stop);
    if (stop.aborted) return;
    for (const { of, name, ...facts } of certificates()) {
      const { fault, note } = ageOf(facts, now());
      const reason = fault ?? note;
      if (reason !== undefined) {
        log.warn("certificate_expires", { [of]: name, certificate: certificateTitle(facts), reason });
      }
    }
  }
}

/** @param nowMs Since 1970. */
export function certificateStatus(facts: CertificateFacts, nowMs: number): CertificateStatus {
  const { subject, names, notBeforeMs, notAfterMs, fingerprint } = facts;
  const { fault, note } = ageOf(facts, nowMs);
  return {
    subject,
    names,
    not_before: new Date(notBeforeMs).toISOString(),
    not_after: new Date(notAfterMs).toISOString(),
    fingerprint,
    state: fault !== undefined ? "expired" : note !== undefined ? "expires_soon" : "valid",
  };
}

/** Of a listener, or of a pool. */
export function certificateStatuses(
  keys: Pick<Keys, "certificatesOf">,
  of: CertificateInUse["of"],
  name: string,
): CertificateStatus[] {
  const nowMs = Date.now();
  return keys.certificatesOf(of, name).map((facts) => certificateStatus(facts, nowMs));
}

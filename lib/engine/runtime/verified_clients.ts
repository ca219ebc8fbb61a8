import type { PeerCertificate } from "node:tls";

/** The runtime keeps fewer sessions that can be resumed. */
const MAX_CERTIFICATES = 4096;

/**
 * The certificates of clients that a listener has verified.
 *
 * All listeners of a thread share the sessions that can be resumed (RFC 8446, 2.2), and nothing turns that off (Deno 2.9.6). So a
 * session that was begun at one that asks for no certificate, or trusts other authorities, is resumed at one that does ask, and nothing
 * is verified. Therefore a resumed session counts only when its certificate was verified here before, and has not expired.
 */
export class VerifiedClients {
  /** By fingerprint, until when it is valid; the one that was met last is the last. */
  readonly #validToMs = new Map<string, number>();

  /** Whether the certificate of a client is verified. */
  accepts(
    { fingerprint256, valid_to }: Pick<PeerCertificate, "fingerprint256" | "valid_to">,
    isResumed: boolean,
    nowMs: number,
  ): boolean {
    const validToMs = isResumed ? this.#validToMs.get(fingerprint256) : Date.parse(valid_to);
    this.#validToMs.delete(fingerprint256);
    if (validToMs === undefined || nowMs > validToMs) return false;
    this.#validToMs.set(fingerprint256, validToMs);
    if (this.#validToMs.size > MAX_CERTIFICATES) {
      for (const oldest of this.#validToMs.keys()) return this.#validToMs.delete(oldest);
    }
    return true;
  }
}

/** Why TLS was not opened, in a few plain words about the peer. What a certificate says stands in them only as far as we asked for it. */

import type { TLSSocket } from "node:tls";
import { reasonOf } from "../../core/errors.ts";

/** A handshake has failed for this reason, which is in plain words already. */
export class TlsFault extends Error {
  override readonly name: string = "TlsFault";
}

/** What the runtime says (its TLS is rustls), and what that means. The first that fits is told. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [/corrupt message|unexpected message|got ClientHello/, "what it sends is no handshake of TLS"],
  [
    /alert: (UnknownCA|BadCertificate|CertificateUnknown|CertificateExpired|CertificateRevoked|UnsupportedCertificate)/,
    "it does not trust the certificate that it was shown",
  ],
  [/alert: CertificateRequired/, "it wants to be shown a certificate"],
  [/no certificates/, "it has shown no certificate"],
  [
    /known protocol|NoApplicationProtocol/,
    "it wants none of the protocols that it was offered, or offers none (alpn)",
  ],
  [
    /alert: ProtocolVersion|SupportedVersions|SignatureAlgorithmsExtension|Tls1[23]|TLS1[23]/i,
    "it has no version of TLS that is wanted",
  ],
  [/InCommon|alert: InsufficientSecurity/, "it has no cipher that is wanted"],
  // What OpenSSL says with TLS 1.2 when it is shown no certificate.
  [/alert: HandshakeFailure/, "it finds no cipher in common, or wants to be shown a certificate"],
  [/alert: Unrecogni[sz]edName/, "it does not know the name that it was asked for"],
];

/** Whether the peer has reset the connection: found out by reading, or by writing. */
export function isReset(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe;
}

/** Why a handshake has failed. */
export function describeTlsFault(error: unknown): string {
  if (error instanceof TlsFault) return error.message;
  if (isReset(error)) return "it reset the connection";
  const reason = reasonOf(error);
  const known = MEANINGS.find(([pattern]) => pattern.test(reason));
  if (known !== undefined) return known[1];
  const alert = /fatal alert: (\w+)/.exec(reason)?.[1];
  return alert === undefined ? `the handshake failed: ${reason}` : `it refused with the alert ${alert}`;
}

/**
 * Why a peer's certificate was not accepted.
 *
 * @param wanted What its certificate should have been for.
 */
export function describeCertificateFault(socket: TLSSocket, wanted: string | undefined): string {
  const certificate = socket.getPeerCertificate();
  if (certificate?.raw === undefined) return "it has shown no certificate";
  const [from, to] = [Date.parse(certificate.valid_from), Date.parse(certificate.valid_to)];
  if (Date.now() > to) return `its certificate expired on ${dateOf(to)}`;
  if (Date.now() < from) return `its certificate is not valid before ${dateOf(from)}`;
  if (String(socket.authorizationError).includes("ALTNAME")) return `its certificate is not for ${wanted}`;
  return "its certificate is from none that is trusted here";
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, "2026-01-31".length);
}

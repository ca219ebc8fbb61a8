/**
 * Texts of PEM files to certificates and keys that belong together, or to sentences that say why they do not. Pure.
 *
 * No sentence and no error has anything of a private key in it.
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { namesOf, subjectText } from "../core/certificate_text.ts";
import { quote } from "../core/quote.ts";
import { whyNoTlsKey } from "../core/tls_key_kinds.ts";
import { formatUtc, spanText } from "./dates.ts";
import { cutOffLabel, isEncrypted, pemBlocks } from "./pem.ts";

/** What is told about a certificate. */
export interface CertificateFacts {
  /** As `CN=www.example.com, O=Example`. */
  readonly subject: string;
  /** DNS names in small letters and IP addresses of the subjectAltName (RFC 5280, 4.2.1.6). */
  readonly names: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SHA-256 of the certificate, as `A1:B2:…`. */
  readonly fingerprint: string;
}

/** A certificate with those of its issuers, and its private key, as PEM without anything else that stood in the files. */
export interface KeyPair {
  readonly facts: CertificateFacts;
  readonly cert: string;
  /** Secret. */
  readonly key: string;
}

/** Those whose certificates are trusted, as PEM. */
export interface Authorities {
  readonly facts: readonly CertificateFacts[];
  readonly pem: string;
}

/** A sentence about a file, without its path. */
export interface PairFinding {
  readonly file: "cert" | "key";
  readonly message: string;
}

const DAY_MS = 86_400_000;

/** A certificate that expires within this time is noted. */
const SOON_MS = 14 * DAY_MS;

interface PairFindings {
  readonly faults: PairFinding[];
  readonly notes: PairFinding[];
}

/**
 * A certificate and its key.
 *
 * @param certText Undefined when it could not be read, which is a fault that is known already; so for the key.
 * @param nowMs Since 1970.
 * @returns `pair` when there is no fault, and both were read.
 */
export function readKeyPair(
  certText: string | undefined,
  keyText: string | undefined,
  nowMs: number,
): PairFindings & { readonly pair?: KeyPair } {
  const found: PairFindings = { faults: [], notes: [] };
  const certs = certText === undefined ? undefined : readCertificates(certText);
  const key = keyText === undefined ? undefined : readKey(keyText);
  if (typeof certs === "string") found.faults.push({ file: "cert", message: certs });
  if (typeof key === "string") found.faults.push({ file: "key", message: key });
  if (certs === undefined || typeof certs === "string") return found;
  findAges(certs, nowMs, found);
  if (key === undefined || typeof key === "string") return found;
  const place = certs.findIndex(({ x509 }) => x509.checkPrivateKey(key.object));
  if (place === -1) {
    found.faults.push({ file: "key", message: `is not the key of the certificate ${named(certs[0])}` });
  } else if (place > 0) {
    const message = `the certificate that the key belongs to is number ${place + 1}; put it first, ` +
      "and behind it those of its issuers";
    found.faults.push({ file: "cert", message });
  }
  const [leaf] = certs;
  if (found.faults.length > 0 || leaf === undefined) return found;
  found.notes.push(...misplacedIssuer(certs));
  return {
    ...found,
    pair: { facts: leaf.facts, cert: certs.map(({ text }) => text).join(""), key: key.text },
  };
}

/** The first has to be valid; behind it some put what only old clients still need. */
function findAges(certs: readonly Certificate[], nowMs: number, { faults, notes }: PairFindings): void {
  for (const [i, certificate] of certs.entries()) {
    const { fault, note } = ageOf(certificate.facts, nowMs);
    const who = i === 0 ? "" : `certificate ${named(certificate)} `;
    if (fault !== undefined) (i === 0 ? faults : notes).push({ file: "cert", message: who + fault });
    if (note !== undefined) notes.push({ file: "cert", message: who + note });
  }
}

function misplacedIssuer(certs: readonly Certificate[]): PairFinding[] {
  const place = certs.findIndex(({ x509 }, i) => {
    const next = certs[i + 1];
    return next !== undefined && !x509.checkIssued(next.x509);
  });
  if (place === -1) return [];
  const message = `certificate number ${place + 2} is not the issuer of the one before it; ` +
    "put behind each certificate the one of its issuer";
  return [{ file: "cert", message }];
}

/**
 * Certificates that are trusted. One of several that has expired is a note: what it issued is refused anyway. There is one sentence for
 * all that have, since a system's roots always have some.
 *
 * @param nowMs Since 1970.
 * @returns `authorities` when there is no fault.
 */
export function readAuthorities(
  text: string,
  nowMs: number,
): { readonly faults: string[]; readonly notes: string[]; readonly authorities?: Authorities } {
  const certs = readCertificates(text);
  if (typeof certs === "string") return { faults: [certs], notes: [] };
  const aged = certs.map((it) => ({ it, ...ageOf(it.facts, nowMs) }));
  const [invalid, soon] = [
    aged.filter((it) => it.fault !== undefined),
    aged.filter((it) => it.note !== undefined),
  ];
  const said = (what: string, [first, ...others]: typeof aged): string[] => {
    const sentence = first?.fault ?? first?.note;
    if (first === undefined || sentence === undefined) return [];
    if (certs.length === 1) return [sentence];
    if (others.length === 0) return [`certificate ${named(first.it)} ${sentence}`];
    return [
      `${1 + others.length} of ${certs.length} certificates ${what}, as ${
        named(first.it)
      }, which ${sentence}`,
    ];
  };
  const [faults, notes] = [said("are not valid now", invalid), said("expire within 14 days", soon)];
  if (invalid.length === certs.length) return { faults, notes };
  return {
    faults: [],
    notes: [...faults, ...notes],
    authorities: { facts: certs.map(({ facts }) => facts), pem: certs.map((it) => it.text).join("") },
  };
}

interface Certificate {
  readonly text: string;
  readonly x509: X509Certificate;
  readonly facts: CertificateFacts;
}

/** All certificates of a text, or why there is none to be had. */
function readCertificates(text: string): Certificate[] | string {
  const blocks = pemBlocks(text).filter(({ label }) => label === "CERTIFICATE");
  // Also where others stand before it: the file may be half written.
  if (cutOffLabel(text) === "CERTIFICATE") return describeCutOff("CERTIFICATE");
  if (blocks.length === 0) return describeMissing(text, "certificate", "CERTIFICATE");
  const certificates: Certificate[] = [];
  for (const [i, { text }] of blocks.entries()) {
    try {
      const x509 = new X509Certificate(text);
      certificates.push({ text, x509, facts: factsOf(x509) });
    } catch {
      return blocks.length === 1
        ? "its certificate is damaged and cannot be read"
        : `certificate number ${i + 1} is damaged and cannot be read`;
    }
  }
  return certificates;
}

function factsOf(x509: X509Certificate): CertificateFacts {
  return {
    subject: subjectText(x509.subject ?? ""),
    names: namesOf(x509.subjectAltName ?? ""),
    notBeforeMs: Date.parse(x509.validFrom),
    notAfterMs: Date.parse(x509.validTo),
    fingerprint: x509.fingerprint256,
  };
}

/** The key of a text, or why there is none to be had. */
function readKey(text: string): { text: string; object: ReturnType<typeof createPrivateKey> } | string {
  const block = pemBlocks(text).find(({ label }) => label.endsWith("PRIVATE KEY"));
  if (block === undefined) return describeMissing(text, "private key", "PRIVATE KEY");
  if (isEncrypted(block)) {
    return "its private key is encrypted, and there is no way to give its passphrase; " +
      "write it without one by: openssl pkey -in OLD -out NEW";
  }
  try {
    const object = createPrivateKey(block.text);
    return whyNoTlsKey(object) ?? { text: block.text, object };
  } catch {
    // What is wrong with it is not said: the reason may show a part of it.
    return "its private key is damaged, or of a kind that TLS does not have";
  }
}

function describeCutOff(label: string): string {
  return `is cut off: -----END ${label}----- is missing`;
}

function describeMissing(text: string, what: "certificate" | "private key", label: string): string {
  const cutOff = cutOffLabel(text);
  if (cutOff?.endsWith(label)) return describeCutOff(cutOff);
  const found = [...new Set(pemBlocks(text).map((it) => it.label))];
  if (found.length > 0) return `has no ${what}, but ${found.join(" and ")}`;
  if (text.trim() === "") return "is empty";
  // A SEQUENCE of ASN.1: a long one, or one that is short and begins with a version, as a key does.
  const form = /^0[\x80-\x84\ufffd]/.test(text) || (text.startsWith("0") && text.startsWith("\x02\x01", 2))
    ? `; convert it from DER by: openssl ${what === "certificate" ? "x509" : "pkey"} -in OLD -out NEW`
    : "";
  return `is no PEM file: it has no -----BEGIN ${label}-----${form}`;
}

/**
 * Whether a certificate is valid, and for long enough: a fault that begins with a verb, or a note when it expires within 14 days.
 *
 * @param nowMs Since 1970.
 */
export function ageOf(
  { notBeforeMs, notAfterMs }: Pick<CertificateFacts, "notBeforeMs" | "notAfterMs">,
  nowMs: number,
): { readonly fault?: string; readonly note?: string } {
  if (nowMs > notAfterMs) {
    return { fault: `expired ${spanText(nowMs - notAfterMs)} ago, on ${formatUtc(notAfterMs)}` };
  }
  if (nowMs < notBeforeMs) {
    return { fault: `is not valid before ${formatUtc(notBeforeMs)}, in ${spanText(notBeforeMs - nowMs)}` };
  }
  const leftMs = notAfterMs - nowMs;
  if (leftMs >= SOON_MS) return {};
  return { note: `expires in ${spanText(leftMs)}, on ${formatUtc(notAfterMs)}` };
}

/** Names of a certificate are of its maker's choice, and are shown in one line. */
function named(certificate: Certificate | undefined): string {
  return quote(certificate?.facts.subject ?? "");
}

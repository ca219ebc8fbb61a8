/** Certificates for tests, made by openssl. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { runCommand } from "./command.ts";
import { findProgram } from "./packages.ts";

const found = await findProgram("openssl", "openssl");

/** For `ignore` of a test, and for the end of its name. */
export const noOpenssl = {
  ignore: "missing" in found,
  why: "missing" in found ? ` (skipped: ${found.missing})` : "",
};

/** Paths of a certificate and its key. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Its subjectAltName: DNS names, and IP addresses as `IP:127.0.0.1`; by default `NAME.example`. */
  readonly names?: readonly string[];
  /** As `/CN=a/O=b`; by default `/CN=NAME.example`. */
  readonly subject?: string;
  /** How long it is valid from now on. */
  readonly days?: number;
  /** Of its key, as openssl takes it after `-newkey`; by default ECDSA on P-256. */
  readonly kind?: readonly string[];
  /** Who signs it; by default itself. */
  readonly issuer?: CertificateFiles;
  /** Whether it may sign others. */
  readonly isAuthority?: boolean;
  /** Whether its last day was yesterday; it needs an issuer. */
  readonly isExpired?: boolean;
}

/** Kinds of keys with which TLS can be opened here, by their names. */
export const KEY_KINDS: Record<string, readonly string[]> = {
  "P-256": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
  "P-384": ["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"],
  "P-521": ["ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"],
  "RSA": ["rsa:2048"],
  "Ed25519": ["ed25519"],
};

/** Kinds with which it cannot, by what is said of them. */
export const OTHER_KEY_KINDS: Record<string, readonly string[]> = {
  "on the curve secp256k1": ["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
  "on the curve secp224r1": ["ec", "-pkeyopt", "ec_paramgen_curve:secp224r1"],
  "RSA of 1024 bits": ["rsa:1024"],
  "rsa-pss": ["rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"],
  "ed448": ["ed448"],
};

/** Makes `NAME.pem` and `NAME.key` in a folder, the key for its owner alone. */
export async function makeCertificate(
  folder: string,
  name: string,
  options: CertificateOptions = {},
): Promise<CertificateFiles> {
  const {
    names = [`${name}.example`],
    subject = `/CN=${name}.example`,
    days = 365,
    kind = KEY_KINDS["P-256"] ?? [],
    issuer,
    isAuthority = false,
    isExpired = false,
  } = options;
  const files = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  await openssl(
    ...["req", "-x509", "-newkey", ...kind, "-nodes", "-utf8"],
    ...["-keyout", files.key, "-out", files.cert, "-days", String(days), "-subj", subject],
    ...["-addext", `basicConstraints=critical,CA:${isAuthority ? "TRUE" : "FALSE"}`],
    ...(names.length === 0 ? [] : ["-addext", `subjectAltName=${names.map(alternativeName).join(",")}`]),
    ...(issuer === undefined ? [] : ["-CA", issuer.cert, "-CAkey", issuer.key]),
  );
  if (isExpired && issuer !== undefined) {
    const request = join(folder, `${name}.csr`);
    await openssl(
      "x509",
      "-x509toreq",
      "-copy_extensions",
      "copyall",
      "-in",
      files.cert,
      "-signkey",
      files.key,
      "-out",
      request,
    );
    await openssl(
      ...["x509", "-req", "-in", request, "-copy_extensions", "copyall", "-days", "-1", "-out", files.cert],
      ...["-CA", issuer.cert, "-CAkey", issuer.key, "-CAcreateserial"],
    );
  }
  await Deno.chmod(files.key, 0o600);
  return files;
}

function alternativeName(name: string): string {
  return name.startsWith("IP:") ? name : `DNS:${name}`;
}

/** The texts of a certificate and its key. */
export async function readPair({ cert, key }: CertificateFiles): Promise<{ cert: string; key: string }> {
  const [certText, keyText] = await Promise.all([Deno.readTextFile(cert), Deno.readTextFile(key)]);
  return { cert: certText, key: keyText };
}

/** Where openssl is. */
export function opensslPath(): string {
  return "path" in found ? found.path : assert.fail(found.missing);
}

/** Runs openssl, which has to succeed. */
export async function openssl(...args: string[]): Promise<void> {
  assert.ok("path" in found);
  const { status, stderr } = await runCommand([found.path, ...args]);
  assert.equal(status, 0, stderr);
}

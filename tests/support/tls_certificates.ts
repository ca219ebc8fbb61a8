/** Certificates that tests of TLS share, made once a run of tests. */

import type { EngineName } from "../../lib/config/engine_names.ts";
import { type CertificateFiles, makeCertificate, noOpenssl, readPair } from "./certificates.ts";
import { ENGINES } from "./engines.ts";

/** A certificate: where it is, and its texts. */
export interface TestCertificate extends CertificateFiles {
  readonly pair: { readonly cert: string; readonly key: string };
}

export interface TestCertificates {
  readonly folder: string;
  /** Signs all but `stranger`. */
  readonly authority: TestCertificate;
  /** For `a.example` and `*.wild.example`. */
  readonly a: TestCertificate;
  /** For `b.example`, and a name that `*.wild.example` covers. */
  readonly b: TestCertificate;
  /** For 127.0.0.1. */
  readonly ip: TestCertificate;
  readonly expired: TestCertificate;
  /** Of a client. */
  readonly client: TestCertificate;
  /** Signs itself. */
  readonly stranger: TestCertificate;
}

/** Makes them in a folder. */
export async function makeTestCertificates(folder: string): Promise<TestCertificates> {
  const make = async (
    name: string,
    options: Parameters<typeof makeCertificate>[2],
  ): Promise<TestCertificate> => {
    const files = await makeCertificate(folder, name, options);
    return { ...files, pair: await readPair(files) };
  };
  const authority = await make("authority", { isAuthority: true, subject: "/CN=Test authority" });
  const issuer = authority;
  const [a, b, ip, expired, client, stranger] = await Promise.all([
    make("a", { issuer, names: ["a.example", "*.wild.example"], subject: "/O=Org a/CN=a.example" }),
    make("b", { issuer, names: ["b.example", "exact.wild.example"] }),
    make("ip", { issuer, names: ["IP:127.0.0.1"] }),
    make("expired", { issuer, names: ["a.example"], isExpired: true }),
    make("client", { issuer, subject: "/O=Clients/CN=client one" }),
    make("stranger", { names: ["a.example"], subject: "/CN=stranger" }),
  ]);
  return { folder, authority, a, b, ip, expired, client, stranger };
}

let made: Promise<TestCertificates> | undefined;

/** Those of this run of tests, at whose end their folder is removed. */
export function testCertificates(): Promise<TestCertificates> {
  made ??= Deno.makeTempDir({ prefix: "sockbal-tls-" }).then((folder) => {
    globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
    return makeTestCertificates(folder);
  });
  return made;
}

/** Registers a test for each engine, which is skipped, and says so, where there is no openssl to make certificates. */
export function onEachEngineWithTls(
  sentence: string,
  test: (engine: EngineName, certificates: TestCertificates) => Promise<void>,
): void {
  for (const engine of ENGINES) {
    Deno.test({
      name: `${sentence} (${engine})${noOpenssl.why}`,
      ignore: noOpenssl.ignore,
      fn: async () => await test(engine, await testCertificates()),
    });
  }
}

import { run } from "./processes.ts";
import { SERVER_NAME } from "./proxies.ts";

/**
 * Makes a certificate that signs itself.
 *
 * @param openssl Where it is.
 * @return The file that has the certificate and its key.
 */
export async function makeCertificate(openssl: string, folder: string): Promise<string> {
  const pem = `${folder}/tls.pem`;
  await run([
    ...[openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-subj", `/CN=${SERVER_NAME}`, "-keyout", pem, "-out", `${folder}/cert.pem`],
  ]);
  await Deno.writeTextFile(pem, await Deno.readTextFile(`${folder}/cert.pem`), { append: true });
  return pem;
}

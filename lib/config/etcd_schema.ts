/** Where etcd is, and which keys of it are meant. Which options go together is checked in etcd_checks.ts. */

import { z } from "zod";
import { filePath, refuse, section } from "./fields.ts";
import { url } from "./url_field.ts";

/** An etcd that was checked. */
export interface EtcdConfig {
  readonly endpoints: string[];
  readonly prefix: string;
  readonly user: string | undefined;
  readonly passwordFile: string | undefined;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/**
 * `etcd` of a source, and of the fleet.
 *
 * @param prefix What its prefix is for.
 * @param example One.
 */
export function etcd(prefix: string, example: string): z.ZodType<EtcdConfig, unknown> {
  const prefixRefused = `write what the keys begin with, as ${example}`;
  return section("etcd", {
    endpoints: z.array(
      url("A server of the cluster.", "http://10.0.0.5:2379", true),
      refuse("a list", "list servers, as [http://10.0.0.5:2379]"),
    ).min(1, { error: "empty; list at least one server, as [http://10.0.0.5:2379]" })
      .meta({ description: "Servers of the cluster; where one cannot be reached, the next is asked." }),
    prefix: z.string(refuse("a prefix", prefixRefused))
      .min(1, { error: `empty; ${prefixRefused}` })
      .meta({ title: "text", description: prefix }),
    user: z.string(refuse("a name", "write the name of the user")).min(1).meta({
      title: "name",
      description: "Who logs in; needs password_file.",
    }).optional(),
    password_file: filePath("A file whose only line is the password.").optional(),
    ca: filePath("A PEM file: whose certificates the servers must have.").optional(),
    cert: filePath("A PEM file: the certificate that is shown to the servers; needs key.").optional(),
    key: filePath("A PEM file with its private key.").optional(),
  }).transform((it): EtcdConfig => ({
    endpoints: it.endpoints,
    prefix: it.prefix,
    user: it.user,
    passwordFile: it.password_file,
    ca: it.ca,
    cert: it.cert,
    key: it.key,
  }));
}

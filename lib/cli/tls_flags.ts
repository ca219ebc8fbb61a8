/** The flags of TLS, and which of them need one another. */

import { message } from "@optique/core/message";
import { optional, withDefault } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import type { Address } from "../core/address.ts";
import { InputError } from "../core/errors.ts";
import { filePath, protocols, serverName } from "./values.ts";

export const serverTlsFlags = {
  tlsCert: optional(option("--tls-cert", filePath(), {
    description: message`Speak TLS, and show this certificate: a PEM file, with those of its issuers.`,
  })),
  tlsKey: optional(option("--tls-key", filePath(), {
    description: message`The private key of the certificate: a PEM file, which may be the same.`,
  })),
};

export const clientTlsFlags = {
  tls: option("--tls", { description: message`Speak TLS, and verify the certificate of the peer.` }),
  serverName: optional(option("--server-name", serverName(), {
    description:
      message`With --tls: ask for this name, which the certificate has to have; by default the host.`,
  })),
  ca: optional(option("--ca", filePath(), {
    description:
      message`With --tls: a PEM file; whose certificates to trust, instead of those of public authorities.`,
  })),
  cert: optional(option("--cert", filePath(), {
    description: message`With --tls: a PEM file; the certificate of this client.`,
  })),
  key: optional(option("--key", filePath(), {
    description: message`The private key of --cert: a PEM file, which may be the same.`,
  })),
  alpn: withDefault(
    option("--alpn", protocols(), {
      description: message`With --tls: offer these protocols, the best first, as h2,http/1.1.`,
    }),
    [] as readonly string[],
  ),
  insecure: option("--insecure", {
    description: message`With --tls: take any certificate, and so any peer. For tests.`,
  }),
};

interface ServerTlsFlags {
  readonly engine: string;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
}

interface ClientTlsFlags {
  readonly connect: Address;
  readonly tls: boolean;
  readonly serverName: string | undefined;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly alpn: readonly string[];
  readonly insecure: boolean;
}

/** @throws {InputError} when one of two is missing. */
export function checkServerTls({ engine, tlsCert, tlsKey }: ServerTlsFlags): void {
  checkPair("--tls-cert", tlsCert, "--tls-key", tlsKey);
  if (engine === "epoll" && tlsCert !== undefined) {
    throw new InputError("TLS is opened by the engine runtime; leave --engine out");
  }
}

/** @throws {InputError} when a flag needs another one, or has no use beside it. */
export function checkClientTls(flags: ClientTlsFlags): void {
  const { connect, tls, serverName, ca, cert, key, alpn, insecure } = flags;
  const given = Object.entries({
    "--server-name": serverName !== undefined,
    "--ca": ca !== undefined,
    "--cert": cert !== undefined,
    "--key": key !== undefined,
    "--alpn": alpn.length > 0,
    "--insecure": insecure,
  }).filter(([, isGiven]) => isGiven).map(([flag]) => flag);
  if (!tls && given.length > 0) throw new InputError(`${given[0]} is for TLS; add --tls`);
  checkPair("--cert", cert, "--key", key);
  if (ca !== undefined && insecure) {
    throw new InputError(
      "with --insecure any certificate is taken, so --ca has no use; leave one of them out",
    );
  }
  if (tls && connect.transport === "unix" && serverName === undefined && !insecure) {
    throw new InputError(
      "a Unix socket has no host that its certificate could name; add --server-name",
    );
  }
}

function checkPair(
  certFlag: string,
  cert: string | undefined,
  keyFlag: string,
  key: string | undefined,
): void {
  if (cert !== undefined && key === undefined) {
    throw new InputError(`${certFlag} needs ${keyFlag}, its private key (which may be in the same file)`);
  }
  if (cert === undefined && key !== undefined) {
    throw new InputError(`${keyFlag} needs ${certFlag}, its certificate (which may be in the same file)`);
  }
}

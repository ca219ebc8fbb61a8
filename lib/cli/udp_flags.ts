/** The flags that have no meaning with UDP. */

import type { Address } from "../core/address.ts";
import { MAX_DATAGRAM_BYTES } from "../core/datagram.ts";
import { InputError } from "../core/errors.ts";
import { checkForUdp } from "../core/misbehaviour.ts";
import { type MisbehaviourFlags, misbehaviourOf } from "./misbehaviour_flags.ts";

interface ServerFlags {
  readonly listen: Address;
  readonly maxConnections: number;
  readonly idleTimeoutMs: number;
  readonly engine: string;
  readonly proxyProtocol: boolean;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly misbehaviour: MisbehaviourFlags;
}

interface ClientFlags {
  readonly connect: Address;
  readonly messages: readonly string[];
  readonly proxyProtocol: string | undefined;
  readonly tls: boolean;
  readonly serverName: string | undefined;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly alpn: readonly string[];
  readonly insecure: boolean;
}

/** @throws {InputError} when a flag is given that is for connections alone. */
export function checkServerUdp(flags: ServerFlags): void {
  if (flags.listen.transport !== "udp") return;
  refuseGiven({
    "--max-connections": flags.maxConnections > 0,
    "--idle-timeout": flags.idleTimeoutMs > 0,
    "--proxy-protocol": flags.proxyProtocol,
    "--tls-cert": flags.tlsCert !== undefined,
    "--tls-key": flags.tlsKey !== undefined,
  });
  if (flags.engine === "epoll") {
    throw new InputError("datagrams are answered by the engine runtime; leave --engine out");
  }
  const misbehaviour = misbehaviourOf(flags.misbehaviour, true);
  if (misbehaviour === undefined) return;
  try {
    checkForUdp(misbehaviour);
  } catch (error) {
    throw error instanceof InputError ? new InputError(`--${error.message}`) : error;
  }
}

/** @throws {InputError} when a flag is given that is for connections alone, or a message is no datagram. */
export function checkClientUdp(flags: ClientFlags): void {
  if (flags.connect.transport !== "udp") return;
  refuseGiven({
    "--proxy-protocol": flags.proxyProtocol !== undefined,
    "--tls": flags.tls,
    "--server-name": flags.serverName !== undefined,
    "--ca": flags.ca !== undefined,
    "--cert": flags.cert !== undefined,
    "--key": flags.key !== undefined,
    "--alpn": flags.alpn.length > 0,
    "--insecure": flags.insecure,
  });
  for (const message of flags.messages) {
    const length = new TextEncoder().encode(`${message}\n`).length;
    if (length > MAX_DATAGRAM_BYTES) {
      throw new InputError(
        `--message: a datagram has at most ${MAX_DATAGRAM_BYTES} bytes; with its newline this one has ${length}`,
      );
    }
  }
}

function refuseGiven(flags: Readonly<Record<string, boolean>>): void {
  const given = Object.entries(flags).find(([, isGiven]) => isGiven);
  if (given === undefined) return;
  throw new InputError(`${given[0]} is for connections, and UDP has none; leave it out`);
}

/** ClientHellos of one's own making. */

import { ClientHelloReader, type HelloAnswer } from "../../lib/wire/client_hello.ts";
import { bytes, joined } from "../support/bytes.ts";

/** What is read of a connection that begins with these. */
export function helloIn(data: Uint8Array): HelloAnswer {
  return new ClientHelloReader().take(data);
}

/** A number of so many bytes, in network order. */
export function number(value: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Math.floor(value / 256 ** (length - 1 - i)) % 256);
}

/** With its length before it. */
export function vector(content: Uint8Array, lengthBytes: number): Uint8Array {
  return joined([number(content.length, lengthBytes), content]);
}

export function extension(type: number, content: Uint8Array): Uint8Array {
  return joined([number(type, 2), vector(content, 2)]);
}

export function serverName(...names: readonly (string | Uint8Array)[]): Uint8Array {
  const entries = names.map((name) =>
    joined([number(0, 1), vector(typeof name === "string" ? bytes(name) : name, 2)])
  );
  return extension(0, vector(joined(entries), 2));
}

export function alpn(...protocols: readonly (string | Uint8Array)[]): Uint8Array {
  const entries = protocols.map((it) => vector(typeof it === "string" ? bytes(it) : it, 1));
  return extension(16, vector(joined(entries), 2));
}

export function versions(...offered: readonly number[]): Uint8Array {
  return extension(43, vector(joined(offered.map((it) => number(it, 2))), 1));
}

/** Any extension that makes a hello longer by `length` bytes. */
export function padding(length: number): Uint8Array {
  return extension(21, new Uint8Array(length - 4));
}

export interface HelloParts {
  readonly version?: number;
  readonly sessionId?: Uint8Array;
  readonly cipherSuites?: Uint8Array;
  readonly compressions?: Uint8Array;
  /** What stands behind the compressions; undefined is a hello without extensions. */
  readonly extensions?: readonly Uint8Array[];
}

/** The handshake message. */
export function helloMessage(parts: HelloParts = {}): Uint8Array {
  const body = joined([
    number(parts.version ?? 0x0303, 2),
    new Uint8Array(32).fill(7),
    vector(parts.sessionId ?? new Uint8Array(32), 1),
    vector(parts.cipherSuites ?? number(0x1301, 2), 2),
    vector(parts.compressions ?? new Uint8Array(1), 1),
    ...(parts.extensions === undefined ? [] : [vector(joined(parts.extensions), 2)]),
  ]);
  return handshake(1, body);
}

export function handshake(type: number, body: Uint8Array): Uint8Array {
  return joined([number(type, 1), vector(body, 3)]);
}

export function record(payload: Uint8Array, type = 22, version = 0x0301): Uint8Array {
  return joined([number(type, 1), number(version, 2), vector(payload, 2)]);
}

/** The message in records with so many bytes of it each. */
export function records(message: Uint8Array, payloadBytes: number): Uint8Array {
  const count = Math.ceil(message.length / payloadBytes);
  return joined(
    Array.from(
      { length: count },
      (_, i) => record(message.subarray(i * payloadBytes, (i + 1) * payloadBytes)),
    ),
  );
}

/** In one record. */
export function hello(...extensions: readonly Uint8Array[]): Uint8Array {
  return record(helloMessage({ extensions }));
}

/** What a ClientHello says (RFC 8446, 4.1.2; RFC 5246, 7.4.1.2). Pure. */

import { canonicalServerName } from "../core/server_name.ts";
import { Fields } from "./fields.ts";
import { Malformed } from "./malformed.ts";

/** What matters for the way of a session. All of it is the client's word, and safe to show. */
export interface ClientHello {
  /**
   * The server that the client asks for (RFC 6066, 3), in small letters and without a dot at its end. Undefined when it names none.
   * Of an encrypted hello (ECH) it is the outer name, the one that is not encrypted.
   */
  readonly serverName: string | undefined;
  /**
   * The protocols that it offers (RFC 7301), the preferred one first. A byte that is no printable ASCII, or a backslash, is written
   * as `\x0a`: so no two protocols have one text.
   */
  readonly alpn: readonly string[];
}

const VERSION_BYTES = 2;
const RANDOM_BYTES = 32;
const MAX_SESSION_ID_BYTES = 32;

const SERVER_NAME = 0;
const ALPN = 16;

/** A name of a host, the one kind of name that there is. */
const HOST_NAME = 0;

/** @param message Its body, without the header of the handshake message. */
export function readHelloMessage(message: Uint8Array): ClientHello | Malformed {
  const fields = new Fields(message);
  fields.bytes(VERSION_BYTES + RANDOM_BYTES);
  const sessionId = fields.bytes(fields.uint8());
  const cipherSuites = fields.bytes(fields.uint16());
  const compressions = fields.bytes(fields.uint8());
  const hasOddParts = sessionId.length > MAX_SESSION_ID_BYTES || cipherSuites.length === 0 ||
    cipherSuites.length % 2 === 1 || compressions.length === 0;
  if (fields.isShort || hasOddParts) return new Malformed("the ClientHello is not well-formed");
  const extensions = extensionsOf(fields);
  if (extensions instanceof Malformed) return extensions;
  const serverName = serverNameOf(extensions.get(SERVER_NAME));
  if (serverName instanceof Malformed) return serverName;
  const alpn = protocolsOf(extensions.get(ALPN));
  return alpn instanceof Malformed ? alpn : { serverName, alpn };
}

/** Those that matter, by type. Others may have any content, as GREASE has it (RFC 8701). */
function extensionsOf(fields: Fields): Map<number, Uint8Array> | Malformed {
  const found = new Map<number, Uint8Array>();
  if (fields.left === 0) return found;
  const length = fields.uint16();
  if (fields.isShort || length !== fields.left) {
    return new Malformed("the extensions of the ClientHello have another length than it says");
  }
  while (fields.left > 0) {
    const type = fields.uint16();
    const content = fields.bytes(fields.uint16());
    if (fields.isShort) return new Malformed("an extension of the ClientHello reaches beyond its end");
    if (type !== SERVER_NAME && type !== ALPN) continue;
    // Which of two counts would be for each reader to choose, and so a way around a route.
    if (found.has(type)) return new Malformed("the ClientHello has one extension twice");
    found.set(type, content);
  }
  return found;
}

function serverNameOf(extension: Uint8Array | undefined): string | undefined | Malformed {
  if (extension === undefined) return undefined;
  const fields = new Fields(extension);
  if (fields.uint16() !== fields.left || fields.left === 0) return brokenServerName();
  let host: Uint8Array | undefined;
  while (fields.left > 0) {
    const type = fields.uint8();
    const name = fields.bytes(fields.uint16());
    if (fields.isShort) return brokenServerName();
    if (type !== HOST_NAME) continue;
    if (host !== undefined) return new Malformed("the ClientHello names two servers");
    host = name;
  }
  if (host === undefined) return undefined;
  const isTooLong = host.length > 255;
  return (isTooLong ? undefined : canonicalServerName(String.fromCharCode(...host))) ??
    new Malformed("the ClientHello names a server by what is no name of a host");
}

function brokenServerName(): Malformed {
  return new Malformed("the server name of the ClientHello is not well-formed");
}

function protocolsOf(extension: Uint8Array | undefined): string[] | Malformed {
  if (extension === undefined) return [];
  const fields = new Fields(extension);
  if (fields.uint16() !== fields.left || fields.left === 0) return brokenProtocols();
  const protocols: string[] = [];
  while (fields.left > 0) {
    // One that reaches beyond the end is empty as well.
    const protocol = fields.bytes(fields.uint8());
    if (protocol.length === 0) return brokenProtocols();
    protocols.push(shownProtocol(protocol));
  }
  return protocols;
}

function brokenProtocols(): Malformed {
  return new Malformed("the protocols (ALPN) of the ClientHello are not well-formed");
}

function shownProtocol(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes).replace(
    /[^ -\[\]-~]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

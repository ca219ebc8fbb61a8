/** What holds for every input of the readers in lib/wire, whatever it is. */

import assert from "node:assert/strict";
import { canonicalServerName } from "../../lib/core/server_name.ts";
import {
  type ClientHello,
  ClientHelloReader,
  type HelloAnswer,
  MAX_CLIENT_HELLO_BYTES,
} from "../../lib/wire/client_hello.ts";
import { Malformed } from "../../lib/wire/malformed.ts";
import {
  MAX_PROXY_HEADER_BYTES,
  MAX_PROXY_V1_BYTES,
  type ProxyHeader,
  TLV_TYPE,
} from "../../lib/wire/proxy_header.ts";
import { readProxyHeader } from "../../lib/wire/read_proxy_header.ts";
import { routeFinder } from "../../lib/wire/tls_routes.ts";
import { writeProxyV1, writeProxyV2 } from "../../lib/wire/write_proxy_header.ts";
import { trapped } from "./trapped.ts";

type HeaderAnswer = ProxyHeader | "incomplete" | Malformed;

/** What an input turned out to be, for the summary. */
export interface Found {
  readonly header: "header" | "incomplete" | "malformed";
  readonly hello: "hello" | "incomplete" | "not_tls" | "malformed";
}

const findRoute = routeFinder([{ sni: "*.example.com" }, { sni: "www.example.com", alpn: ["h2"] }, {
  alpn: ["h2"],
}]);

/** Reads of an answer, for each byte of the input, when it comes in two parts. A hello is looked at, copied, and read. */
const MAX_READS_PER_BYTE = 20;

/**
 * Reads an input as a header and as a hello; throws when anything is not as it must be.
 *
 * @param splitAt Where the input is split into two parts.
 * @param isTrapped Whether each read is watched as well, which takes longer.
 */
export function checkInput(bytes: Uint8Array, splitAt: number, isTrapped: boolean): Found {
  const split = splitAt % (bytes.length + 1);
  const header = readProxyHeader(bytes);
  const hello = new ClientHelloReader().take(bytes);
  checkHeader(header, bytes);
  checkHello(hello, bytes);
  // What stands in memory around an input is not read.
  for (const around of [0x00, 0xff]) {
    const embedded = between(bytes, around);
    assert.deepEqual(readProxyHeader(embedded), header);
    assert.deepEqual(new ClientHelloReader().take(embedded), hello);
  }
  checkSplit(bytes, split, header, hello);
  if (isTrapped) checkReads(bytes, split, header, hello);
  return { header: nameOf(header, "header"), hello: nameOf(hello, "hello") };
}

function between(bytes: Uint8Array, around: number): Uint8Array {
  const memory = new Uint8Array(bytes.length + 600).fill(around);
  memory.set(bytes, 300);
  return memory.subarray(300, 300 + bytes.length);
}

/** An answer to the first part is the answer to the whole, and a reader that was told of it gives the same in the end. */
function checkSplit(bytes: Uint8Array, split: number, header: HeaderAnswer, hello: HelloAnswer): void {
  const first = bytes.subarray(0, split);
  const headerOfFirst = readProxyHeader(first);
  if (headerOfFirst !== "incomplete") assert.deepEqual(headerOfFirst, header);
  const helloOfFirst = new ClientHelloReader().take(first);
  if (helloOfFirst !== "incomplete") assert.deepEqual(helloOfFirst, hello);
  const reader = new ClientHelloReader();
  assert.deepEqual(reader.take(first), helloOfFirst);
  assert.deepEqual(reader.take(bytes), hello);
}

function checkReads(bytes: Uint8Array, split: number, header: HeaderAnswer, hello: HelloAnswer): void {
  const { view, reads } = trapped(bytes);
  const reader = new ClientHelloReader();
  assert.deepEqual(readProxyHeader(view), header);
  readProxyHeader(view.subarray(0, split));
  reader.take(view.subarray(0, split));
  assert.deepEqual(reader.take(view), hello);
  const limit = MAX_READS_PER_BYTE * (bytes.length + 10);
  assert.ok(reads() <= limit, `${reads()} reads of ${bytes.length} bytes`);
}

function checkHeader(answer: HeaderAnswer, bytes: Uint8Array): void {
  if (answer === "incomplete") return assert.ok(bytes.length < MAX_PROXY_HEADER_BYTES);
  if (answer instanceof Malformed) return checkReason(answer);
  const { version, command, source, destination, tlvs, length } = answer;
  assert.ok(
    length <= bytes.length && length <= (version === 1 ? MAX_PROXY_V1_BYTES : MAX_PROXY_HEADER_BYTES),
  );
  if (command === "local") assert.equal(source ?? destination, undefined);
  if (source?.transport !== "tcp" || destination === undefined) return;
  // Written again, it says the same.
  const facts = tlvs.filter(({ type }) => type !== TLV_TYPE.crc32c);
  const again = readProxyHeader(
    writeProxyV2({ command: "proxy", source, destination, tlvs: facts, checksum: true }),
  );
  assert.ok(typeof again === "object" && !(again instanceof Malformed), "what was read can be written");
  assert.deepEqual([again.source, again.destination, again.tlvs.slice(0, -1)], [source, destination, facts]);
  const line = readProxyHeader(writeProxyV1(source, destination));
  assert.ok(typeof line === "object" && !(line instanceof Malformed));
  assert.deepEqual([line.source, line.destination], [source, destination]);
}

function checkHello(answer: HelloAnswer, bytes: Uint8Array): void {
  if (answer === "not_tls") return assert.ok(bytes[0] !== 22 || bytes[1] !== 3);
  if (answer === "incomplete") return assert.ok(bytes.length < MAX_CLIENT_HELLO_BYTES);
  if (answer instanceof Malformed) return checkReason(answer);
  const { serverName, alpn } = answer;
  if (serverName !== undefined) assert.equal(canonicalServerName(serverName), serverName);
  for (const protocol of alpn) assert.match(protocol, /^[ -~]+$/);
  findRoute(answer);
}

function checkReason({ reason }: Malformed): void {
  assert.match(reason, /^[a-z][ -~]+[^.]$/);
}

function nameOf<Name extends string, Word extends string>(
  answer: ProxyHeader | ClientHello | Malformed | Word,
  name: Name,
): Name | Word | "malformed" {
  if (typeof answer === "string") return answer;
  return answer instanceof Malformed ? "malformed" : name;
}

/** What holds for every answer of a name server, whatever it is. */

import assert from "node:assert/strict";
import { isIP } from "node:net";
import { type Answer, NoAnswer, type Question, readAnswer } from "../../lib/wire/dns_message.ts";
import { Malformed } from "../../lib/wire/malformed.ts";
import { trapped } from "./trapped.ts";

/** Reads for each byte of the input. A record of eleven bytes may have a name of 255 behind its pointer, and one behind its alias. */
const MAX_READS_PER_BYTE = 100;

/**
 * Reads an input as the answer to a question; throws when anything is not as it must be.
 *
 * @param splitAt Where the input is cut off, to be read once more.
 * @param isTrapped Whether each read is watched as well, which takes longer.
 * @return What the input turned out to be, for the summary.
 */
export function checkDnsInput(
  bytes: Uint8Array,
  question: Question,
  splitAt: number,
  isTrapped: boolean,
): "answer" | "no_answer" | "malformed" {
  const answer = readAnswer(bytes, question);
  const first = readAnswer(bytes.subarray(0, splitAt % (bytes.length + 1)), question);
  if (!(first instanceof Malformed)) assert.deepEqual(first, answer, "a part is no other answer");
  if (isTrapped) {
    const { view, reads } = trapped(bytes);
    assert.deepEqual(readAnswer(view, question), answer);
    const limit = MAX_READS_PER_BYTE * (bytes.length + 10);
    assert.ok(reads() <= limit, `${reads()} reads of ${bytes.length} bytes`);
  }
  if (answer instanceof NoAnswer || answer instanceof Malformed) {
    assert.match(answer.reason, /^[a-z][ -~]+[^.]$/);
    return answer instanceof NoAnswer ? "no_answer" : "malformed";
  }
  checkFacts(answer, question);
  return "answer";
}

function checkFacts({ addresses, services, ttlSeconds }: Answer, { type }: Question): void {
  const family = type === "A" ? 4 : type === "AAAA" ? 6 : undefined;
  for (const address of addresses) assert.equal(isIP(address), family, address);
  assert.equal(new Set(addresses).size, addresses.length);
  if (type !== "SRV") assert.equal(services.length, 0);
  for (const { priority, weight, port, target } of services) {
    for (const number of [priority, weight, port]) assert.ok(number >= 0 && number <= 65_535);
    // A dot or a backslash within a label has a backslash in front.
    assert.match(target, /^(?!\.)((\\[.\\]|[^.\\])|\.(?=[^.]))*$/s);
    assert.ok(target.replaceAll(/\\(.)/gs, "$1").length <= 255);
  }
  const hasRecords = addresses.length + services.length > 0;
  assert.equal(ttlSeconds !== undefined, hasRecords);
  if (ttlSeconds !== undefined) assert.ok(ttlSeconds >= 0 && ttlSeconds < 2 ** 31);
}

/**
 * A check that asks for a page and looks at the status of the answer (RFC 9112, 4). What follows the status line decides
 * nothing: the connection is closed, however long the body is.
 */

import { type Address, formatHostPort } from "../core/address.ts";
import { withoutZone } from "../core/zone.ts";
import { type CheckResult, excerpt, type HttpCheck } from "./check.ts";
import type { Conversation } from "./conversation.ts";

/** A status line has to end within so much. */
const MAX_STATUS_LINE_BYTES = 1024;

/** Room for a few interim responses before the answer, as 103 (Early Hints). */
const MAX_ANSWER_BYTES = 16 * 1024;

/** The space after the status is missing in some servers that send no reason, and a line may end with LF alone (2.2). */
const STATUS_LINE = /^HTTP\/1\.\d ([1-9]\d\d)(?: [^\r\n]*)?\r?$/;

const STATUS_LINE_BEGINNING = "HTTP/1.";

/** What goes into the request must not be able to end its line. */
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/**
 * Prepares the conversation with the backend at an address.
 *
 * @throws {RangeError} when path or host would not be one word of the request.
 */
export function prepareHttp(check: HttpCheck): (address: Address) => Conversation {
  for (const word of [check.path, check.host]) {
    if (word !== undefined && !VISIBLE_ASCII.test(word)) {
      throw new RangeError(
        `Cannot ask for a page: ${excerpt(word)} is empty or has other than visible ASCII`,
      );
    }
  }
  return (address) => ({
    send: requestOf(check, address),
    maxAnswerBytes: MAX_ANSWER_BYTES,
    quit: new Uint8Array(),
    judge: (answer) => judgeStatus(finalStatus(answer), answer, check),
  });
}

function requestOf({ path, host }: HttpCheck, address: Address): Uint8Array {
  // Without its zone, which means nothing to others (RFC 6874, 1).
  const ownHost = address.transport === "unix"
    ? "localhost"
    : formatHostPort(withoutZone(address.host), address.port);
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: ${host ?? ownHost}`,
    "Connection: close",
    "User-Agent: sockbal-health-check",
  ];
  return new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
}

function judgeStatus(
  status: ReturnType<typeof finalStatus>,
  answer: string,
  { expectStatus }: HttpCheck,
): CheckResult | undefined {
  if (status === "incomplete") return undefined;
  if (status === "not HTTP") return { ok: false, saw: `answered ${excerpt(answer)}, which is not HTTP` };
  return { ok: expectStatus.some(({ from, to }) => from <= status && status <= to), saw: `HTTP ${status}` };
}

/**
 * The status in the beginning of an answer.
 *
 * Interim responses are passed over (RFC 9110, 15.2), all but 101, after which it is HTTP no more.
 */
export function finalStatus(answer: string): number | "incomplete" | "not HTTP" {
  for (let start = 0;;) {
    const end = answer.indexOf("\n", start);
    const line = answer.slice(start, end === -1 ? undefined : end);
    const isBegun = STATUS_LINE_BEGINNING.startsWith(line.slice(0, STATUS_LINE_BEGINNING.length));
    if (!isBegun || line.length > MAX_STATUS_LINE_BYTES) return "not HTTP";
    if (end === -1) return "incomplete";
    const status = Number(STATUS_LINE.exec(line)?.[1]);
    if (Number.isNaN(status)) return "not HTTP";
    if (status >= 200 || status === 101) return status;
    const rest = /\n\r?\n/g;
    rest.lastIndex = end;
    if (!rest.test(answer)) return "incomplete";
    start = rest.lastIndex;
  }
}

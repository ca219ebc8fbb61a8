/** Something sent to a backend, and its answer, of which any part may be enough. */

import { writeAll } from "../core/connection.ts";
import { type CheckResult, excerpt, within } from "./check.ts";
import { describeDialFault } from "../engine/dial_fault.ts";
import type { StreamSocket } from "../engine/contract.ts";
import type { Deadline } from "./deadline.ts";
import { describeAlert } from "./tls_opening.ts";

/** What is said, and what is made of the answer. */
export interface Conversation {
  /** May be empty. */
  readonly send: Uint8Array;
  /** No more of an answer is looked at. */
  readonly maxAnswerBytes: number;
  /** Sent when the answer has decided, before the connection is closed; may be empty. */
  readonly quit: Uint8Array;
  /**
   * Is asked after every piece of the answer, about all that has come.
   *
   * Many small pieces do not cost a look each: what arrives during a look comes with the next one.
   *
   * @return Undefined as long as it depends on what comes next.
   */
  judge(answer: string): CheckResult | undefined;
}

/** How long a backend may take to end its answer when it has decided already, and how much of it is taken. */
const LEAVE_MS = 250;
const LEAVE_BYTES = 16 * 1024;

/**
 * Sends, and reads until the answer decides, ends, is too long, or the time is up. Reports that at once, then takes leave.
 * Never rejects.
 *
 * The connection belongs to it now, and is closed when it resolves.
 */
export async function converse(
  conn: StreamSocket,
  conversation: Conversation,
  deadline: Deadline,
  report: (result: CheckResult) => void,
): Promise<void> {
  const { send, quit } = conversation;
  let hasReported = false;
  const close = (): void => conn.close();
  const onEnd = (): void => {
    if (hasReported || !deadline.isTimeUp || quit.length === 0) return close();
    // Nothing but closing ends the read, so the good-bye comes before.
    void say(conn, quit, close).finally(close);
  };
  deadline.signal.addEventListener("abort", onEnd);
  if (deadline.signal.aborted) close();
  // Whatever comes of it: a backend that speaks without listening has answered all the same, and if the connection is
  // broken the reads will find it.
  const sending = writeAll(conn, send).catch(() => {});
  try {
    const result = await hear(conn, conversation, deadline);
    hasReported = true;
    report(result);
    if (!deadline.signal.aborted) await takeLeave(conn, quit, close);
  } finally {
    close();
    await sending;
  }
}

/**
 * Says good-bye and reads on to the end of a short answer: closing before it has come makes the system reset the connection,
 * and backends log that as an error.
 */
async function takeLeave(conn: StreamSocket, quit: Uint8Array, close: () => void): Promise<void> {
  const timer = setTimeout(close, LEAVE_MS);
  const buffer = new Uint8Array(4 * 1024);
  try {
    await writeAll(conn, quit);
    for (let left = LEAVE_BYTES; left > 0;) {
      // deno-lint-ignore no-await-in-loop -- an answer is read in order
      const filled = await conn.read(buffer);
      if (filled === null) return;
      left -= filled;
    }
  } catch {
    // It has gone, or is too slow; the check is over in any case.
  } finally {
    clearTimeout(timer);
  }
}

/** Writes as much as the backend takes in a moment. Never rejects. */
async function say(conn: StreamSocket, words: Uint8Array, close: () => void): Promise<void> {
  const timer = setTimeout(close, LEAVE_MS);
  await writeAll(conn, words).catch(() => {});
  clearTimeout(timer);
}

async function hear(
  conn: StreamSocket,
  { maxAnswerBytes, judge }: Conversation,
  deadline: Deadline,
): Promise<CheckResult> {
  // A byte order mark is no part of any answer that is waited for; it must not be passed over.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const buffer = new Uint8Array(maxAnswerBytes);
  let answer = "";
  try {
    for (let left = maxAnswerBytes; left > 0;) {
      // deno-lint-ignore no-await-in-loop -- an answer is read in order
      const filled = await conn.read(buffer.subarray(0, left));
      if (filled === null) return failure(answer, "closed without an answer", "then closed");
      left -= filled;
      answer += decoder.decode(buffer.subarray(0, filled), { stream: true });
      const result = judge(answer);
      if (result !== undefined) return result;
    }
    return { ok: false, saw: `answered ${excerpt(answer)}, not as expected in ${maxAnswerBytes / 1024} KiB` };
  } catch (error) {
    if (deadline.isTimeUp) {
      const time = within(deadline.timeoutMs);
      return failure(answer, `no answer ${time}`, `not as expected ${time}`);
    }
    const reason = describeAlert(error) ?? describeDialFault(error);
    return failure(answer, reason, `then ${reason}`);
  }
}

/** What is seen when nothing was answered, and what follows an answer when something was. */
function failure(answer: string, withoutAnswer: string, afterAnswer: string): CheckResult {
  return { ok: false, saw: answer === "" ? withoutAnswer : `answered ${excerpt(answer)}, ${afterAnswer}` };
}

/** Something sent to a backend, and its answer, of which any part may be enough. */

import { writeAll } from "../core/connection.ts";
import { type CheckResult, excerpt, within } from "./check.ts";
import { describeFailure } from "./connect.ts";
import type { Deadline } from "./deadline.ts";

/** What is said, and what is made of the answer. */
export interface Conversation {
  /** May be empty. */
  readonly send: Uint8Array;
  /** No more of an answer is looked at. */
  readonly maxAnswerBytes: number;
  /**
   * Is asked after every piece of the answer, about all that has come.
   *
   * Many small pieces do not cost a look each: what arrives during a look comes with the next one.
   *
   * @return Undefined as long as it depends on what comes next.
   */
  judge(answer: string): CheckResult | undefined;
}

/**
 * Sends, and reads until the answer decides, ends, is too long, or the time is up. Never rejects.
 *
 * The connection belongs to it now, and is closed at the end.
 */
export async function converse(
  conn: Deno.Conn,
  conversation: Conversation,
  deadline: Deadline,
): Promise<CheckResult> {
  const close = (): void => conn[Symbol.dispose]();
  // Nothing else ends a read; it fails then.
  deadline.signal.addEventListener("abort", close);
  if (deadline.signal.aborted) close();
  // Whatever comes of it: a backend that speaks without listening has answered all the same, and if the connection is
  // broken the reads will find it.
  const sending = writeAll(conn, conversation.send).catch(() => {});
  try {
    return await hear(conn, conversation, deadline);
  } finally {
    close();
    await sending;
  }
}

async function hear(
  conn: Deno.Conn,
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
    const reason = describeFailure(error);
    return failure(answer, reason, `then ${reason}`);
  }
}

/** What is seen when nothing was answered, and what follows an answer when something was. */
function failure(answer: string, withoutAnswer: string, afterAnswer: string): CheckResult {
  return { ok: false, saw: answer === "" ? withoutAnswer : `answered ${excerpt(answer)}, ${afterAnswer}` };
}

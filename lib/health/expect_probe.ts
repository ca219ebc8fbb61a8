/** A check that sends a text and waits for another: for protocols of which a line or two is enough to know. */

import { compileExpectation } from "../core/expectation.ts";
import { excerpt, type ExpectCheck } from "./check.ts";
import type { Conversation } from "./conversation.ts";

/** What is expected stands in the beginning of an answer, or it is not there. */
const MAX_ANSWER_BYTES = 16 * 1024;

/**
 * Prepares the conversation, which is the same every time.
 *
 * Whatever comes is decoded as UTF-8. It is enough, and final, that what is expected is in what has come so far.
 *
 * @throws {InputError} as `compileExpectation` does.
 */
export function prepareExpect(check: ExpectCheck): Conversation {
  const isExpected = compileExpectation(check.expect);
  return {
    send: new TextEncoder().encode(check.send),
    maxAnswerBytes: MAX_ANSWER_BYTES,
    quit: new TextEncoder().encode(check.quit),
    judge: (answer) => isExpected(answer) ? { ok: true, saw: `answered ${excerpt(answer)}` } : undefined,
  };
}

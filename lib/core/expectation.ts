/**
 * What an answer must contain: a text as it stands, or a regular expression between slashes, as `/^\+(OK|PONG)/`.
 *
 * The answer comes from a backend, which may be anything, so regular expressions are those of RE2: they are matched in
 * time that grows with the answer and no faster, for which back-references and look-around are given up
 * (https://swtch.com/~rsc/regexp/regexp1.html).
 */

import { RE2JS, RE2JSSyntaxException } from "re2js";
import { InputError } from "./errors.ts";
import { quote } from "./quote.ts";

/** Whether the answer, or what has come of it so far, contains what is expected. */
export type Expectation = (answer: string) => boolean;

/** Longer than anything that is worth waiting for; it bounds the size of a compiled expression too. */
const MAX_EXPECTATION_CHARS = 1024;

/** Whether this is a regular expression rather than a text. */
export function isRegex(expectation: string): boolean {
  return expectation.length >= 2 && expectation.startsWith("/") && expectation.endsWith("/");
}

/**
 * Makes an expectation of what a user wrote.
 *
 * In a regular expression `^` and `$` are the ends of all that has come, and `(?i)`, `(?m)` and `(?s)` stand at its
 * beginning; slashes within need no backslash.
 *
 * @throws {InputError} with one sentence, when it is empty, too long, or no regular expression of RE2.
 */
export function compileExpectation(expectation: string): Expectation {
  if (expectation === "") throw new InputError("an empty text is in every answer; write what to wait for");
  if (expectation.length > MAX_EXPECTATION_CHARS) {
    throw new InputError(`longer than ${MAX_EXPECTATION_CHARS} characters; write the part that matters`);
  }
  if (!isRegex(expectation)) {
    refuseTrailingFlags(expectation);
    return (answer) => answer.includes(expectation);
  }
  const source = expectation.slice(1, -1);
  if (source === "") throw new InputError(`"//" is in every answer; write what to wait for`);
  const regex = compileRegex(source, expectation);
  return (answer) => regex.test(answer);
}

/** What is written so in other languages would be waited for, letter by letter, and never come. */
function refuseTrailingFlags(expectation: string): void {
  const [, source, flags] = /^\/(.+)\/([gims]{1,2})$/s.exec(expectation) ?? [];
  if (source === undefined || flags === undefined) return;
  const useful = [...new Set(flags)].filter((flag) => "ims".includes(flag)).join("");
  const inPlace = useful === "" ? source : `(?${useful})${source}`;
  throw new InputError(
    `${quote(expectation)}: flags do not follow a regular expression; write ${quote(`/${inPlace}/`)}`,
  );
}

function compileRegex(source: string, expectation: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    const given = `${quote(expectation)} is not a regular expression of RE2: `;
    // Anything else that is thrown is a fault of the library; to the user it is all the same.
    if (!(error instanceof RE2JSSyntaxException)) throw new InputError(`${given}it cannot be compiled`);
    const { error: fault, input: part } = error;
    const reason = beyondLinearTime(part ?? "");
    if (reason !== undefined) throw new InputError(given + reason);
    throw new InputError(given + (part ? `${fault} ${quote(part)}` : fault));
  }
}

/** The sentence for what other dialects know and no linear-time matcher can do. */
function beyondLinearTime(part: string): string | undefined {
  const rule = "which cannot be matched in linear time";
  if (/^\(\?<?[=!]/.test(part)) return `it looks ahead or back with ${quote(part.slice(0, 4))}, ${rule}`;
  if (/^\(\?P=|^\\[1-9k]/.test(part)) return `it refers back with ${quote(part)}, ${rule}`;
  return undefined;
}

/** Answers of servers that sources ask by HTTP: bounded in size, and their faults as sentences. */

import { reasonOf } from "../core/errors.ts";

/** What no answer has more of: that of 10,000 members with all that can be said of them. */
export const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** Reads the whole body, up to a limit. */
export async function readText(response: Response, maxBytes: number = MAX_ANSWER_BYTES): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let [text, size] = ["", 0];
  try {
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      if (size > maxBytes) throw new RangeError(`the answer is larger than ${maxBytes / 1024 / 1024} MiB`);
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw error instanceof TypeError && /utf-8|encoded data/i.test(error.message)
      ? new Error("the answer is not UTF-8 text")
      : error;
  }
}

/** Why a server could not be asked, in a few words; the runtime's own sentence repeats the URL and names its layers. */
export function whyNotAsked(error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) {
    const [, host] = /net access to "([^"]+)"/.exec(error.message) ?? [];
    return `sockbal was started without permission to ask it (--allow-net=${host ?? ""})`;
  }
  const text = chainOf(error);
  if (/dns error/i.test(text)) return "its name cannot be resolved";
  const [, certificate] = /invalid peer certificate: (\w+)/.exec(text) ?? [];
  if (certificate !== undefined) return `its certificate is refused: ${certificate}`;
  const [, known] = /(connection (?:refused|reset)|no route to host|network is unreachable)/i.exec(text) ??
    [];
  if (known !== undefined) return known.toLowerCase();
  if (/error reading a body|connection closed/i.test(text)) return "it has closed the connection";
  if (/timed? ?out/i.test(text)) return "it does not answer in time";
  return reasonOf(error).replace(/^.*: /s, "");
}

function chainOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.message} ${error.cause === undefined ? "" : chainOf(error.cause)}`;
}

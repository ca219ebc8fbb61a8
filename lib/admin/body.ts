/** The body of a request, as far as the admin side takes one: a little JSON. */

import { Refusal } from "./problem.ts";

/** Far more than any request needs. */
export const MAX_BODY_BYTES = 16 * 1024;

/**
 * Reads the body of a request as JSON; undefined when it is empty.
 *
 * @throws {Refusal} 413 when it is too large, 415 when it is said to be something else, 400 when it is no JSON.
 */
export async function readJson(request: Request): Promise<unknown> {
  const bytes = await readBytes(request);
  if (bytes.length === 0) return undefined;
  const type = (request.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new Refusal(415, "The body has to be JSON, with Content-Type: application/json.");
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Refusal(400, "The body is not JSON in UTF-8.");
  }
}

/** The whole body, which is given up as soon as it is known to be too large. */
async function readBytes(request: Request): Promise<Uint8Array> {
  const tooLarge = new Refusal(413, `The body may have at most ${MAX_BODY_BYTES} bytes.`);
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) throw tooLarge;
  const bytes = new Uint8Array(MAX_BODY_BYTES);
  let filled = 0;
  try {
    for await (const chunk of request.body ?? []) {
      if (filled + chunk.length > MAX_BODY_BYTES) throw tooLarge;
      bytes.set(chunk, filled);
      filled += chunk.length;
    }
  } catch (error) {
    if (error === tooLarge) throw error;
    throw new Refusal(400, "The body did not arrive whole.");
  }
  return bytes.subarray(0, filled);
}

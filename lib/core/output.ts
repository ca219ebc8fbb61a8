/** Writing to stdout, whose reader may have closed it. */

import { writeAll } from "./connection.ts";
import { reasonOf, RunError } from "./errors.ts";

/** The reader of stdout has closed it, as `head` does. Ends the program without an error. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/**
 * Writes to stdout.
 *
 * @throws {OutputClosed} when its reader has closed it, {@linkcode RunError} when a write fails, as on a full disk.
 */
export async function writeOut(
  bytes: Uint8Array,
  output: { write(bytes: Uint8Array): Promise<number> } = Deno.stdout,
): Promise<void> {
  try {
    await writeAll(output, bytes);
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) {
      throw new OutputClosed("stdout was closed", { cause: error });
    }
    throw new RunError(`stdout: ${reasonOf(error).toLowerCase()}`, { cause: error });
  }
}

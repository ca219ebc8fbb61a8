import type { Connection } from "../core/connection.ts";
import { reasonOf, RunError } from "../core/errors.ts";

/**
 * Reads some bytes of stdin; null at its end.
 *
 * @throws {RunError} when it cannot be read.
 */
export async function readInput(
  input: Pick<Connection, "read">,
  buffer: Uint8Array,
): Promise<number | null> {
  try {
    return await input.read(buffer);
  } catch (error) {
    throw new RunError(`stdin: ${reasonOf(error).toLowerCase()}`, { cause: error });
  }
}

/** Groups of users by their names, as the file /etc/group has them (group(5)); those of a directory service are in no file. */

import { RunError } from "./errors.ts";

/** What is read for it. */
export const GROUP_FILE = "/etc/group";

/**
 * The number of a group.
 *
 * @throws {RunError} when there is no such group, or the file cannot be read.
 */
export async function groupNumber(name: string, file: string = GROUP_FILE): Promise<number> {
  const quoted = JSON.stringify(name);
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    const why = error instanceof Deno.errors.NotCapable
      ? `sockbal was started without permission to read ${file} (--allow-read)`
      : `${file} cannot be read`;
    throw new RunError(`the group ${quoted} is not known: ${why}; write its number`, { cause: error });
  }
  for (const line of text.split("\n")) {
    const [known, , number = ""] = line.split(":");
    if (known === name && /^\d+$/.test(number)) return Number(number);
  }
  throw new RunError(`there is no group ${quoted} in ${file}; write another one, or its number`);
}

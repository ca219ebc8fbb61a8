/** Where the records of sessions go when it is not stderr: a file, or stdout. */

import { LogFile } from "../core/log_file.ts";
import { standardStreamOf } from "../core/standard_stream.ts";

/** As much of a {@linkcode LogFile} as a role uses. */
export type SessionLog = Pick<LogFile, "name" | "write" | "reopen" | "close">;

/** A stream stays as it is, whatever becomes of files. */
const STDOUT: SessionLog = {
  name: "stdout",
  write: (bytes) => Deno.stdout.write(bytes),
  reopen: () => Promise.resolve(),
  close: () => {},
};

/**
 * Opens what `log.file` says.
 *
 * @return Undefined for stderr, where everything else goes as well.
 * @throws {RunError} when it cannot be opened.
 */
export async function openSessionLog(path: string | undefined): Promise<SessionLog | undefined> {
  const stream = path === undefined ? "stderr" : standardStreamOf(path);
  if (path === undefined || stream === "stderr") return undefined;
  return stream === undefined ? await LogFile.open(path) : STDOUT;
}

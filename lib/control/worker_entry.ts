/**
 * Where the code of a data-plane worker is.
 *
 * In the source tree it is a module of its own. In a bundle everything is one file, which starts itself once more and
 * sees that it runs in a worker (main.ts).
 */

import { fileURLToPath } from "node:url";
import { RunError } from "../core/errors.ts";

/** Whether the program is one file, a bundle, rather than the source tree or an executable with the source tree in it. */
export const isOneFile: boolean = !import.meta.url.endsWith("/lib/control/worker_entry.ts");

/** The module that a worker starts from. */
export const workerEntry: string = isOneFile
  ? import.meta.url
  : import.meta.resolve("../dataplane/worker.ts");

/** The file or folder that must be readable to start a worker. */
export const workerModules: string = fileURLToPath(
  new URL(isOneFile ? import.meta.url : "../", import.meta.url),
);

/** Flags of Deno without which no worker starts; in the source tree deno.json has them. */
export const workerFlags: readonly string[] = isOneFile
  ? ["--unstable-net", "--unstable-worker-options"]
  : [];

/**
 * Makes sure that workers can be started; the runtime itself would say it with a stack trace.
 *
 * @throws {RunError} when their modules may not be read.
 */
export async function checkWorkerModules(): Promise<void> {
  if (Deno.build.standalone) return;
  const { state } = await Deno.permissions.query({ name: "read", path: workerModules });
  if (state === "granted") return;
  throw new RunError(
    `sockbal was started without permission to read its own modules (--allow-read=${workerModules})`,
  );
}

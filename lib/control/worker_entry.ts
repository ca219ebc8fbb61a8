/**
 * Where the code of a data-plane worker is.
 *
 * In the source tree it is a module of its own. In a bundle everything is one file, which starts itself once more and
 * sees that it runs in a worker (main.ts).
 */

import { fileURLToPath } from "node:url";

const isBundled = !import.meta.url.endsWith("/lib/control/worker_entry.ts");

/** The module that a worker starts from. */
export const workerEntry: string = isBundled
  ? import.meta.url
  : import.meta.resolve("../dataplane/worker.ts");

/** The file or folder that must be readable to start a worker. */
export const workerModules: string = fileURLToPath(
  new URL(isBundled ? import.meta.url : "../", import.meta.url),
);

/** Whether the limit of open files can carry what the configuration promises. */

import { parseListenAddress } from "../core/address.ts";
import type { Logger } from "../core/log.ts";
import { listenShared } from "../dataplane/listen.ts";
import type { Plan } from "./plan.ts";

/** A session holds a connection to its client and one to its backend. */
const FILES_PER_SESSION = 2;

/** What the program itself has open, in all its threads. */
const OWN_FILES = 64;

/**
 * Says so when fewer files can be opened than `max_connections` of all listeners may need.
 *
 * The runtime does not tell the limit, and raises the soft one to the hard one by itself; so as many duplicates of a
 * socket of our own are opened as would be needed, which takes some ten microseconds each, and closed again. For the
 * start only: a data plane that serves needs its descriptors. A listener without `max_connections` promises nothing.
 */
export async function checkOpenFiles(plan: Plan, log: Logger): Promise<void> {
  const sessions = plan.listeners.reduce((sum, listener) => sum + listener.maxConnections, 0);
  if (sessions === 0) return;
  const neededFiles = sessions * FILES_PER_SESSION + OWN_FILES;
  const possibleFiles = await countOpenable(neededFiles);
  if (possibleFiles === undefined || possibleFiles >= neededFiles) return;
  log.warn("open_files_too_few", {
    max_connections: sessions,
    needed_files: neededFiles,
    possible_files: possibleFiles,
    carries_connections: Math.max(0, Math.floor((possibleFiles - OWN_FILES) / FILES_PER_SESSION)),
    advice: `raise the limit (ulimit -n, LimitNOFILE) to ${neededFiles} or lower max_connections`,
  });
}

/** Where the duplicates listen: on a port of the system's choice, where nobody looks. */
export const PROBE_ADDRESS = parseListenAddress("127.0.0.1:0");

/** Undefined when there is no permission to try. */
async function countOpenable(wanted: number): Promise<number | undefined> {
  const opened: Deno.Listener[] = [];
  try {
    // deno-lint-ignore no-await-in-loop -- the point is how far one gets
    while (opened.length < wanted) opened.push(await listenShared(PROBE_ADDRESS, 1));
  } catch (error) {
    if (error instanceof Error && error.cause instanceof Deno.errors.NotCapable) return undefined;
  }
  for (const listener of opened) listener.close();
  return opened.length;
}

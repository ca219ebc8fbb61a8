/** Whether the limit of open files can carry what the configuration promises. */

import type { Address } from "../core/address.ts";
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
 * listening socket are opened as would be needed, which takes some ten microseconds each, and closed again. It is done
 * before anybody can connect. A listener without `max_connections` promises nothing.
 */
export async function checkOpenFiles(plan: Plan, log: Logger): Promise<void> {
  const sessions = plan.listeners.reduce((sum, listener) => sum + listener.maxConnections, 0);
  const address = plan.listeners.find((listener) => listener.address.transport === "tcp")?.address;
  if (sessions === 0 || address === undefined) return;
  const neededFiles = sessions * FILES_PER_SESSION + OWN_FILES;
  const possibleFiles = await countOpenable(address, neededFiles);
  if (possibleFiles >= neededFiles) return;
  log.warn("open_files_too_few", {
    max_connections: sessions,
    needed_files: neededFiles,
    possible_files: possibleFiles,
    carries_connections: Math.max(0, Math.floor((possibleFiles - OWN_FILES) / FILES_PER_SESSION)),
    advice: `raise the limit (ulimit -n, LimitNOFILE) to ${neededFiles} or lower max_connections`,
  });
}

async function countOpenable(address: Address, wanted: number): Promise<number> {
  const opened: Deno.Listener[] = [];
  try {
    // deno-lint-ignore no-await-in-loop -- the point is how far one gets
    while (opened.length < wanted) opened.push(await listenShared(address, 1));
  } catch {
    // This far and no further.
  }
  for (const listener of opened) listener.close();
  return opened.length;
}

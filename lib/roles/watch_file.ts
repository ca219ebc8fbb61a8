/** Notices that a file has changed. */

import { dirname, resolve } from "node:path";
import { log } from "../core/log.ts";
import { reasonOf } from "../core/errors.ts";

/** Editors write a file in several steps; this long after the last one it is taken to be whole. */
const SETTLE_MS = 150;

/**
 * Calls `changed` whenever the file has changed, until `stop`.
 *
 * The folder is watched rather than the file: an editor that writes a new file and renames it would be lost otherwise.
 */
export async function watchFile(file: string, changed: () => void, stop: AbortSignal): Promise<void> {
  const path = resolve(file);
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const watcher = Deno.watchFs(dirname(path), { recursive: false });
    stop.addEventListener("abort", () => watcher.close(), { once: true });
    for await (const event of watcher) {
      if (event.kind === "access" || !event.paths.some((it) => resolve(it) === path)) continue;
      clearTimeout(timer);
      timer = setTimeout(changed, SETTLE_MS);
    }
  } catch (error) {
    if (!stop.aborted) log.error("watch_failed", { file, reason: reasonOf(error) });
  } finally {
    clearTimeout(timer);
  }
}

/** Notices that a file has changed. */

import { dirname, resolve } from "node:path";
import { log } from "../core/log.ts";
import { reasonOf } from "../core/errors.ts";

/** Editors write a file in several steps; this long after the last one it is taken to be whole. */
const SETTLE_MS = 150;

/**
 * Calls `changed` whenever the text of the file has changed, until `stop`.
 *
 * Folders are watched rather than the file, that of its name and that of the file it stands for: an editor that writes a
 * new file and renames it would be lost otherwise, and so would a symbolic link that is set to another file.
 */
export async function watchFile(file: string, changed: () => void, stop: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    let text = await Deno.readTextFile(file);
    const folders = new Set([dirname(resolve(file)), dirname(await Deno.realPath(file))]);
    const watcher = Deno.watchFs([...folders], { recursive: false });
    stop.addEventListener("abort", () => watcher.close(), { once: true });
    const look = async (): Promise<void> => {
      const before = text;
      // Gone for a moment, perhaps; the reload would say so.
      text = await Deno.readTextFile(file).catch(() => before);
      if (text !== before) changed();
    };
    for await (const event of watcher) {
      if (event.kind === "access") continue;
      clearTimeout(timer);
      timer = setTimeout(() => void look(), SETTLE_MS);
    }
  } catch (error) {
    if (!stop.aborted) log.error("watch_failed", { file, reason: reasonOf(error) });
  } finally {
    clearTimeout(timer);
  }
}

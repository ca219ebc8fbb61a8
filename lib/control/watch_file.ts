// deno-lint-ignore-file no-await-in-loop -- one look after the other

/**
 * Notices that a file has changed, by looking at it.
 *
 * The system's own notices do not come for a file behind a bind mount, and they are lost with a folder that is removed, or
 * a link of the path that is set to another folder. A look costs a tenth of a millisecond and misses none of these.
 */

import { sleep } from "../core/sleep.ts";

/** How often the file is looked at. A change is read when it has been the same for two looks: it may be half written. */
const LOOK_EVERY_MS = 250;

/** Times of files are this coarse on some systems: within it a file may have changed twice and look the same. */
const FRESH_MS = 2_500;

/** A secret file that cannot be read for so long is gone; one that is removed and written anew is back before. */
const GONE_MS = 2_000;

export interface WatchFileOptions {
  readonly lookEveryMs?: number;
  /**
   * It is never read: whatever is done to it is a change, also where its text stays the same. Two changes within a second may look like
   * one (`ctime` has no more of Deno 2.9.6), so read it a second after it was told of. That it is gone for two seconds is a change as
   * well, which is told of once, and so is its return.
   */
  readonly isSecret?: boolean;
}

/**
 * Calls `changed` whenever the text of the file has changed, until `stop`. A file that cannot be read at the moment has not
 * changed, unless it is secret and stays so. Never rejects.
 */
export async function watchFile(
  file: string,
  changed: () => void,
  stop: AbortSignal,
  options: WatchFileOptions = {},
): Promise<void> {
  const watched: Watched = {
    look: () => look(file),
    read: ({ marks }) => options.isSecret ? Promise.resolve(marks) : readText(file),
  };
  await watch(watched, changed, stop, options);
}

/** What is watched: one file, or several as one. Neither function rejects; undefined is what cannot be read at the moment. */
export interface Watched {
  look(): Promise<Look | undefined>;
  /** What was seen then, to be compared. */
  read(seen: Look): Promise<string | undefined>;
}

/** As {@linkcode watchFile}. */
export async function watch(
  { look, read }: Watched,
  changed: () => void,
  stop: AbortSignal,
  { lookEveryMs = LOOK_EVERY_MS, isSecret = false }: WatchFileOptions = {},
): Promise<void> {
  const begun = await look();
  let text = begun === undefined ? undefined : await read(begun);
  // What was seen of the file when it was last read, and by the last look.
  let [known, last] = [undefined, undefined] as (string | undefined)[];
  let goneLooks = 0;
  for (; !stop.aborted; await sleep(lookEveryMs, stop)) {
    const seen = await look();
    goneLooks = seen === undefined ? goneLooks + 1 : 0;
    if (isSecret && text !== undefined && (goneLooks - 1) * lookEveryMs >= GONE_MS) {
      text = known = undefined;
      if (!stop.aborted) changed();
    }
    const isSettled = seen !== undefined && seen.marks === last;
    last = seen?.marks;
    if (!isSettled || (seen.marks === known && !seen.isFresh)) continue;
    const now = await read(seen);
    if (now === undefined) continue;
    known = seen.marks;
    if (now === text) continue;
    text = now;
    if (!stop.aborted) changed();
  }
}

/** What a look has seen. */
export interface Look {
  /** Changes with the file, whatever was done to it. */
  readonly marks: string;
  readonly isFresh: boolean;
}

/** What the path stands for now, through all links; undefined when it is no file. */
export async function look(file: string): Promise<Look | undefined> {
  try {
    const { isFile, dev, ino, mode, size, mtime, ctime } = await Deno.stat(file);
    // Reading a pipe would take away what is in it.
    if (!isFile) return undefined;
    const changedMs = Math.max(mtime?.getTime() ?? 0, ctime?.getTime() ?? 0);
    const marks = [dev, ino, mode, size, mtime?.getTime(), ctime?.getTime()].join(" ");
    return { marks, isFresh: Math.abs(Date.now() - changedMs) < FRESH_MS };
  } catch {
    return undefined;
  }
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(file);
  } catch {
    return undefined;
  }
}

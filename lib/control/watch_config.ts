/** Notices that a configuration has changed, of whatever files it consists. */

import { gather, type Gathered } from "../config/gather.ts";
import { filesOf } from "../config/glob.ts";
import { environment } from "../config/read.ts";
import { type Look, look, watch, type WatchFileOptions } from "./watch_file.ts";

/**
 * Calls `changed` whenever the text of one of its files has changed, and when a file comes to a folder or a pattern, or goes, until
 * `stop`. A file that is named and cannot be read at the moment has not changed. Never rejects.
 */
export async function watchConfig(
  path: string,
  changed: () => void,
  stop: AbortSignal,
  options: Omit<WatchFileOptions, "isSecret"> = {},
): Promise<void> {
  let known = await gathering(path);
  await watch(
    {
      look: () => known === undefined ? look(path) : lookAtAll(path, known),
      read: async () => {
        const now = await gathering(path);
        if (now !== undefined && !(known !== undefined && lacksFile(now, known))) known = now;
        return known?.text;
      },
    },
    changed,
    stop,
    options,
  );
}

/** Undefined when it cannot be read at the moment. */
async function gathering(path: string): Promise<Gathered | undefined> {
  return await gather(path, environment).catch(() => undefined);
}

/** Whether a file that is named could be read before and cannot now: it may be about to be written anew. */
function lacksFile(now: Gathered, before: Gathered): boolean {
  const [read, readBefore] = [now, before].map(({ files }) => new Set(files.map(({ name }) => name)));
  return now.named.some((path) => readBefore?.has(path) && !read?.has(path));
}

/** One look at everything; at what could not be read as well, since it may come. */
async function lookAtAll(path: string, { named, globs }: Gathered): Promise<Look | undefined> {
  const found = await Promise.all(globs.map((pattern) => filesOf(pattern).catch(() => [])));
  const paths = [...named, ...found.flat()];
  const looks = await Promise.all(paths.map(look));
  if (paths[0] === path && looks[0] === undefined) return undefined;
  return {
    marks: paths.map((it, i) => `${it} ${looks[i]?.marks}`).join("\n"),
    isFresh: looks.some((it) => it?.isFresh ?? false),
  };
}

// deno-lint-ignore-file no-await-in-loop -- one look after the other

/** A file that lists the members, replaced atomically or written in place. */

import { reasonOf } from "../core/errors.ts";
import { whyTooMany } from "../core/member_limit.ts";
import { sleep } from "../core/sleep.ts";
import type { Found, Member, Pause, Source } from "./source.ts";

export interface FileSourceOptions {
  readonly path: string;
  /** Reads the whole text. Throws an error whose message has a line for each fault. */
  readonly parse: (text: string) => readonly Member[];
  readonly pause?: Pause | undefined;
}

const LOOK_EVERY_MS = 250;

/** A text that changes from look to look may be half written. */
const SETTLED_LOOKS = 2;

/** A file that is gone for so many looks is not about to be replaced. */
const GONE_LOOKS = 8;

/** Enough for 10,000 members with everything that can be said of one. */
const MAX_BYTES = 4 * 1024 * 1024;

export function fileSource({ path, parse, pause = sleep }: FileSourceOptions): Source {
  return {
    follow: async (onFound, onTrouble, stop) => {
      // A text, or why there is none.
      let [known, last] = [undefined, undefined] as (string | undefined)[];
      let looks = 0;
      for (; !stop.aborted; await pause(LOOK_EVERY_MS, stop)) {
        const look = await lookAt(path);
        const seen = "text" in look ? `text ${look.text}` : `why ${look.why}`;
        looks = seen === last ? looks + 1 : 1;
        last = seen;
        const enough = known === undefined ? 1 : "text" in look ? SETTLED_LOOKS : GONE_LOOKS;
        if (stop.aborted || seen === known || looks < enough) continue;
        known = seen;
        if ("why" in look) onTrouble(`${path}: ${look.why}`);
        else tell(() => parse(look.text), onFound, onTrouble);
      }
    },
  };
}

function tell(
  read: () => readonly Member[],
  onFound: (found: Found) => void,
  onTrouble: (why: string) => void,
): void {
  try {
    const members = read();
    const tooMany = whyTooMany(members.length);
    if (tooMany === undefined) onFound({ members, refused: [] });
    else onTrouble(tooMany);
  } catch (error) {
    onTrouble(reasonOf(error));
  }
}

async function lookAt(path: string): Promise<{ readonly text: string } | { readonly why: string }> {
  try {
    const { isFile, isDirectory, size } = await Deno.stat(path);
    if (isDirectory) return { why: "is a directory; name the file in it" };
    if (!isFile) return { why: "is no regular file" };
    if (size > MAX_BYTES) return { why: "larger than 4 MiB; this is no list of members" };
    const bytes = await Deno.readFile(path);
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch (error) {
    return { why: whyNotReadable(path, error) };
  }
}

function whyNotReadable(path: string, error: unknown): string {
  if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
    return "no such file";
  }
  if (error instanceof Deno.errors.NotCapable) {
    return `sockbal was started without permission to read it (--allow-read=${path})`;
  }
  if (error instanceof Deno.errors.PermissionDenied) return "this user may not read it";
  return error instanceof TypeError ? "not UTF-8 text" : "cannot be read";
}

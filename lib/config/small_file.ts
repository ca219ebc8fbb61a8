/** Small text files that a configuration names: a token, certificates, keys. */

import { chunks } from "../core/connection.ts";

/** The text of a file, or why there is none, as the end of a sentence. */
export type SmallFile =
  | { readonly text: string; readonly mode: number | null }
  | { readonly why: string; readonly kind: "missing" | "too long" | "no file" | "refused" };

/** @param maxBytes What is longer is some other file; some files never end. */
export async function readSmallFile(path: string, maxBytes: number): Promise<SmallFile> {
  try {
    const { isFile, isDirectory, mode } = await Deno.stat(path);
    if (isDirectory) return { why: "is a directory; name the file in it", kind: "refused" };
    if (!isFile) return { why: "is no regular file", kind: "no file" };
    using file = await Deno.open(path);
    const decoder = new TextDecoder();
    let [text, bytes] = ["", 0];
    for await (const chunk of chunks(file)) {
      text += decoder.decode(chunk, { stream: true });
      bytes += chunk.length;
      if (bytes > maxBytes) return { why: "is far too long", kind: "too long" };
    }
    return { text, mode };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return { why: "no such file", kind: "missing" };
    }
    return { why: whyNotReadable(path, error), kind: "refused" };
  }
}

/** The end of a sentence. */
export function whyNotReadable(path: string, error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) {
    return `sockbal was started without permission to read it (--allow-read=${path})`;
  }
  if (error instanceof Deno.errors.PermissionDenied) return "this user may not read it";
  return "cannot be read";
}

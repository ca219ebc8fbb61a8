// deno-lint-ignore-file no-await-in-loop -- one folder after the other

/** Files by a pattern, as a shell finds them: `*` and `?` within a name, also of a folder; no `**`. */

import { join } from "node:path";
import { InputError } from "../core/errors.ts";
import { whyNotReadable } from "./small_file.ts";

/** Whether this is a pattern rather than a name. */
export function isGlob(path: string): boolean {
  return /[*?]/.test(path);
}

/** The folder that all files of a pattern are in, at whatever depth. */
export function folderOfGlob(pattern: string): string {
  const steps = pattern.split("/");
  const folder = steps.slice(0, steps.findIndex(isGlob)).join("/");
  return folder !== "" ? folder : pattern.startsWith("/") ? "/" : ".";
}

/**
 * Paths in the order of their names (code units); folders are left out. Empty also where the folder does not exist.
 *
 * @throws {InputError} when a folder cannot be looked into, or the pattern has `**`.
 */
export async function filesOf(pattern: string): Promise<string[]> {
  const steps = pattern.split("/");
  // It would match a folder less deep than is meant, and say nothing.
  if (steps.includes("**")) {
    throw new InputError(
      `${JSON.stringify(pattern)}: ** is not known; write one line for each depth, with *`,
    );
  }
  let found = [folderOfGlob(pattern)];
  for (let i = steps.findIndex(isGlob); i < steps.length; i++) {
    const isLast = i === steps.length - 1;
    const next = await Promise.all(found.map((folder) => pathsIn(folder, steps[i] ?? "", isLast)));
    found = next.flat();
  }
  return found.toSorted();
}

/** What in a folder fits one step of a pattern: files when it is the last, else folders. */
async function pathsIn(folder: string, step: string, isLast: boolean): Promise<string[]> {
  const fits = new RegExp(`^${regexOf(step)}$`, "s");
  const paths: string[] = [];
  try {
    for await (const { name, isDirectory, isSymlink } of Deno.readDir(folder)) {
      // As in a shell, what is hidden is meant only by a step that begins with a dot.
      if (!fits.test(name) || (name.startsWith(".") && !step.startsWith("."))) continue;
      const path = join(folder, name);
      const isFolder = isSymlink ? await isFolderAt(path) : isDirectory;
      if (isFolder !== isLast) paths.push(path);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return [];
    throw new InputError(`${folder}: ${whyNotReadable(folder, error)}`);
  }
  return paths;
}

async function isFolderAt(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isDirectory }) => isDirectory, () => false);
}

function regexOf(step: string): string {
  return step.replaceAll(/[\\^$.*+?()[\]{}|]/g, (sign) => {
    return sign === "*" ? ".*" : sign === "?" ? "." : `\\${sign}`;
  });
}

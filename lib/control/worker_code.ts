/**
 * The code of the workers as it was when the program was started.
 *
 * The runtime reads a worker's modules each time one is started. By then an upgrade may have replaced the files, and workers
 * of another version would run under this control plane; or the files are gone. So they are read once, at the start, and
 * workers that are started later run from memory.
 */

import { stripTypeScriptTypes } from "node:module";

/** An import or a re-export of a module beside this one, or one while the program runs. */
const IMPORT = /(^(?:import|export)\b[^"';]*?\bfrom |^import |\bimport\()"(\.{1,2}\/[^"]+)"/gm;

/**
 * Reads the modules of a worker.
 *
 * @param entry The module that it starts from, a `file:` URL.
 * @return Gives the URL of a copy in memory; it is made with the first call.
 */
export async function readWorkerCode(entry: string): Promise<() => string> {
  // The modules of an executable are in the executable.
  if (Deno.build.standalone) return () => entry;
  const texts = new Map<string, string>();
  await readModule(entry, texts);
  let url: string | undefined;
  return () => url ??= copyOf(entry, texts, new Map());
}

/** Adds the text of a module and of all that it imports. What comes from the runtime (`node:`) is not there to be read. */
async function readModule(module: string, texts: Map<string, string>): Promise<void> {
  if (texts.has(module)) return;
  texts.set(module, "");
  const text = await Deno.readTextFile(new URL(module));
  texts.set(module, text);
  if (!isTypeScript(module)) return;
  await Promise.all(
    [...text.matchAll(IMPORT)].map(([, , path = ""]) => readModule(new URL(path, module).href, texts)),
  );
}

/** The URL of a copy of a module, whose imports are copies as well. */
function copyOf(module: string, texts: ReadonlyMap<string, string>, copies: Map<string, string>): string {
  const known = copies.get(module);
  if (known !== undefined) return known;
  const text = texts.get(module) ?? "";
  // As TypeScript the runtime would keep what it has made of each copy in its cache on disk, under a name that never returns.
  const code = isTypeScript(module)
    ? stripTypeScriptTypes(text).replace(IMPORT, (_, head: string, path: string) => {
      return `${head}"${copyOf(new URL(path, module).href, texts, copies)}"`;
    })
    : text;
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  copies.set(module, url);
  return url;
}

/** In the source tree. A bundle is one file of JavaScript, which imports nothing but what comes from the runtime. */
function isTypeScript(module: string): boolean {
  return module.endsWith(".ts");
}

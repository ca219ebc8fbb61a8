// deno-lint-ignore-file no-await-in-loop -- one file after the other, in their order

/** All files of a configuration: the one that is named, or those of a folder, and what they include. */

import { dirname, isAbsolute, join } from "node:path";
import { InputError } from "../core/errors.ts";
import { readConfigText, readPartText, readsStdin, STDIN } from "./config_file.ts";
import { readDocument, unreadable, type YamlDocument } from "./document.ts";
import { fileId } from "./file_id.ts";
import type { PathFault } from "./findings.ts";
import { filesOf, folderOfGlob, isGlob } from "./glob.ts";
import { asList, asMap } from "./loose.ts";
import type { Environment } from "./variables.ts";

/** One file of a configuration. */
export interface ConfigFile {
  /** Its path, or how messages call it. */
  readonly name: string;
  /** What its relative paths are relative to. */
  readonly folder: string;
  /** Whether another file includes it, so that it has listeners and pools only. */
  readonly isIncluded: boolean;
  readonly document: YamlDocument;
  /** What is wrong with what it includes. */
  readonly faults: readonly PathFault[];
}

/** A configuration as it was found. */
export interface Gathered {
  /** In the order in which their listeners and pools count. */
  readonly files: readonly ConfigFile[];
  /** Changes with what the files say, and with which files there are. */
  readonly text: string;
  /** Paths of the files that are named themselves, those that could not be read as well. */
  readonly named: readonly string[];
  /** Patterns by which the others were found. */
  readonly globs: readonly string[];
}

/** The files of a folder that belong to a configuration. */
const IN_FOLDER = "*.yaml";

/** What must be readable to read a configuration again, and what comes to it meanwhile. */
export function readPathsOf({ named, globs }: Pick<Gathered, "named" | "globs">): string[] {
  return [...new Set([...named, ...globs.map(folderOfGlob)])];
}

/**
 * Reads all files of a configuration. Each is read once, also if it is included twice, or includes itself.
 *
 * @param path A file, a folder, or `-` for stdin.
 * @throws {InputError} when the file, or the folder, cannot be read; what is wrong with others is among their faults.
 */
export async function gather(path: string, environment: Environment): Promise<Gathered> {
  const gathering = new Gathering(environment);
  if (readsStdin(path)) await gathering.add(STDIN, ".", await readConfigText(path), false);
  else if (await isFolder(path)) await gathering.addFolder(path);
  else await gathering.addNamed(path);
  return gathering;
}

/** A text that stands in no file. Its relative paths are relative to the current folder; what it includes is not read. */
export function gatherText(name: string, text: string, environment: Environment): Gathered {
  const document = readDocument(text, environment);
  return {
    files: [{ name, folder: ".", isIncluded: false, document, faults: [] }],
    text,
    named: [],
    globs: [],
  };
}

async function isFolder(path: string): Promise<boolean> {
  // What is wrong with the path is said when it is read.
  return await Deno.stat(path).then(({ isDirectory }) => isDirectory, () => false);
}

class Gathering implements Gathered {
  readonly files: ConfigFile[] = [];
  readonly named: string[] = [];
  readonly globs: string[] = [];
  text = "";
  readonly #environment: Environment;
  /** Files that were read, by what the system knows them by. */
  readonly #seen = new Set<string>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Parts of one whole: any of them may have what belongs to the whole program. */
  async addFolder(folder: string): Promise<void> {
    const pattern = join(folder, IN_FOLDER);
    this.globs.push(pattern);
    const paths = await filesOf(pattern);
    if (paths.length === 0) {
      throw new InputError(
        `${folder}: is a directory with no file ${IN_FOLDER}; name a file, or put one there`,
      );
    }
    for (const path of paths) {
      if (await this.#isSeen(path)) continue;
      try {
        await this.add(path, folder, await readPartText(path), false);
      } catch (error) {
        const document = unreadable({ path: [], line: 1, column: 1, message: whyOf(error, path) });
        this.files.push({ name: path, folder, isIncluded: false, document, faults: [] });
      }
    }
  }

  async addNamed(path: string): Promise<void> {
    this.named.push(path);
    await this.#isSeen(path);
    await this.add(path, dirname(path), await readConfigText(path), false);
  }

  async add(name: string, folder: string, text: string, isIncluded: boolean): Promise<void> {
    this.text += `${name}\0${text}\0`;
    const read = readDocument(text, this.#environment);
    const document = isIncluded && isEmpty(text) ? { ...read, value: {}, faults: [] } : read;
    const faults: PathFault[] = [];
    this.files.push({ name, folder, isIncluded, document, faults });
    for (const [i, pattern] of asList(asMap(document.value).include).entries()) {
      if (typeof pattern !== "string" || pattern === "" || pattern.includes("\0")) continue;
      const included = await this.#include(isAbsolute(pattern) ? pattern : join(folder, pattern));
      faults.push(...included.map((message) => ({ path: ["include", i], message })));
    }
  }

  /** Adds what one entry includes; why it could not. */
  async #include(pattern: string): Promise<string[]> {
    const wanted = isGlob(pattern);
    (wanted ? this.globs : this.named).push(pattern);
    const faults: string[] = [];
    try {
      for (const path of wanted ? await filesOf(pattern) : [pattern]) {
        if (await this.#isSeen(path)) continue;
        try {
          await this.add(path, dirname(path), await readPartText(path), true);
        } catch (error) {
          faults.push(`${path}: ${whyOf(error, path)}`);
        }
      }
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      faults.push(error.message);
    }
    return faults;
  }

  async #isSeen(path: string): Promise<boolean> {
    const id = await fileId(path);
    const { size } = this.#seen;
    return this.#seen.add(id).size === size;
  }
}

/** An included file may have nothing but comments: what stood there was switched off. */
function isEmpty(text: string): boolean {
  return text.split(/[\r\n]/).every((line) => /^\uFEFF?\s*(#.*)?$/.test(line));
}

function whyOf(error: unknown, path: string): string {
  if (!(error instanceof InputError)) throw error;
  return error.message.replace(`${path}: `, "");
}

/** The files that a balancer writes: whether it can, and that none of them is a file that it reads. */

import { dirname, resolve } from "node:path";
import { whyNoLogFile, whyNoNewFile } from "../core/log_file.ts";
import { standardStreamOf } from "../core/standard_stream.ts";
import { fileId } from "./file_id.ts";
import type { PathFault } from "./findings.ts";
import { asMap, isMap, isPath } from "./loose.ts";
import { formatPath, type Path } from "./place.ts";

/** The keys whose value is the path of a file, wherever they stand. Not `state_file`, which is compared with all of these. */
const FILE_KEYS: readonly string[] = [
  "file",
  "token_file",
  "password_file",
  "cert",
  "key",
  "ca",
  "client_ca",
];

const LOG_FILE: Path = ["log", "file"];

/** A file that is to stay as it is, and how messages call it. */
interface UsedFile {
  readonly what: string;
  readonly file: string;
}

/**
 * The faults of `log.file` and `state_file`.
 *
 * @param folder What relative paths of the document are relative to.
 * @param configuration The paths of its own files.
 */
export async function writtenFileFaults(
  document: unknown,
  folder: string,
  configuration: readonly string[],
): Promise<PathFault[]> {
  const { log, state_file: stateFile } = asMap(document);
  const logFile = asMap(log).file;
  const used = [
    ...configuration.map((file) => ({ what: "the configuration", file: resolve(file) })),
    ...filesIn(document, [], folder),
  ];
  const read = used.filter(({ what }) => what !== formatPath(LOG_FILE));
  const checks = [
    [LOG_FILE, await whyNoLog(logFile, folder, read)],
    [["state_file"], await whyNoState(stateFile, folder, used)],
  ] as const;
  return checks.flatMap(([path, message]) => message === undefined ? [] : { path, message });
}

function filesIn(value: unknown, path: Path, folder: string): UsedFile[] {
  const entries = Array.isArray(value) ? [...value.entries()] : isMap(value) ? Object.entries(value) : [];
  return entries.flatMap(([step, it]) => {
    const at = [...path, step];
    return FILE_KEYS.includes(String(step)) && isPath(it)
      ? [{ what: formatPath(at), file: resolve(folder, it) }]
      : filesIn(it, at, folder);
  });
}

async function whyNoLog(
  file: unknown,
  folder: string,
  used: readonly UsedFile[],
): Promise<string | undefined> {
  if (!isPath(file)) return undefined;
  const stream = standardStreamOf(file);
  if (stream === "stdin") return "nothing can be written to stdin; write /dev/stdout, or the path of a file";
  if (stream !== undefined) return undefined;
  if (file === "-") return 'for stdout write /dev/stdout (for a file of that name "./-")';
  return await whyNotAt(resolve(folder, file), used, whyNoLogFile);
}

async function whyNoState(
  file: unknown,
  folder: string,
  used: readonly UsedFile[],
): Promise<string | undefined> {
  return isPath(file) ? await whyNotAt(resolve(folder, file), used, whyNoStateFile) : undefined;
}

async function whyNotAt(
  path: string,
  used: readonly UsedFile[],
  whyNot: (path: string) => Promise<string | undefined>,
): Promise<string | undefined> {
  const id = await fileId(path);
  const ids = await Promise.all(used.map(({ file }) => fileId(file)));
  const other = used[ids.indexOf(id)];
  if (other !== undefined) return `${path}: is the file of ${other.what}; write to another one`;
  const why = await whyNot(path);
  return why === undefined ? undefined : `${path}: ${why}`;
}

/** Each state is written as another file of the folder, which takes the place of the one before. */
async function whyNoStateFile(path: string): Promise<string | undefined> {
  try {
    const { isFile, isDirectory } = await Deno.stat(path);
    if (isDirectory) return "is a directory; name a file in it";
    if (!isFile) return "is no regular file";
  } catch {
    // It may come to be; what is in the way of that shows below.
  }
  const why = await whyNoNewFile(dirname(path));
  return why === undefined ? undefined : `${why} (${dirname(path)})`;
}

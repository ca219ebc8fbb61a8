/**
 * What only the files of this machine can tell about a configuration, looked at without starting anything: the token, the files
 * that are written, certificates and keys, the folders and paths of Unix sockets.
 *
 * Works on the plain document, as cross_checks.ts does, so that these faults are reported together with all others. What
 * cannot be tried because the program has not the permission is passed over.
 */

import { dirname, resolve } from "node:path";
import {
  parseDialAddress,
  parseListenAddress,
  TO_DIAL,
  TO_LISTEN_ON,
  whyPathTooLong,
} from "../core/address.ts";
import { RunError } from "../core/errors.ts";
import { groupNumber } from "../core/groups.ts";
import { whyNoNewFile } from "../core/log_file.ts";
import { whyNoSocketAt } from "../core/socket_file.ts";
import type { Findings, PathFault } from "./findings.ts";
import type { Path } from "./place.ts";
import { type KeyFiles, listenerKeyFiles, poolKeyFiles, readKeyFiles } from "./key_files.ts";
import { asList, asMap, isPath, parsedAddress } from "./loose.ts";
import { readToken } from "./token_file.ts";
import { writtenFileFaults } from "./written_files.ts";

/**
 * The faults and notes of a document.
 *
 * @param folder What its relative paths are relative to.
 * @param files The paths of its own files.
 */
export async function fileFindings(
  document: unknown,
  folder: string,
  files: readonly string[],
): Promise<Findings> {
  const { admin, listeners, pools } = asMap(document);
  const { token_file: tokenFile, listen: adminListen, group } = asMap(admin);
  const checks: Promise<PathFault[]>[] = [
    checked(["admin", "token_file"], whyNoToken(tokenFile, folder)),
    writtenFileFaults(document, folder, files),
    checked(["admin", "listen"], whyNoSocket(adminListen, folder)),
    checked(["admin", "group"], whyNoGroup(group)),
    ...asList(listeners).map((listener, i) => {
      return checked(["listeners", i, "listen"], whyNoSocket(asMap(listener).listen, folder));
    }),
    ...asList(listeners).map((listener, i) => {
      return checked(["listeners", i, "group"], whyNoGroup(asMap(listener).group));
    }),
    ...Object.entries(asMap(pools)).flatMap(([name, pool]) =>
      asList(asMap(pool).backends).map((backend, i) => {
        const path = ["pools", name, "backends", i];
        const isShort = typeof backend === "string";
        const why = whyNotDialable(isShort ? backend : asMap(backend).address, folder);
        return checked(isShort ? path : [...path, "address"], why);
      })
    ),
  ];
  const nowMs = Date.now();
  const keys = await Promise.all(keyFilesIn(document, folder).map((it) => readKeyFiles(it, nowMs)));
  return {
    faults: [...(await Promise.all(checks)).flat(), ...keys.flatMap(({ faults }) => faults)],
    notes: keys.flatMap(({ notes }) => notes),
  };
}

/** What is no path is a fault that is known already. */
function keyFilesIn(document: unknown, folder: string): KeyFiles[] {
  const { listeners, pools } = asMap(document);
  const fileIn = (path: unknown): string | undefined => isPath(path) ? resolve(folder, path) : undefined;
  const pairIn = (value: unknown): { cert: string | undefined; key: string | undefined } => {
    const { cert, key } = asMap(value);
    return { cert: fileIn(cert), key: fileIn(key) };
  };
  return [
    ...asList(listeners).map((listener, i) => {
      const { certificates, client_ca } = asMap(asMap(listener).tls);
      return listenerKeyFiles(["listeners", i], {
        certificates: asList(certificates).map(pairIn),
        clientCa: fileIn(client_ca),
      });
    }),
    ...Object.entries(asMap(pools)).map(([name, pool]) => {
      const { tls } = asMap(pool);
      return poolKeyFiles(["pools", name], { ...pairIn(tls), ca: fileIn(asMap(tls).ca) });
    }),
  ];
}

async function checked(path: Path, why: Promise<string | undefined>): Promise<PathFault[]> {
  const message = await why;
  return message === undefined ? [] : [{ path, message }];
}

async function whyNoGroup(group: unknown): Promise<string | undefined> {
  if (typeof group !== "string" || group === "") return undefined;
  try {
    await groupNumber(group);
    return undefined;
  } catch (error) {
    if (!(error instanceof RunError)) throw error;
    return error.cause instanceof Deno.errors.NotCapable ? undefined : error.message;
  }
}

async function whyNoToken(file: unknown, folder: string): Promise<string | undefined> {
  if (!isPath(file)) return undefined;
  try {
    await readToken(resolve(folder, file));
    return undefined;
  } catch (error) {
    if (error instanceof RunError) return error.message;
    throw error;
  }
}

/** Why a Unix socket cannot be made; undefined also for other addresses. */
async function whyNoSocket(listen: unknown, folder: string): Promise<string | undefined> {
  const address = parsedAddress(listen, parseListenAddress);
  if (address?.transport !== "unix") return undefined;
  const path = resolve(folder, address.path);
  const tooLong = whyPathTooLong(path, TO_LISTEN_ON);
  if (tooLong !== undefined) return `${path}: ${tooLong}`;
  try {
    const { isSocket, isDirectory } = await Deno.lstat(path);
    if (isDirectory) return `${path}: is a directory; name the socket in it`;
    if (!isSocket) {
      return `${path}: something that is no socket is there already; remove it, or use another path`;
    }
  } catch {
    // It is made at the start; whatever else is in the way shows below.
  }
  const why = await whyNoNewFile(dirname(path));
  return why === undefined ? undefined : `${dirname(path)}: ${why}`;
}

/** Why nothing can ever be dialled at the path of a Unix socket. Undefined when it may be, and for other addresses. */
async function whyNotDialable(dialled: unknown, folder: string): Promise<string | undefined> {
  const address = parsedAddress(dialled, parseDialAddress);
  if (address?.transport !== "unix") return undefined;
  const path = resolve(folder, address.path);
  const why = whyPathTooLong(path, TO_DIAL) ?? await whyNoSocketAt(path);
  return why === undefined ? undefined : `${path}: ${why}`;
}

/** Listening sockets: opened once in a process, and used by every thread by their number. */

import type { StreamAddress } from "../../core/address.ts";
import type { Keepalive } from "../contract.ts";
import { SystemError } from "./errno.ts";
import type { Libc } from "./libc.ts";
import { SO_REUSEADDR, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET } from "./linux.ts";
import { keepAlive, sendAtOnce, setOption } from "./options.ts";
import { encodeAddress } from "./sockaddr.ts";
import { zoneIndex } from "./zone_index.ts";

export interface ListeningOptions {
  readonly backlog: number;
  /** Connections that are accepted inherit it. */
  readonly keepalive: Keepalive;
  /** Called when the file of a Unix socket is there, and no one can connect yet. When it throws, the file is removed. */
  readonly onBound?: () => void;
}

/**
 * Listens; the caller closes the descriptor. Of a Unix socket the file stays behind then.
 *
 * @throws {SystemError}
 * @throws What `onBound` throws.
 */
export function openListening(libc: Libc, address: StreamAddress, options: ListeningOptions): number {
  const { family, bytes } = encodeAddress(address, zoneIndex(libc, address));
  const fd = libc.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new SystemError(libc.errno());
  if (address.transport === "tcp") {
    setOption(libc, fd, SOL_SOCKET, SO_REUSEADDR, 1);
    sendAtOnce(libc, fd);
    keepAlive(libc, fd, options.keepalive);
  }
  try {
    if (libc.bind(fd, bytes, bytes.length) < 0) throw new SystemError(libc.errno());
    // No one can connect before it listens.
    if (address.transport === "unix") bound(address.path, options.onBound);
    if (libc.listen(fd, options.backlog) < 0) throw new SystemError(libc.errno());
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function bound(path: string, onBound: ListeningOptions["onBound"]): void {
  try {
    onBound?.();
  } catch (error) {
    Deno.removeSync(path);
    throw error;
  }
}

/** Listening sockets that the process did not open: those of a balancer whose place it takes, or of the service manager. */

import { type Address, formatAddress } from "../core/address.ts";
import type { Holder } from "../core/overlap.ts";
import type { SocketFile } from "../core/socket_file.ts";
import { listensOn } from "../engine/epoll/given/listening_socket.ts";
import { openLibc } from "../engine/epoll/libc.ts";

export interface GivenSocket {
  readonly address: Address;
  /** For datagrams there may be several; none where the socket cannot be passed. */
  readonly descriptors: readonly number[];
  /** Whether another process listens with it too, and goes on when this one ends. */
  readonly isManaged: boolean;
  /** As the service manager calls it. */
  readonly name?: string;
  /** The file of a Unix socket that a balancer has opened, as the system made it. */
  readonly made?: SocketFile | undefined;
  /** What was set of that file. */
  readonly guard?: SocketFile | undefined;
}

export interface Given {
  readonly sockets: readonly GivenSocket[];
  /** What the listeners of the balancer before were settled at, by `listenKey`. */
  readonly settled: ReadonlyMap<string, readonly Address[]>;
}

/** A descriptor of the service manager, and how that calls it. */
export interface NamedDescriptor {
  readonly descriptor: number;
  readonly name: string;
}

/** The listening sockets among descriptors; the others are closed. */
export function socketsAmong(descriptors: readonly NamedDescriptor[]): {
  readonly sockets: readonly GivenSocket[];
  readonly unfit: readonly NamedDescriptor[];
} {
  const libc = openLibc();
  const sockets = new Map<string, GivenSocket & { descriptors: number[] }>();
  const unfit: NamedDescriptor[] = [];
  for (const it of descriptors) {
    const { descriptor, name } = it;
    const address = listensOn(libc, descriptor);
    const known = address && sockets.get(formatAddress(address));
    if (address === undefined) unfit.push(it);
    else if (known !== undefined) known.descriptors.push(descriptor);
    else sockets.set(formatAddress(address), { address, descriptors: [descriptor], isManaged: true, name });
  }
  for (const { descriptor } of unfit) libc.close(descriptor);
  libc.unload();
  return { sockets: [...sockets.values()], unfit };
}

/** As what is listened on already: a listener of the same address has it. */
export function holdersOf({ sockets }: Given): Holder[] {
  return sockets.map(({ address }) => {
    return { address, what: "a socket given to a listener", isStaying: false, isShareable: true };
  });
}

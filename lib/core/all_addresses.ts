/**
 * Listening on all addresses of this machine.
 *
 * A socket on `::` takes IPv4 as well where the system's default is so (`net.ipv6.bindv6only=0`). Where it is not, as on
 * Windows and with `bindv6only=1`, a second socket on `0.0.0.0` is needed. The runtime does not tell which of the two it
 * is, and has no option for it, so it is found out by listening.
 */

/** A socket that is bound to an address of this machine. */
export interface BoundSocket {
  readonly addr: Deno.Addr;
  close(): void;
}

/** Binds a socket to a host and port; throws the error of the runtime when it cannot be done. */
export type Bind<Socket extends BoundSocket> = (hostname: string, port: number) => Socket;

/** Port 0 gives a port that is free for IPv6; so often another one is tried when it is not free for IPv4. */
const PORT_TRIES = 10;

/** Listens for connections. */
export function listenTcp(hostname: string, port: number): Deno.TcpListener {
  return Deno.listen({ hostname, port });
}

/**
 * Binds to all addresses at a port, with as few sockets as that takes. The caller closes them.
 *
 * @throws The error of the runtime when it cannot be done.
 */
export function bindAll<Socket extends BoundSocket>(bind: Bind<Socket>, port: number): Socket[] {
  for (let tried = 1;; tried++) {
    const first = bindFirst(bind, port);
    const { hostname, port: chosen } = first.addr as Deno.NetAddr;
    if (hostname === "0.0.0.0") return [first];
    const second = tryIPv4(bind, chosen);
    if (second !== undefined) return [first, second];
    // In the way is either our own first socket, which then has IPv4 as well, or another program.
    first.close();
    const probe = tryIPv4(bind, chosen);
    probe?.close();
    if (probe !== undefined) return [bind("::", chosen)];
    if (port !== 0 || tried === PORT_TRIES) {
      throw Object.assign(new Deno.errors.AddrInUse("Another program has the port on IPv4"), {
        code: "EADDRINUSE",
      });
    }
  }
}

/** All addresses of IPv6, or of IPv4 on a machine without IPv6. */
function bindFirst<Socket extends BoundSocket>(bind: Bind<Socket>, port: number): Socket {
  try {
    return bind("::", port);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw error;
    return bind("0.0.0.0", port);
  }
}

/** Binds to all addresses of IPv4; undefined when the port is in use. The caller closes it. */
export function tryIPv4<Socket extends BoundSocket>(bind: Bind<Socket>, port: number): Socket | undefined {
  try {
    return bind("0.0.0.0", port);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  }
}

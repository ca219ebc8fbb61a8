/**
 * Listening on all addresses of this machine.
 *
 * A socket on `::` takes IPv4 as well where the system's default is so (`net.ipv6.bindv6only=0`). Where it is not, as on
 * Windows and with `bindv6only=1`, a second socket on `0.0.0.0` is needed. The runtime does not tell which of the two it
 * is, and has no option for it, so it is found out by listening.
 */

/** Port 0 gives a port that is free for IPv6; so often another one is tried when it is not free for IPv4. */
const PORT_TRIES = 10;

/**
 * Listens on all addresses at a port, with as few sockets as that takes. The caller closes them.
 *
 * @throws The error of the runtime when it cannot be done.
 */
export function listenOnAll(port: number): Deno.TcpListener[] {
  for (let tried = 1;; tried++) {
    const first = listenOnFirst(port);
    if (first.addr.hostname === "0.0.0.0") return [first];
    const second = tryIPv4(first.addr.port);
    if (second !== undefined) return [first, second];
    // In the way is either our own first socket, which then has IPv4 as well, or another program.
    first.close();
    const probe = tryIPv4(first.addr.port);
    probe?.close();
    if (probe !== undefined) return [Deno.listen({ hostname: "::", port: first.addr.port })];
    if (port !== 0 || tried === PORT_TRIES) {
      throw Object.assign(new Deno.errors.AddrInUse("Another program has the port on IPv4"), {
        code: "EADDRINUSE",
      });
    }
  }
}

/** All addresses of IPv6, or of IPv4 on a machine without IPv6. */
function listenOnFirst(port: number): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: "::", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw error;
    return Deno.listen({ hostname: "0.0.0.0", port });
  }
}

/** Listens on all addresses of IPv4; undefined when the port is in use. The caller closes it. */
export function tryIPv4(port: number): Deno.TcpListener | undefined {
  try {
    return Deno.listen({ hostname: "0.0.0.0", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  }
}

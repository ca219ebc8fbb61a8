/**
 * Whether this machine has IPv6 at all. Where it is switched off, as in many containers (`net.ipv6.conf.all.disable_ipv6=1`), a
 * dial over it fails as it does when no local port is left; but that lasts, so it has to be told apart.
 *
 * @return True as well when it cannot be found out for want of permission to listen on `[::1]`.
 */
export function hasIPv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.AddrNotAvailable);
  }
}

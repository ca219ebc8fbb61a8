import { formatHostPort, type IpAddress } from "./address.ts";

/** One end of a connection or flow, as the system tells it; the clients of a Unix socket have no address. */
export type Endpoint = IpAddress | { readonly transport: "unix" };

/** As `ip:port`, or `unix`. */
export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.transport === "unix" ? "unix" : formatHostPort(endpoint.host, endpoint.port);
}

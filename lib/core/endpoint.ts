import { formatHostPort, type TcpAddress } from "./address.ts";

/** One end of a connection, as the system tells it; the clients of a Unix socket have no address. */
export type Endpoint = TcpAddress | { readonly transport: "unix" };

/** As `ip:port`, or `unix`. */
export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.transport === "tcp" ? formatHostPort(endpoint.host, endpoint.port) : "unix";
}

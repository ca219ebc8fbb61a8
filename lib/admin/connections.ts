/**
 * The connections of the admin side, bounded: each holds a descriptor, and descriptors are what sessions live on.
 *
 * A connection that asks for nothing makes room for the next one. When all are at work, the newcomer is closed.
 */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** As many as a page in several browsers, a few scrapers and a script have at once. */
export const MAX_ADMIN_CONNECTIONS = 32;

/**
 * Connections that the kernel keeps waiting. The runtime accepts all of them in one turn, before any has been closed, and when it
 * runs out of descriptors meanwhile its HTTP server accepts none ever after (Deno 2.9.6).
 */
export const ADMIN_BACKLOG = 32;

/** Keeps at most `limit` connections of a server open. */
export function boundConnections(server: Server, limit: number): void {
  /** Requests under way by connection, in the order in which the connections came or were last used. */
  const open = new Map<Socket, number>();

  server.on("connection", (socket: Socket) => {
    if (open.size >= limit) idlest(open)?.destroy();
    if (open.size >= limit) socket.destroy();
    else open.set(socket, 0);
    socket.once("close", () => open.delete(socket));
  });

  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    open.set(socket, (open.get(socket) ?? 0) + 1);
    response.once("close", () => {
      const underWay = open.get(socket);
      if (underWay === undefined) return;
      open.delete(socket);
      open.set(socket, underWay - 1);
    });
  });
}

/** The connection that has had nothing to do for the longest time. It is no longer counted. */
function idlest(open: Map<Socket, number>): Socket | undefined {
  for (const [socket, underWay] of open) {
    if (underWay > 0) continue;
    open.delete(socket);
    return socket;
  }
  return undefined;
}

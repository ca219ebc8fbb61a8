/** Handlers that say one line and close, whatever comes. */

import { type Connection, writeAll } from "../core/connection.ts";
import type { HandlerContext } from "./handler.ts";

/** Sends the name of the server. */
export async function whoami(connection: Connection, { name }: HandlerContext): Promise<void> {
  await writeAll(connection, new TextEncoder().encode(`${name}\n`));
}

/** Sends the time (RFC 867 leaves the form open; this is ISO 8601). */
export async function daytime(connection: Connection, { now }: HandlerContext): Promise<void> {
  await writeAll(connection, new TextEncoder().encode(`${now().toISOString()}\n`));
}

/** Handlers that say one line and close, whatever comes. */

import { type Connection, writeAll } from "../core/connection.ts";
import type { HandlerContext } from "./handler.ts";

/** Sends the name of the server. */
export async function whoami(connection: Connection, context: HandlerContext): Promise<void> {
  await writeAll(connection, new TextEncoder().encode(whoamiText(context)));
}

/** Sends the time (RFC 867 leaves the form open; this is ISO 8601). */
export async function daytime(connection: Connection, context: HandlerContext): Promise<void> {
  await writeAll(connection, new TextEncoder().encode(daytimeText(context)));
}

export function whoamiText({ name }: HandlerContext): string {
  return `${name}\n`;
}

export function daytimeText({ now }: HandlerContext): string {
  return `${now().toISOString()}\n`;
}

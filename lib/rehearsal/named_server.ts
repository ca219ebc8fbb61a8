/** A server of a rehearsal. */

import type { Log } from "../core/log.ts";
import { GOOD } from "../core/misbehaviour.ts";
import { http } from "../respond/http.ts";
import { type MisbehavingServer, startMisbehavingServer } from "../respond/misbehaving_server.ts";
import type { ServerSettings } from "./plan_schema.ts";

export interface NamedServer extends MisbehavingServer {
  readonly name: string;
}

/**
 * Starts it. It answers HTTP with its name, which tells the load who has answered.
 *
 * @throws {RunError} when it cannot listen.
 */
export async function startNamedServer(settings: ServerSettings, log: Log): Promise<NamedServer> {
  const { name, listen, misbehaviour } = settings;
  const server = await startMisbehavingServer({
    ...{ listen, name, log, handler: http, maxConnections: 0, idleTimeoutMs: 0 },
    misbehaviour: { ...GOOD, ...misbehaviour },
  });
  return { ...server, name };
}

/** Servers that misbehave, in the process of the test. */

import { parseListenAddress } from "../../lib/core/address.ts";
import { GOOD, type Misbehaviour } from "../../lib/core/misbehaviour.ts";
import type { Handler } from "../../lib/respond/handler.ts";
import { handlers } from "../../lib/respond/handlers.ts";
import {
  type MisbehavingServer,
  type MisbehavingServerOptions,
  startMisbehavingServer,
} from "../../lib/respond/misbehaving_server.ts";
import { type MemoryLog, memoryLog } from "./memory_log.ts";

export interface TestServer extends AsyncDisposable {
  readonly server: MisbehavingServer;
  readonly address: string;
  readonly port: number;
  readonly log: MemoryLog;
}

/** A server on a port of the system's choice. */
export async function startMisbehaving(
  handler: keyof typeof handlers | Handler,
  misbehaviour: Partial<Misbehaviour>,
  options: Partial<MisbehavingServerOptions> = {},
): Promise<TestServer> {
  const log = memoryLog();
  const server = await startMisbehavingServer({
    listen: parseListenAddress("127.0.0.1:0"),
    handler: typeof handler === "string" ? handlers[handler] : handler,
    name: "me",
    maxConnections: 0,
    idleTimeoutMs: 0,
    misbehaviour: { ...GOOD, ...misbehaviour },
    log: log.log,
    ...options,
  });
  return {
    server,
    address: server.address,
    port: Number(server.address.split(":").at(-1)),
    log,
    [Symbol.asyncDispose]: async () => void await server.stop(),
  };
}

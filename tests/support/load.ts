/** Loads in the process of the test, and servers for them. */

import type { EngineName } from "../../lib/config/engine_names.ts";
import { type Address, parseConnectAddress, parseListenAddress } from "../../lib/core/address.ts";
import { enginePermissions } from "../../lib/control/engine_host.ts";
import { socketPermissions, workerPermissions } from "../../lib/control/permissions.ts";
import type { LoadPlan } from "../../lib/load/plan.ts";
import { type LoadResult, runLoad } from "../../lib/load/run_load.ts";
import type { Second } from "../../lib/load/seconds.ts";
import type { Handler } from "../../lib/respond/handler.ts";
import { handlers } from "../../lib/respond/handlers.ts";
import { type ServerOptions, startServer } from "../../lib/respond/server.ts";
import { PLAN } from "../load/fake_driver.ts";
import { memoryLog } from "./memory_log.ts";

export interface LoadTestOptions extends Partial<LoadPlan> {
  readonly workers?: number;
  readonly stop?: AbortSignal;
  readonly onSecond?: (second: Second) => void;
}

/** Loads an address, with the permissions that the client gives its threads. */
export async function load(
  engine: EngineName,
  address: string,
  options: LoadTestOptions,
): Promise<LoadResult> {
  const { workers = 1, stop = new AbortController().signal, onSecond = () => {}, ...plan } = options;
  const target: Address = parseConnectAddress(address);
  const permissions = engine === "epoll"
    ? { net: [], read: [], write: [], ...await enginePermissions(engine) }
    : socketPermissions({ listens: [], dials: [target], subnets: [] });
  return await runLoad({
    plan: { ...PLAN, addresses: [target], ...plan },
    engine,
    workers,
    entry: import.meta.resolve("../../lib/load/loader.ts"),
    permissions: workerPermissions(permissions),
    stop,
    onSecond,
  });
}

export interface LoadedServer extends AsyncDisposable {
  readonly address: string;
}

/** A server of this program, or with a handler of the test. */
export async function serve(
  handler: keyof typeof handlers | Handler,
  options: Partial<ServerOptions> & { readonly at?: string } = {},
): Promise<LoadedServer> {
  const { at = "127.0.0.1:0", ...others } = options;
  const server = await startServer({
    listen: parseListenAddress(at),
    handler: typeof handler === "string" ? handlers[handler] : handler,
    name: "one",
    maxConnections: 0,
    idleTimeoutMs: 0,
    log: memoryLog().log,
    ...others,
  });
  return { address: server.address, [Symbol.asyncDispose]: async () => void await server.stop() };
}

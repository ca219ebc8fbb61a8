/** A balancer of the real kind, with its workers, in the process of the test. */

import { type Balancer, startBalancer } from "../../lib/control/balancer.ts";
import { type Config, configSchema } from "../../lib/config/schema.ts";
import type { SessionRecord } from "../../lib/dataplane/record.ts";
import { type MemoryLog, memoryLog } from "./memory_log.ts";

export interface TestBalancerOptions {
  readonly backends: readonly (string | { address: string; name: string })[];
  /** Keys of the listener, as in balancer.yaml. */
  readonly listener?: Record<string, unknown>;
  /** Keys of the pool, as in balancer.yaml. */
  readonly pool?: Record<string, unknown>;
  readonly workers?: number;
  readonly shutdownTimeout?: string;
  readonly workerEntry?: string;
}

export interface TestBalancer extends AsyncDisposable {
  readonly port: number;
  readonly balancer: Balancer;
  readonly log: MemoryLog;
  /** The record of the session with this client port, as soon as it is there. */
  recordOf(clientPort: number): Promise<SessionRecord>;
  /** Records so far. */
  records(): SessionRecord[];
  /** Waits until there are so many records. */
  waitForRecords(count: number): Promise<SessionRecord[]>;
  stop(): Promise<number>;
}

/** A configuration with one listener on a free port and one pool. */
export function testConfig(options: TestBalancerOptions): Config {
  return configSchema.parse({
    listeners: [{ name: "web", listen: "127.0.0.1:0", pool: "web", ...options.listener }],
    pools: { web: { backends: options.backends, ...options.pool } },
    workers: options.workers ?? 2,
    shutdown_timeout: options.shutdownTimeout ?? "5s",
  });
}

export async function startTestBalancer(options: TestBalancerOptions): Promise<TestBalancer> {
  const log = memoryLog();
  const { workerEntry } = options;
  const balancer = await startBalancer({
    config: testConfig(options),
    log: log.log,
    ...(workerEntry === undefined ? {} : { workerEntry }),
  });
  let stopping: Promise<number> | undefined;
  const stop = (): Promise<number> => stopping ??= balancer.stop();
  const records = (): SessionRecord[] => {
    return log.events.filter((it) => it.event === "session").map((it) =>
      it.fields as unknown as SessionRecord
    );
  };
  return {
    port: Number(balancer.addresses[0]?.split(":").at(-1)),
    balancer,
    log,
    records,
    recordOf: async (clientPort) => {
      const event = await log.waitFor("session", (fields) => fields.client === `127.0.0.1:${clientPort}`);
      return event.fields as unknown as SessionRecord;
    },
    waitForRecords: async (count) => {
      if (records().length < count) await log.waitFor("session", () => records().length >= count);
      return records();
    },
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
    },
  };
}

/** The port of this side of a connection. */
export function localPort(conn: Deno.TcpConn): number {
  return conn.localAddr.port;
}

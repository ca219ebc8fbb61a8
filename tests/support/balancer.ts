// deno-lint-ignore-file no-await-in-loop -- a condition is looked at again and again

/** A balancer of the real kind, with its workers, in the process of the test. */

import { type Balancer, startBalancer } from "../../lib/control/balancer.ts";
import type { DiscoveryOptions } from "../../lib/control/membership.ts";
import type { Names } from "../../lib/control/names.ts";
import { type Config, configSchema } from "../../lib/config/schema.ts";
import type { WorkerPatience } from "../../lib/control/worker_patience.ts";
import type { SessionRecord } from "../../lib/dataplane/record.ts";
import { type MemoryLog, memoryLog } from "./memory_log.ts";
import { asRow } from "./rows.ts";

const ADMIN = { transport: "tcp", host: "127.0.0.1", port: 0 } as const;

export interface TestBalancerOptions {
  readonly backends: readonly (string | Record<string, unknown>)[];
  /** Keys of the listener, as in balancer.yaml. */
  readonly listener?: Record<string, unknown>;
  /** Listeners besides that one, as in balancer.yaml. */
  readonly otherListeners?: readonly Record<string, unknown>[];
  /** Keys of the pool, as in balancer.yaml. */
  readonly pool?: Record<string, unknown>;
  /** Pools besides the one of the listener, as in balancer.yaml. */
  readonly otherPools?: Record<string, unknown>;
  readonly engine?: "runtime" | "epoll";
  readonly confinement?: "best_effort" | "required";
  readonly workers?: number;
  readonly shutdownDelay?: string;
  readonly shutdownTimeout?: string;
  /** Keys of the log, as in balancer.yaml. */
  readonly logging?: Record<string, unknown>;
  readonly workerEntry?: string;
  readonly patience?: WorkerPatience;
  readonly tallySessions?: boolean;
  /** What names of backends stand for, and how long it waits before it asks again. */
  readonly names?: Names;
  readonly sleep?: (ms: number, stop: AbortSignal) => Promise<void>;
  readonly discovery?: DiscoveryOptions;
}

export interface TestBalancer extends AsyncDisposable {
  readonly port: number;
  /** Of all listeners, in their order. */
  readonly ports: readonly number[];
  readonly balancer: Balancer;
  readonly log: MemoryLog;
  /** The record of the session with this client port, as soon as it is there. */
  recordOf(clientPort: number): Promise<SessionRecord>;
  /** Waits until the client with this port was accepted: before that, one that resets leaves no record. */
  accepted(clientPort: number): Promise<void>;
  /** Sessions that hold a slot at a backend, by its place in the pool. */
  active(backend: number): number;
  /** Sessions that wait in the queue of the pool. */
  queued(): number;
  /** Records so far. */
  records(): SessionRecord[];
  /** Waits until there are so many records. */
  waitForRecords(count: number): Promise<SessionRecord[]>;
  /** The first call decides how. */
  stop(hurry?: AbortSignal): Promise<number>;
}

/** A configuration with one listener on a free port, and its pool. */
export function testConfig(options: TestBalancerOptions): Config {
  const checked = configSchema.parse({
    listeners: [{ name: "web", ...options.listener }, ...options.otherListeners ?? []].map((listener) => {
      return { listen: "127.0.0.1:0", pool: "web", ...listener };
    }),
    pools: { web: { backends: options.backends, ...options.pool }, ...options.otherPools },
    log: options.logging ?? {},
    engine: options.engine ?? "runtime",
    confinement: options.confinement ?? "best_effort",
    workers: options.workers ?? 2,
    shutdown_delay: options.shutdownDelay ?? "0s",
    shutdown_timeout: options.shutdownTimeout ?? "5s",
  });
  return { ...checked, notes: [] };
}

export async function startTestBalancer(options: TestBalancerOptions): Promise<TestBalancer> {
  const log = memoryLog();
  const { workerEntry, names, sleep, patience, discovery } = options;
  const balancer = await startBalancer({
    config: {
      ...testConfig(options),
      // Sessions are counted for the admin side alone; it need not run.
      ...(options.tallySessions ? { admin: { listen: ADMIN, tokenFile: undefined } } : {}),
    },
    log: log.log,
    ...(workerEntry === undefined ? {} : { workerEntry }),
    ...(names === undefined ? {} : { names }),
    ...(sleep === undefined ? {} : { sleep }),
    ...(discovery === undefined ? {} : { discovery }),
    ...(patience === undefined ? {} : { patience }),
  });
  let stopping: Promise<number> | undefined;
  const stop = (hurry?: AbortSignal): Promise<number> => stopping ??= balancer.stop(hurry);
  const records = (): SessionRecord[] => {
    return log.events.filter((it) => it.event === "session").map((it) =>
      it.fields as unknown as SessionRecord
    );
  };
  const ports = balancer.addresses.map((it) => Number(it.split(":").at(-1)));
  return {
    port: ports[0] ?? NaN,
    ports,
    balancer,
    log,
    records,
    accepted: async (clientPort) => {
      const client = `127.0.0.1:${clientPort}`;
      while ((await balancer.generations.sessions(1, { client })).length === 0) await pause();
    },
    active: (backend) =>
      balancer.scoreboard.count(balancer.plan.pools[0]?.backends[backend]?.row ?? asRow(-1)),
    queued: () => balancer.scoreboard.count(balancer.plan.pools[0]?.row ?? asRow(-1)),
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

/** Waits for something that nobody tells of, and fails when it does not come. */
export async function until(holds: () => boolean, what: string, patienceMs = 15_000): Promise<void> {
  const startedMs = performance.now();
  while (!holds()) {
    if (performance.now() - startedMs > patienceMs) throw new Error(`Cannot wait any longer until ${what}`);
    await pause();
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

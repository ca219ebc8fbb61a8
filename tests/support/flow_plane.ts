/** The data plane of a worker in the thread of the test, with one listener for datagrams on a real socket. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import type { UdpAddress } from "../../lib/core/address.ts";
import {
  type FlowsAt,
  type FromWorker,
  type ListenerOptions,
  NO_TLS_KEYS,
  type PlaneOptions,
} from "../../lib/dataplane/messages.ts";
import { Plane } from "../../lib/dataplane/plane.ts";
import type { SessionRecord } from "../../lib/dataplane/record.ts";
import type { Engine } from "../../lib/engine/contract.ts";
import { Ledger } from "../../lib/pool/ledger.ts";
import { SourceLedger } from "../../lib/pool/source_ledger.ts";
import { SourceTable } from "../../lib/pool/source_table.ts";
import { type SharedPool, sharePool } from "../pool/shared_pool.ts";
import { until } from "./balancer.ts";
import { makeRigged } from "./engine_rig.ts";
import { freePort } from "./ports.ts";
import { asRow } from "./rows.ts";
import { udpAt } from "./udp.ts";

const ROW = asRow<"listener">(50);
const FILES = asRow<"open files">(52);

export interface FlowPlaneOptions {
  readonly backends: readonly { readonly port: number }[];
  readonly flows?: Partial<NonNullable<ListenerOptions["flows"]>>;
  readonly limits?: Partial<ListenerOptions["limits"]>;
  readonly greeting?: ListenerOptions["greeting"];
  /** In bytes a second; what is left out has no limit. */
  readonly rateLimit?: Partial<NonNullable<ListenerOptions["rateLimit"]>>;
  readonly consecutiveFailures?: number;
  /** What open files leave for sessions; 0 is no limit. */
  readonly maxSessions?: number;
  /** What is shared with another rig, and where that listens. */
  readonly beside?: FlowPlane;
  /** Whether it begins to read at once. */
  readonly takesOver?: boolean;
}

export interface FlowPlane extends AsyncDisposable {
  readonly plane: Plane;
  readonly address: UdpAddress;
  readonly shared: SharedPool;
  readonly told: FromWorker[];
  /** What it has told of this type. */
  of<Type extends FromWorker["type"]>(type: Type): Extract<FromWorker, { type: Type }>[];
  records(): SessionRecord[];
  waitForRecords(count: number): Promise<SessionRecord[]>;
  /** The flows that it has handed over. */
  handedOver(): readonly FlowsAt[];
  /** Flows that there are, over all workers. */
  flows(): number;
  /** What was counted so far in a cell of the tally. */
  tallied(cell: number): number;
}

export async function startFlowPlane(name: EngineName, options: FlowPlaneOptions): Promise<FlowPlane> {
  const { backends, flows, limits, greeting, rateLimit, consecutiveFailures = 0, maxSessions = 0, beside } =
    options;
  const rigged = makeRigged(name);
  const address = beside?.address ?? udpAt(freePort());
  const shared = beside?.shared ??
    sharePool(Object.fromEntries(backends.map((_, i) => ["abcdefgh"[i] ?? assert.fail(), {}])), {
      consecutiveFailures,
    });
  shared.board.setLimit(FILES, maxSessions);
  const listener: ListenerOptions = {
    row: ROW,
    sessionsRow: asRow(51),
    name: "dns",
    address,
    pool: asRow(0),
    ...(greeting === undefined ? {} : { greeting }),
    ...(rateLimit === undefined
      ? {}
      : { rateLimit: { in: 0, out: 0, totalIn: 0, totalOut: 0, ...rateLimit } }),
    flows: { maxFlows: 1_000, responses: 0, ...flows },
    maxConnections: 0,
    backlog: 0,
    keepalive: { idleMs: 0, intervalMs: 0, count: 0 },
    limits: { idleTimeoutMs: 30_000, halfCloseTimeoutMs: 0, maxSessionDurationMs: 0, ...limits },
  };
  const sources = new SourceTable();
  const plane: PlaneOptions = {
    worker: 0,
    sessionIdPrefix: "w-",
    engine: { kind: "runtime" },
    listeners: [listener],
    pools: [{
      ...shared.one.options,
      backends: shared.backends.map((it, i) => ({ ...it, address: udpAt(backends[i]?.port ?? 0) })),
    }],
    keys: NO_TLS_KEYS,
    scoreboard: shared.board.buffer,
    ledger: new Ledger(shared.board).buffer,
    sources: { table: sources.buffer, ledger: new SourceLedger(sources).buffer },
    filesRow: FILES,
    recordSessions: true,
    tallySessions: true,
  };
  const told: FromWorker[] = [];
  const engine = listeningBy(rigged.engine, () => rigged.listen(address));
  const running = new Plane(
    plane,
    (message) => told.push(message),
    () => ({ engine, ring: () => {}, confine: () => ({ by: [], missing: undefined }) }),
  );
  await running.start();
  running.accept();
  if (options.takesOver !== false) running.takeOver([]);
  const of: FlowPlane["of"] = (type) =>
    told.filter((it) => it.type === type) as Extract<FromWorker, { type: typeof type }>[];
  const records = (): SessionRecord[] => of("sessions").flatMap((it) => it.records);
  return {
    plane: running,
    address,
    shared,
    told,
    of,
    records,
    waitForRecords: async (count) => {
      await until(() => records().length >= count, `there are ${count} records`);
      return records();
    },
    handedOver: () => of("handed_over").flatMap((it) => it.flows),
    flows: () => shared.board.count(ROW),
    tallied: (cell) => {
      const cells = of("tally").flatMap(({ entries }) => entries.map((it) => it.cells[cell] ?? 0));
      return cells.reduce((sum, it) => sum + it, 0);
    },
    [Symbol.asyncDispose]: async () => {
      if (of("drained").length === 0) {
        if (of("closed").length === 0) void running.drain();
        await until(() => of("closed").length > 0, "it has closed");
        running.closeSessions();
        await until(() => of("drained").length > 0, "it has drained");
      }
      await rigged.close();
    },
  };
}

/** An engine that listens as the rig does. The rig closes it. */
function listeningBy(engine: Engine, listen: Engine["listen"]): Engine {
  return new Proxy(engine, {
    get: (target, key): unknown => {
      if (key === "listen") return listen;
      if (key === "close") return () => Promise.resolve();
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

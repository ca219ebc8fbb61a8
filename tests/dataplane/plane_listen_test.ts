import assert from "node:assert/strict";
import type { Address } from "../../lib/core/address.ts";
import { loadEngine } from "../../lib/dataplane/load_engine.ts";
import {
  type FromWorker,
  type ListenerOptions,
  NO_TLS_KEYS,
  type PlaneOptions,
} from "../../lib/dataplane/messages.ts";
import { Plane } from "../../lib/dataplane/plane.ts";
import { Ledger } from "../../lib/pool/ledger.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { asRow } from "../support/rows.ts";

/** The plane of a worker with listeners at these addresses, and no pool. */
async function planeAt(addresses: readonly Address[], told: FromWorker[]): Promise<Plane> {
  const scoreboard = new Scoreboard();
  const options: PlaneOptions = {
    worker: 0,
    sessionIdPrefix: "",
    engine: { kind: "runtime" },
    listeners: addresses.map((address): ListenerOptions => ({
      row: asRow(1),
      sessionsRow: asRow(2),
      name: "web",
      address,
      pool: asRow(3),
      maxConnections: 0,
      backlog: 16,
      keepalive: { idleMs: 0, intervalMs: 0, count: 0 },
      limits: { idleTimeoutMs: 0, halfCloseTimeoutMs: 0, maxSessionDurationMs: 0 },
    })),
    pools: [],
    keys: NO_TLS_KEYS,
    scoreboard: scoreboard.buffer,
    ledger: new Ledger(scoreboard).buffer,
    filesRow: asRow(0),
    recordSessions: false,
    tallySessions: false,
  };
  const tell = (message: FromWorker): void => void told.push(message);
  return new Plane(options, tell, await loadEngine(options.engine, false));
}

Deno.test("a worker that cannot listen on one address leaves no other one open", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/web.sock`;
  const file = `${folder}/file`;
  await Deno.writeTextFile(file, "");
  const told: FromWorker[] = [];
  const plane = await planeAt([{ transport: "unix", path }, { transport: "unix", path: file }], told);
  await assert.rejects(plane.start(), /cannot listen on unix:.*file/);
  await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
  assert.deepEqual(told, []);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a worker that is told to drain before it accepts closes its listeners", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/web.sock`;
  const told: FromWorker[] = [];
  const plane = await planeAt([{ transport: "unix", path }], told);
  await plane.start();
  await plane.drain();
  await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
  assert.deepEqual(told.map(({ type }) => type), ["listening", "closed", "drained"]);
  await Deno.remove(folder, { recursive: true });
});

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { DataWorker } from "../../lib/control/data_worker.ts";
import { FlowExchange } from "../../lib/control/flow_exchange.ts";
import { NO_TLS_KEYS } from "../../lib/dataplane/messages.ts";
import { Ledger } from "../../lib/pool/ledger.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { memoryLog } from "../support/memory_log.ts";
import { asRow } from "../support/rows.ts";

/** A worker that answers changes of members, and never says which sessions it has. */
async function startWorker(): Promise<DataWorker> {
  const scoreboard = new Scoreboard();
  const worker = new DataWorker({
    entry: import.meta.resolve("../support/workers/reserved_worker.ts"),
    plane: {
      worker: 0,
      sessionIdPrefix: "",
      engine: { kind: "runtime" },
      listeners: [],
      pools: [],
      keys: NO_TLS_KEYS,
      scoreboard: scoreboard.buffer,
      ledger: new Ledger(scoreboard).buffer,
      filesRow: asRow(0),
      recordSessions: false,
      tallySessions: false,
    },
    permissions: { net: [], read: [], write: [] },
    ring: () => {},
    reclaim: () => {},
    flows: new FlowExchange(),
    events: {
      onFailing: () => {},
      onTally: () => {},
      onDenials: () => {},
      onFlowSums: () => {},
      onWarning: () => {},
      onFilesWanted: () => {},
    },
    log: memoryLog().log,
  });
  await worker.listening;
  return worker;
}

Deno.test("a question that was answered leaves nothing behind that waits for the end of the worker", async () => {
  const worker = await startWorker();
  let waiting = 0;
  const then = worker.ended.then.bind(worker.ended);
  worker.ended.then = (onEnd, onFault) => {
    waiting++;
    return then(onEnd, onFault);
  };
  for (let i = 0; i < 10; i++) assert.equal(await worker.adjust([]), true);
  assert.equal(waiting, 0);
  worker.terminate();
});

Deno.test("when a worker ends, whoever waits for its answer goes on at once", async () => {
  const worker = await startWorker();
  const startedMs = performance.now();
  const asked = Promise.all([worker.sessions(10, {}), worker.endSession("1", "shutdown")]);
  worker.terminate();
  assert.deepEqual(await asked, [[], false]);
  assert.ok(performance.now() - startedMs < 1_000, "it is not waited for as one that hangs");
});

Deno.test("a worker that has ended has no sessions, and goes by every change", async () => {
  const worker = await startWorker();
  worker.terminate("told to end");
  assert.deepEqual([await worker.sessions(10, {}), await worker.adjust([])], [[], true]);
  worker.terminate("told again");
  assert.deepEqual(await worker.ended, { drained: false, reason: "told to end" });
});

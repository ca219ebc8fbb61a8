// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Workers that hang or die in each step of a reload. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { type NamedBackend, startNamedBackend } from "../support/backend.ts";
import { startTestBalancer, type TestBalancer, testConfig, until } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";
import { readAll, readExactly, text } from "../support/bytes.ts";

type Order = "go" | "hold" | "die" | "spin";

/** What a worker is told when it wants to say that it accepts, or accepts no more. */
type Decide = (worker: string, says: "listening" | "closed") => Order;

class Stubborn implements AsyncDisposable {
  readonly balancer: TestBalancer;
  readonly #backend: NamedBackend;
  readonly #channel: BroadcastChannel;
  /** A machine that is busy takes long to start a worker; what is to be late is given less. */
  readonly patience: { listenMs: number };
  decide: Decide;

  static async start(engine: EngineName, workers: number, decide: Decide = () => "go"): Promise<Stubborn> {
    const channel = new BroadcastChannel("stubborn_worker");
    const backend = startNamedBackend("a");
    const deciding = { decide };
    channel.onmessage = ({ data: { from, says } }) => {
      if (from !== undefined) channel.postMessage({ to: from, order: deciding.decide(from, says) });
    };
    const patience = { listenMs: 20_000, closeMs: 500, hangMs: 2_000 };
    const balancer = await startTestBalancer({
      engine,
      backends: [backend.member],
      workers,
      shutdownTimeout: "500ms",
      workerEntry: import.meta.resolve("../support/workers/stubborn_worker.ts"),
      patience,
    });
    return new Stubborn(balancer, backend, channel, patience, deciding);
  }

  private constructor(
    balancer: TestBalancer,
    backend: NamedBackend,
    channel: BroadcastChannel,
    patience: { listenMs: number },
    deciding: { decide: Decide },
  ) {
    this.balancer = balancer;
    this.#backend = backend;
    this.#channel = channel;
    this.patience = patience;
    this.decide = deciding.decide;
    Object.defineProperty(this, "decide", { set: (decide: Decide) => void (deciding.decide = decide) });
  }

  order(worker: string, order: Order): void {
    this.#channel.postMessage({ to: worker, order });
  }

  /** A reload that needs new workers; each has another idle timeout. */
  reload(seconds: number): Promise<"kept" | "replaced"> {
    const listener = { listen: `127.0.0.1:${this.balancer.port}`, idle_timeout: `${seconds}s` };
    const workers = this.balancer.balancer.config.workers;
    const config = testConfig({ backends: [this.#backend.member], listener, workers: Number(workers) });
    return this.balancer.balancer.reload({ ...config, shutdownTimeoutMs: 500 });
  }

  async ask(): Promise<string> {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: this.balancer.port });
    return text(await readExactly(conn, 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.balancer.stop();
    this.#channel.close();
    await this.#backend[Symbol.asyncDispose]();
  }
}

onEachEngine(
  "a new worker that does not come to accept fails its reload, which changes nothing and holds up no other",
  async (engine) => {
    await using it = await Stubborn.start(engine, 1);
    it.patience.listenMs = 2_000;
    it.decide = () => {
      it.patience.listenMs = 20_000;
      return "hold";
    };
    const stuck = it.reload(1);
    const next = it.reload(2);
    await assert.rejects(stuck, /^RunError: a worker did not come to listen within 2s$/);
    it.decide = () => "go";
    assert.equal(it.balancer.balancer.generations.started, 1);
    assert.equal(await it.ask(), "a");
    assert.equal(await next, "replaced");
    assert.equal(await it.ask(), "a");
    assert.equal(it.balancer.balancer.config.listeners[0]?.idleTimeoutMs, 2_000);
  },
);

onEachEngine("a new worker that spins instead of accepting is ended with its reload", async (engine) => {
  await using it = await Stubborn.start(engine, 1);
  it.decide = () => "spin";
  it.patience.listenMs = 2_000;
  await assert.rejects(it.reload(1), /did not come to listen/);
  it.patience.listenMs = 20_000;
  it.decide = () => "go";
  assert.equal(await it.reload(2), "replaced");
  assert.equal(await it.ask(), "a");
});

for (const step of ["before", "after"]) {
  onEachEngine(
    `a new worker that dies ${step} it accepts fails its reload, whatever the others do`,
    async (engine) => {
      await using it = await Stubborn.start(engine, 2);
      const isFirst = (worker: string): boolean => worker === "data-plane-2";
      it.decide = (worker) => {
        if (!isFirst(worker)) {
          // The other one accepts only when this one is dead.
          if (step === "after") setTimeout(() => it.order(worker, "go"), 500);
          return step === "after" ? "hold" : "go";
        }
        if (step === "before") return "die";
        setTimeout(() => it.order(worker, "die"), 50);
        return "go";
      };
      await assert.rejects(it.reload(1), /told to die/);
      assert.equal(it.balancer.balancer.generations.started, 1);
      assert.equal(await it.ask(), "a");
      it.decide = () => "go";
      assert.equal(await it.reload(2), "replaced");
      assert.equal(await it.ask(), "a");
    },
  );
}

onEachEngine(
  "an old worker that spins holds up neither its reload nor the next; it is said, and given up after a while",
  async (engine) => {
    await using it = await Stubborn.start(engine, 2);
    const { log, balancer } = it.balancer;
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: it.balancer.port });
    await readExactly(conn, 1);
    // Both, so that it is one with a session.
    it.order("data-plane-0", "spin");
    it.order("data-plane-1", "spin");
    assert.equal(await it.reload(1), "replaced");
    assert.equal(await it.ask(), "a");
    const { fields } = await log.waitFor("worker_hangs");
    assert.equal(fields.generation, 1);
    assert.match(String(fields.reason), /has not answered for 500ms$/);
    assert.equal(fields.give_up_in_ms, 1_500);
    assert.equal(await it.reload(2), "replaced");

    // Other workers answer for sessions; those that hang are not waited for without end.
    await balancer.generations.sessions(10);
    const ended = await log.waitFor("worker_died", ({ sessions }) => sessions === 1);
    assert.match(String(ended.fields.reason), /^did not answer for 2s and was given up; if it spins, /);
    await log.waitFor("generation_drained", ({ generation }) => generation === 1);
    await until(() => balancer.generations.all.length === 1, "only the last generation is left");
    assert.equal(it.balancer.active(0), 0);
    // Its client is told, by an end or a reset.
    await readAll(conn).catch(() => {});
    conn.close();
  },
);

onEachEngine(
  "an old worker that dies while it is to stop accepting does not hold up the reload",
  async (engine) => {
    await using it = await Stubborn.start(engine, 1);
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: it.balancer.port });
    await readExactly(conn, 1);
    it.decide = (_, says) => says === "closed" ? "die" : "go";
    assert.equal(await it.reload(1), "replaced");
    const { fields } = await it.balancer.log.waitFor("worker_died", ({ reason }) => reason === "told to die");
    assert.equal(fields.sessions, 1);
    const drained = await it.balancer.log.waitFor("generation_drained");
    assert.deepEqual(drained.fields, { generation: 1, closed_sessions: 1 });
    assert.equal(await it.ask(), "a");
    it.decide = () => "go";
  },
);

onEachEngine(
  "a worker that dies is replaced again when its replacement does not come to accept",
  async (engine) => {
    await using it = await Stubborn.start(engine, 1);
    let starts = 0;
    it.patience.listenMs = 2_000;
    it.decide = () => {
      it.patience.listenMs = 20_000;
      return ++starts === 1 ? "hold" : "go";
    };
    it.order("data-plane-0", "die");
    const { log } = it.balancer;
    await log.waitFor("worker_died", ({ reason }) => reason === "did not come to listen within 2s");
    await log.waitFor("worker_restarted");
    assert.equal(await it.ask(), "a");
  },
);

onEachEngine("the end waits neither for a reload that hangs nor for a worker that spins", async (engine) => {
  for (const hang of ["new worker", "old worker"]) {
    await using it = await Stubborn.start(engine, 1);
    if (hang === "new worker") it.decide = (_, says) => says === "listening" ? "hold" : "go";
    else it.order("data-plane-0", "spin");
    const reloading = it.reload(1);
    const isStuck = hang === "new worker"
      ? assert.rejects(reloading, /^RunError: the balancer is being stopped$/)
      : reloading.then((workers) => assert.equal(workers, "replaced"));
    if (hang === "old worker") await it.balancer.log.waitFor("worker_hangs");
    const startedMs = performance.now();
    await it.balancer.stop();
    const tookMs = performance.now() - startedMs;
    // The shutdown timeout of half a second, and two for a worker that does not answer.
    assert.ok(tookMs < (hang === "new worker" ? 1_500 : 10_000), `the end took ${tookMs} ms`);
    await isStuck;
    await assert.rejects(it.reload(2), /the balancer is being stopped/);
  }
});

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** A backend that dies and lives again while clients keep coming. */

import assert from "node:assert/strict";
import { startNamedBackend, visit } from "../support/backend.ts";
import { startTestBalancer, until } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";
import { asRow } from "../support/rows.ts";

/** Clients that come one after the other, for as long as they may. */
class SteadyLoad {
  /** Names of backends, by what was going on when the session began; empty where a client was closed without one. */
  readonly seen: Record<string, string[]> = {};
  readonly #clients: Promise<void>[];
  #phase = "before";
  #isOver = false;

  constructor(port: number, clients: number) {
    this.#clients = Array.from({ length: clients }, () => this.#come(port));
  }

  /** Sessions that begin from now on are seen in another phase; resolves when there were so many of them. */
  async enter(phase: string, sessions: number): Promise<string[]> {
    const names = this.begin(phase);
    await until(() => names.length >= sessions, `${sessions} sessions came in phase ${phase}`);
    return names.slice(0, sessions);
  }

  begin(phase: string): string[] {
    this.#phase = phase;
    return this.seen[phase] ??= [];
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }

  async #come(port: number): Promise<void> {
    while (!this.#isOver) {
      const names = this.seen[this.#phase] ??= [];
      names.push(await visit(port));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

function share(names: readonly string[], name: string): number {
  return names.filter((it) => it === name).length / names.length;
}

onEachEngine(
  "under steady load no session fails once a dead backend is found down, and alive it has its share again in time",
  async (engine) => {
    const [rise, intervalMs, slowStartMs] = [2, 100, 1_000];
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member, b.member, c.member],
      pool: {
        // Nothing may hide a failure.
        retries: 0,
        slow_start: `${slowStartMs}ms`,
        health_check: { interval: `${intervalMs}ms`, rise, fall: 2 },
      },
    });
    const load = new SteadyLoad(balancer.port, 4);
    const before = await load.enter("all are up", 90);
    assert.ok(!before.includes(""));
    assert.ok(Math.abs(share(before, "b") - 1 / 3) < 0.1, `${share(before, "b")}`);

    load.begin("b is dead");
    await b.goDown();
    await balancer.log.waitFor("backend_down");
    const without = await load.enter("b is down", 150);
    assert.ok(without.every((name) => name === "a" || name === "c"), without.join(" "));

    const aliveMs = performance.now();
    load.begin("b is alive");
    b.comeUp();
    await balancer.log.waitFor("backend_up");
    const slowly = load.begin("b is up");
    const row = balancer.balancer.plan.pools[0]?.backends[1]?.row ?? asRow<"backend">(-1);
    await until(() => balancer.balancer.scoreboard.facts(row).rampPercent === 100, "b has its weight again");
    const backAfterMs = performance.now() - aliveMs;
    const again = await load.enter("b has its share", 90);
    assert.ok(Math.abs(share(again, "b") - 1 / 3) < 0.1, `${share(again, "b")}`);
    // A machine that is busy with other things may take its time, but not forever.
    assert.ok(backAfterMs < rise * intervalMs + slowStartMs + 4_000, `b was back after ${backAfterMs} ms`);
    const slow = share(slowly, "b");
    assert.ok(slow > 0 && slow < 0.3, `b began with a share of ${slow}`);

    await load.stop();
    for (const phase of ["b is down", "b is alive", "b is up", "b has its share"]) {
      assert.ok(!load.seen[phase]?.includes(""), `a session failed while ${phase}`);
    }
    const changes = balancer.log.events.filter(({ event }) => /^backend_/.test(event));
    assert.deepEqual(changes.map(({ event, fields }) => `${fields.backend}: ${event}`), [
      "b: backend_down",
      "b: backend_up",
    ]);
  },
);

onEachEngine(
  "with slow_start a backend that is up again, or back from an ejection, begins with a tenth of its weight",
  async (engine) => {
    for (
      const [back, rules] of [
        ["backend_up", { health_check: { interval: "100ms", rise: 1, fall: 1 } }],
        ["backend_returned", { outlier_detection: { consecutive_failures: 1, ejection_time: "100ms" } }],
      ] as const
    ) {
      await using a = startNamedBackend("a");
      await using b = startNamedBackend("b");
      await using balancer = await startTestBalancer({
        engine,
        backends: [a.member, b.member],
        pool: { slow_start: "1h", ...rules },
      });
      await b.goDown();
      for (let i = 0; i < 2; i++) assert.equal(await visit(balancer.port), "a");
      await balancer.log.waitFor(back === "backend_up" ? "backend_down" : "backend_ejected");
      b.comeUp();
      await balancer.log.waitFor(back);
      let names = "";
      for (let i = 0; i < 22; i++) names += await visit(balancer.port);
      assert.equal(names.replaceAll("a", ""), "bb", back);
      assert.equal(names.length, 22, back);
    }
  },
);

onEachEngine(
  "a backend that was never down has its whole weight from the start, however slow the start would be",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member, { ...b.member, weight: 3 }],
      pool: { slow_start: "1h", health_check: { interval: "100ms" } },
    });
    let names = "";
    for (let i = 0; i < 12; i++) names += await visit(balancer.port);
    assert.equal(names.replaceAll("b", ""), "aaa");
  },
);

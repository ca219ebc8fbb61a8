// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What the operator wants of backends, and what becomes of it. */

import assert from "node:assert/strict";
import { startNamedBackend, visit } from "../support/backend.ts";
import { startTestBalancer, testConfig, until } from "../support/balancer.ts";
import { onEachEngine, readUntilCut } from "../support/engines.ts";
import { readExactly, text } from "../support/bytes.ts";
import { operationsOf } from "../support/operations.ts";

async function names(port: number, count: number): Promise<string[]> {
  const found: string[] = [];
  for (let i = 0; i < count; i++) found.push(await visit(port));
  return found;
}

onEachEngine(
  "enable, drain, disable, weight and kill do what they say, for one backend or all of a pool",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using balancer = await startTestBalancer({ engine, backends: [a.member, b.member] });
    const { port } = balancer;
    const operations = operationsOf(balancer.balancer);
    const state = (i: number): string | undefined => operations.status().pools[0]?.backends[i]?.state;

    assert.equal(operations.steer("nope", "a", { do: "enable" }), undefined);
    assert.equal(operations.steer("web", "nope", { do: "enable" }), undefined);

    assert.match(operations.steer("web", "a", { do: "drain", deadlineMs: undefined }) ?? "", /^a: draining/);
    assert.equal(state(0), "draining");
    assert.deepEqual(new Set(await names(port, 4)), new Set(["b"]));
    operations.steer("web", "a", { do: "enable" });
    assert.equal(state(0), "up");
    assert.deepEqual(new Set(await names(port, 4)), new Set(["a", "b"]));

    operations.steer("web", "*", { do: "disable" });
    assert.equal(operations.status().ready, false);
    assert.equal(await visit(port), "");
    operations.steer("web", "*", { do: "enable" });

    operations.steer("web", "a", { do: "weight", weight: 0 });
    assert.deepEqual(new Set(await names(port, 4)), new Set(["b"]));
    operations.steer("web", "a", { do: "weight", weight: 3 });
    assert.equal((await names(port, 8)).filter((name) => name === "a").length, 6);

    operations.steer("web", "b", { do: "disable" });
    using held = await Deno.connect({ hostname: "127.0.0.1", port });
    assert.equal(text(await readExactly(held, 1)), "a");
    operations.steer("web", "a", { do: "kill" });
    await held.read(new Uint8Array(8));
    assert.deepEqual(await readUntilCut(held, engine), new Uint8Array());
    assert.equal((await balancer.recordOf(held.localAddr.port)).end, "killed");

    // The file has not changed the weight: what the operator has set outlives a reload, as his wish does.
    const config = testConfig({
      backends: [a.member, b.member],
      listener: { listen: `127.0.0.1:${port}` },
      workers: 1,
    });
    await balancer.balancer.reload(config);
    const [first, second] = operations.status().pools[0]?.backends ?? [];
    assert.deepEqual([first?.weight, second?.operator], [3, "disabled"]);
    operations.stop();
  },
);

onEachEngine("drain with a deadline ends what is left then", async (engine) => {
  await using a = startNamedBackend("a");
  await using balancer = await startTestBalancer({ engine, backends: [a.member] });
  const operations = operationsOf(balancer.balancer);
  using held = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
  await readExactly(held, 2);
  operations.steer("web", "a", { do: "drain", deadlineMs: 50 });
  // Another order about it does not take the deadline back.
  operations.steer("web", "a", { do: "weight", weight: 2 });
  assert.deepEqual(await readUntilCut(held, engine), new Uint8Array());
  assert.equal((await balancer.recordOf(held.localAddr.port)).end, "killed");
  operations.stop();
});

onEachEngine(
  "the status, live sessions and counts are those of the sessions that there were",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using balancer = await startTestBalancer({ engine, backends: [a.member], tallySessions: true });
    const operations = operationsOf(balancer.balancer);
    await names(balancer.port, 5);
    using held = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    await readExactly(held, 2);
    const [live] = await operations.sessions(10);
    assert.equal(live?.backend, "a");
    assert.equal(live?.client, `127.0.0.1:${held.localAddr.port}`);
    assert.equal(live?.bytes_out, 2);
    for (let i = 0; i < 200 && (operations.counts().totals[0]?.ends.done ?? 0) < 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const [total] = operations.counts().totals;
    assert.equal(total?.ends.done, 5);
    assert.equal(total?.session_seconds.count, 5);
    const { listeners, pools } = operations.status();
    assert.equal(listeners[0]?.active, 1);
    assert.equal(listeners[0]?.sessions_total, 5);
    assert.equal(pools[0]?.backends[0]?.active, 1);
    assert.deepEqual(Object.keys(operations.config() as object).includes("pools"), true);
    operations.stop();
  },
);

onEachEngine("a deadline does not outlive its backend, whoever has its place by then", async (engine) => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using c = startNamedBackend("c");
  await using balancer = await startTestBalancer({ engine, backends: [a.member, b.member] });
  const { port } = balancer;
  const operations = operationsOf(balancer.balancer);
  const reload = (...members: { name: string; address: string }[]): Promise<unknown> => {
    return balancer.balancer.reload(
      testConfig({ backends: members, listener: { listen: `127.0.0.1:${port}` } }),
    );
  };
  const row = balancer.balancer.plan.pools[0]?.backends[1]?.row ?? assert.fail();
  operations.steer("web", "b", { do: "drain", deadlineMs: 2_000 });
  const deadline = new Promise((resolve) => setTimeout(resolve, 2_100));
  await reload(a.member);
  await until(() => balancer.balancer.plansInUse.backendAt(row) === undefined, "its row is free");
  await reload(c.member);
  assert.equal(balancer.balancer.plansInUse.backendAt(row)?.name, "c");
  using held = await Deno.connect({ hostname: "127.0.0.1", port });
  assert.equal(text(await readExactly(held, 2)), "c\n");
  await deadline;
  held.closeWrite();
  assert.equal(await held.read(new Uint8Array(1)), null);
  assert.equal((await balancer.recordOf(held.localAddr.port)).end, "done");
  operations.stop();
});

onEachEngine(
  "a backend that is removed and comes back is a new one, as it was wanted, while sessions from before go on",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using balancer = await startTestBalancer({ engine, backends: [a.member] });
    const { port } = balancer;
    const operations = operationsOf(balancer.balancer);
    const reload = (...members: { name: string; address: string }[]): Promise<unknown> => {
      return balancer.balancer.reload(
        testConfig({ backends: members, listener: { listen: `127.0.0.1:${port}` } }),
      );
    };
    using held = await Deno.connect({ hostname: "127.0.0.1", port });
    assert.equal(text(await readExactly(held, 2)), "a\n");
    const { scoreboard, plan } = balancer.balancer;
    const pool = plan.pools[0] ?? assert.fail();
    scoreboard.setFacts(pool.row, pool.backends[0]?.row ?? assert.fail(), { isUp: false });
    operations.steer("web", "a", { do: "disable" });
    await reload(b.member);
    assert.equal(await visit(port), "b");
    await reload(a.member);
    const state = (): string | undefined => operations.status().pools[0]?.backends[0]?.state;
    assert.equal(state(), "disabled");
    operations.steer("web", "a", { do: "enable" });
    assert.equal(state(), "up");
    assert.equal(await visit(port), "a");
    held.closeWrite();
    assert.equal(await held.read(new Uint8Array(1)), null);
    operations.stop();
  },
);

onEachEngine(
  "what a reload that keeps the workers has changed is what the status goes by",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using balancer = await startTestBalancer({ engine, backends: [a.member] });
    const operations = operationsOf(balancer.balancer);
    const [pool = assert.fail()] = balancer.balancer.plan.pools;
    const [{ row } = assert.fail()] = pool.backends;
    balancer.balancer.scoreboard.setFacts(pool.row, row, { isUp: false });
    assert.equal(operations.status().ready, false);
    const config = testConfig({
      backends: [a.member],
      pool: { when_all_down: "ignore_health" },
      listener: { listen: `127.0.0.1:${balancer.port}` },
    });
    assert.equal(await balancer.balancer.reload(config), "kept");
    assert.equal(operations.status().ready, true);
    assert.equal(await visit(balancer.port), "a");
    operations.stop();
  },
);

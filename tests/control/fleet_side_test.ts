// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Balancers of one fleet, on a real etcd. */

import assert from "node:assert/strict";
import type { FleetStatus } from "../../lib/admin/status.ts";
import type { Order } from "../../lib/admin/operations.ts";
import type { EngineName } from "../../lib/config/engine_names.ts";
import type { Config } from "../../lib/config/schema.ts";
import { Balancer } from "../../lib/control/balancer.ts";
import type { BalancerOperations } from "../../lib/control/operations.ts";
import { FastClock } from "../discovery/followed.ts";
import { startNamedBackend, visit } from "../support/backend.ts";
import { testConfig, until } from "../support/balancer.ts";
import { ENGINES } from "../support/engines.ts";
import { ETCD, Etcd, testWithEtcd } from "../support/etcd.ts";
import { type MemoryLog, memoryLog } from "../support/memory_log.ts";
import { operationsOf } from "../support/operations.ts";
import { skipWithout } from "../support/packages.ts";

const { ignore, why } = skipWithout(ETCD);

const BACKENDS = ["a", "b"].map((name, i) => ({ name, address: `127.0.0.1:${i + 1}` }));

/** The configuration of a balancer of the fleet. */
function configOf(etcd: Etcd, name: string, more: Partial<Config> = {}): Config {
  const none = { user: undefined, passwordFile: undefined, ca: undefined, cert: undefined, key: undefined };
  return {
    ...testConfig({ backends: BACKENDS, workers: 1 }),
    fleet: {
      etcd: { endpoints: [etcd.endpoint], prefix: "/fleet/", ...none },
      name,
      advertise: `10.0.0.1:${name.length}`,
    },
    ...more,
  };
}

class Running implements AsyncDisposable {
  readonly log: MemoryLog = memoryLog();
  readonly balancer: Balancer;
  readonly operations: BalancerOperations;
  #isStopped = false;

  constructor(config: Config) {
    this.balancer = new Balancer({ config, log: this.log.log });
    this.operations = operationsOf(this.balancer, { fleet: { pause: new FastClock().pause, ttlS: 2 } });
  }

  static async start(config: Config): Promise<Running> {
    const running = new Running(config);
    await running.operations.restore();
    await running.balancer.start();
    return running;
  }

  get port(): number {
    return Number(this.balancer.addresses[0]?.split(":").at(-1));
  }

  get fleet(): FleetStatus {
    return this.operations.status().fleet ?? assert.fail("there is no fleet");
  }

  /** The backends of the pool, as `a draining 1, b up 1`. */
  get backends(): string {
    const [pool] = this.operations.status().pools;
    return pool?.backends.map(({ name, state, weight }) => `${name} ${state} ${weight}`).join(", ") ?? "";
  }

  async has(backends: string): Promise<void> {
    await until(() => this.backends === backends, `${backends}; it has ${this.backends}`);
  }

  steer(backend: string, order: Order): void {
    assert.ok(this.operations.steer("web", backend, order) !== undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    await Promise.all([this.balancer.stop(), this.operations.leaveFleet()]);
    await this.operations.stop();
  }
}

const DRAIN: Order = { do: "drain", deadlineMs: undefined };

testWithEtcd("a wish given to one balancer holds for all, and after restarts of all", async (etcd) => {
  {
    await using one = await Running.start(configOf(etcd, "lb1"));
    await using two = await Running.start(configOf(etcd, "lb2"));
    one.steer("a", DRAIN);
    one.steer("b", { do: "weight", weight: 7 });
    await two.has("a draining 1, b up 7");
    const { fields } = await two.log.waitFor("backend_draining");
    assert.deepEqual(fields, { pool: "web", backend: "a", by: "lb1" });
    two.steer("*", { do: "disable" });
    await one.has("a disabled 1, b disabled 7");
    two.steer("b", { do: "enable" });
    await one.has("a disabled 1, b up 7");
  }
  await using one = await Running.start(configOf(etcd, "lb1"));
  // It is so from the first session on.
  assert.equal(one.backends, "a disabled 1, b up 7");
  one.steer("a", { do: "enable" });
  await using two = await Running.start(configOf(etcd, "lb2"));
  await two.has("a up 1, b up 7");
  await etcd.delete("/fleet/wishes/web/b/weight");
  await one.has("a up 1, b up 1");
  await two.has("a up 1, b up 1");
});

testWithEtcd("two balancers that are told different things at the same moment end up alike", async (etcd) => {
  await using one = await Running.start(configOf(etcd, "lb1"));
  await using two = await Running.start(configOf(etcd, "lb2"));
  for (let round = 0; round < 10; round++) {
    one.steer("a", DRAIN);
    two.steer("a", { do: "disable" });
    one.steer("b", { do: "weight", weight: round + 2 });
    two.steer("b", { do: "weight", weight: round + 20 });
    const isAlike = (): boolean => {
      return one.backends === two.backends && one.fleet.unshared + two.fleet.unshared === 0;
    };
    await until(isAlike, `they are alike: ${one.backends} and ${two.backends}`);
  }
  await using third = await Running.start(configOf(etcd, "lb3"));
  assert.equal(third.backends, one.backends);
});

testWithEtcd("balancers show each other, and who has another configuration since a reload", async (etcd) => {
  await using one = await Running.start(configOf(etcd, "lb1"));
  await using two = await Running.start(configOf(etcd, "lb2"));
  const seen = (): string => one.fleet.others.map((it) => `${it.name} ${it.state} ${it.differs}`).join();
  await until(() => seen() === "lb2 present ", seen());
  await two.balancer.reload(configOf(etcd, "lb2", { shutdownTimeoutMs: 1 }));
  await two.operations.reload();
  await until(() => seen() === "lb2 present configuration", seen());
  assert.deepEqual(two.fleet.others[0]?.differs, ["configuration"]);
  await two[Symbol.asyncDispose]();
  await until(() => seen() === "", seen());
});

testWithEtcd("a reload takes a balancer into a fleet, and out of it", async (etcd) => {
  await using one = await Running.start(configOf(etcd, "lb1"));
  await using two = await Running.start(testConfig({ backends: BACKENDS, workers: 1 }));
  one.steer("a", DRAIN);
  assert.equal(two.operations.status().fleet, null);
  await two.balancer.reload(configOf(etcd, "lb2"));
  await two.operations.reload();
  await two.has("a draining 1, b up 1");
  await until(() => one.fleet.others.length === 1, "it is seen");
  await two.balancer.reload(testConfig({ backends: BACKENDS, workers: 1 }));
  await two.operations.reload();
  await until(() => one.fleet.others.length === 0, "it has left");
  assert.equal(two.operations.status().fleet, null);
});

testWithEtcd(
  "what is not shared yet is not forgotten by a reload, whatever that says of the fleet",
  async (etcd) => {
    const config = configOf(etcd, "lb1");
    await using one = await Running.start(config);
    await until(() => one.fleet.connected, "it is connected");
    await etcd.stop();
    await one.log.waitFor("fleet_not_connected");
    one.steer("a", DRAIN);
    const { since } = one.fleet;
    const { fleet = assert.fail() } = config;
    const reload = async (more: Partial<typeof fleet>): Promise<void> => {
      await one.balancer.reload({ ...config, fleet: { ...fleet, ...more } });
      await one.operations.reload();
      assert.equal(one.fleet.unshared, 1, JSON.stringify(more));
    };
    await reload({ rollout: { canary: 2, waitMs: 1_000 } });
    assert.equal(one.fleet.since, since, "how changes are tried leaves it where it is");
    await reload({ advertise: "10.0.0.2:1" });
    assert.equal(one.fleet.address, "10.0.0.2:1");
  },
);

testWithEtcd("a weight holds over the one of the configuration that it was given over", async (etcd) => {
  await using one = await Running.start(configOf(etcd, "lb1"));
  one.steer("a", { do: "weight", weight: 7 });
  const heavier = testConfig({ backends: BACKENDS.map((it) => ({ ...it, weight: 3 })), workers: 1 });
  await using two = await Running.start({ ...heavier, fleet: configOf(etcd, "lb2").fleet });
  await until(() => two.fleet.connected, "it is connected");
  assert.equal(two.backends, "a up 3, b up 3");
});

testWithEtcd(
  "what is said while etcd is away holds here, is kept over a restart, and is shared when etcd is back",
  async (etcd) => {
    const folder = await Deno.makeTempDir();
    const stateFile = `${folder}/state.json`;
    {
      await using one = await Running.start(configOf(etcd, "lb1", { stateFile }));
      one.steer("a", DRAIN);
      await until(() => one.fleet.unshared === 0, "it is shared");
      await etcd.stop();
      await one.log.waitFor("fleet_not_connected");
      one.steer("a", { do: "enable" });
      one.steer("b", { do: "disable" });
      assert.deepEqual([one.backends, one.fleet.unshared], ["a up 1, b disabled 1", 2]);
      // A reload works as ever.
      await one.balancer.reload(configOf(etcd, "lb1", { stateFile, shutdownTimeoutMs: 1 }));
      await one.operations.reload();
    }
    await using one = await Running.start(configOf(etcd, "lb1", { stateFile }));
    assert.deepEqual([one.backends, one.fleet.connected], ["a up 1, b disabled 1", false]);
    await etcd.start();
    await using two = await Running.start(configOf(etcd, "lb2"));
    await two.has("a up 1, b disabled 1");
    await until(() => one.fleet.unshared === 0, "it is shared");
    await Deno.remove(folder, { recursive: true });
  },
);

testWithEtcd("what a state file has is shared, unless etcd has another wish about it", async (etcd) => {
  const folder = await Deno.makeTempDir();
  const stateFile = `${folder}/state.json`;
  const wishes = { web: { a: { operator: "draining" }, b: { operator: "disabled", weight: 5 } } };
  await Deno.writeTextFile(stateFile, JSON.stringify({ version: 1, wishes, added: {} }));
  await etcd.put("/fleet/wishes/web/a/state", '{"state":"enabled"}');
  await using one = await Running.start(configOf(etcd, "lb1", { stateFile }));
  assert.equal(one.backends, "a up 1, b disabled 5");
  await using two = await Running.start(configOf(etcd, "lb2"));
  await two.has("a up 1, b disabled 5");
  await Deno.remove(folder, { recursive: true });
});

for (const engine of ENGINES) {
  Deno.test({
    name: `etcd that is killed and comes back under load costs no session (${engine})${why}`,
    ignore,
    fn: () => underLoad(engine),
  });
}

async function underLoad(engine: EngineName): Promise<void> {
  await using etcd = new Etcd();
  await etcd.start();
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  const { fleet } = configOf(etcd, "lb1");
  const config = testConfig({ engine, backends: [a.member, b.member], workers: 1 });
  await using one = await Running.start({ ...config, fleet });
  await until(() => one.fleet.connected, "it is connected");
  let [isOver, served] = [false, 0];
  const lost: number[] = [];
  const load = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      if (await visit(one.port) === "") lost.push(served);
      served++;
    }
  });
  etcd.signal("SIGKILL");
  await one.log.waitFor("fleet_not_connected");
  one.steer("a", { do: "disable" });
  const before = served;
  await until(() => served > before + 100, "sessions go on");
  await etcd.stop();
  await etcd.start();
  await one.log.waitFor("fleet_connected_again");
  isOver = true;
  await Promise.all(load);
  assert.deepEqual(lost, []);
}

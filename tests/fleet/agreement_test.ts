// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Balancers that agree through a real etcd; what they run is a text. */

import assert from "node:assert/strict";
import { type Agreement, etcdAgreement } from "../../lib/fleet/agreement.ts";
import type { Values } from "../../lib/discovery/etcd_keys.ts";
import { follow } from "../../lib/fleet/follow.ts";
import { Rollout } from "../../lib/fleet/rollout.ts";
import { keysBeside } from "../../lib/fleet/trial.ts";
import { until } from "../support/balancer.ts";
import { ETCD, Etcd } from "../support/etcd.ts";
import { memoryLog } from "../support/memory_log.ts";
import { skipWithout } from "../support/packages.ts";
import { FastClock } from "../discovery/followed.ts";

const { ignore, why } = skipWithout(ETCD);
const PATH = "/balancer.yaml";

class Member implements AsyncDisposable {
  readonly loaded: string[] = [];
  readonly rollout: Rollout;
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;
  #seen: Values | undefined;

  constructor(name: string, etcd: Etcd, waitMs: number, canary: number) {
    const { pause } = new FastClock();
    const etcdOnly = etcdAgreement({ endpoints: [etcd.endpoint], path: PATH, pause });
    const agreement: Agreement = {
      follow: (onValues, ...rest) => etcdOnly.follow((values) => onValues(this.#seen = values), ...rest),
      enter: (...args) => etcdOnly.enter(...args),
      tell: (...args) => etcdOnly.tell(...args),
      keepPassed: (...args) => etcdOnly.keepPassed(...args),
      leave: () => etcdOnly.leave(),
    };
    this.rollout = new Rollout({
      agreement,
      path: PATH,
      text: "old",
      follows: false,
      policy: () => ({ canary, waitMs }),
      name: () => name,
      reload: () => {
        this.loaded.push(this.rollout.text);
        return Promise.resolve(this.rollout.text === "bad" ? "it is bad" : undefined);
      },
      sessions: () => ({ ended: 0, failed: 0 }),
      isReady: () => true,
      log: memoryLog().log,
      now: () => performance.now(),
    });
    this.#following = follow(this.rollout, agreement, this.#stop.signal);
  }

  /** What it has seen that has passed. */
  get passed(): string | undefined {
    return this.#seen?.get(keysBeside(PATH).passed)?.value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }
}

async function withFleet(
  waitMs: number,
  run: (etcd: Etcd, members: Member[]) => Promise<void>,
  canary = 1,
): Promise<void> {
  await using etcd = new Etcd();
  await etcd.start();
  await etcd.put(PATH, "old");
  await using stack = new AsyncDisposableStack();
  const members = ["lb1", "lb2", "lb3"].map((name) => stack.use(new Member(name, etcd, waitMs, canary)));
  await until(
    () => members.every(({ rollout }) => rollout.revision !== undefined),
    "all know the configuration",
  );
  await run(etcd, members);
}

function inForce(members: readonly Member[], text: string): number {
  return members.filter(({ rollout }) => rollout.text === text).length;
}

Deno.test({
  name: `exactly as many balancers as are to try a change do, and the others follow${why}`,
  ignore,
  fn: async () => {
    for (const canary of [1, 2]) {
      await withFleet(1_000, async (etcd, members) => {
        await etcd.put(PATH, "new");
        await until(() => inForce(members, "new") === canary, "the canaries have it");
        await until(
          () => members.filter(({ rollout }) => rollout.state === "waiting").length === 3 - canary,
          "wait",
        );
        assert.equal(inForce(members, "new"), canary);
        await until(() => inForce(members, "new") === 3, "all have it");
        assert.deepEqual(members.map(({ loaded }) => loaded), [["new"], ["new"], ["new"]]);
        await until(() => members.some(({ passed }) => passed === "new"), "it is kept for those that start");
      }, canary);
    }
  },
});

Deno.test({
  name: `what fails at the canary is tried nowhere else, and the next change is${why}`,
  ignore,
  fn: () =>
    withFleet(100, async (etcd, members) => {
      await etcd.put(PATH, "bad");
      await until(
        () => members.every(({ rollout }) => rollout.state === "stopped"),
        "all know that it is bad",
      );
      assert.deepEqual(members.flatMap(({ loaded }) => loaded), ["bad"]);
      assert.match(members[0]?.rollout.reason ?? "", /^lb\d: it is bad$/);
      await etcd.put(PATH, "new");
      await until(() => inForce(members, "new") === 3, "all have the next one");
    }),
});

Deno.test({
  name: `a canary whose lease is gone is lost, and goes back${why}`,
  ignore,
  fn: () =>
    withFleet(60_000, async (etcd, members) => {
      await etcd.put(PATH, "new");
      await until(() => inForce(members, "new") === 1, "the canary has it");
      const { leases } = await etcd.call("lease/leases", {}) as { leases: { ID: string }[] };
      for (const { ID } of leases) await etcd.call("lease/revoke", { ID });
      await until(() => members.every(({ rollout }) => rollout.state === "stopped"), "it counts as failed");
      assert.equal(inForce(members, "old"), 3);
      assert.match(members[0]?.rollout.reason ?? "", /^lb\d was lost while it tried it$/);
    }),
});

Deno.test({
  name: `an etcd that is killed and started again in the middle of a trial lets it come to its end${why}`,
  ignore,
  fn: () =>
    withFleet(300, async (etcd, members) => {
      await etcd.put(PATH, "new");
      await until(() => inForce(members, "new") === 1, "the canary has it");
      await etcd.stop();
      await until(() => members.every(({ rollout }) => rollout.trouble !== ""), "all have noticed");
      assert.equal(inForce(members, "old"), 2);
      await etcd.start();
      await until(() => inForce(members, "new") === 3, "all have it");
      await until(() => members.every(({ rollout }) => rollout.trouble === ""), "all is well");
    }),
});

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Fleets of balancers that are none, on a real etcd. */

import assert from "node:assert/strict";
import { Fleet, type FleetOptions } from "../../lib/fleet/fleet.ts";
import type { Wanted } from "../../lib/fleet/wish.ts";
import { FastClock } from "../discovery/followed.ts";
import { until } from "../support/balancer.ts";
import { type Etcd, testWithEtcd } from "../support/etcd.ts";
import { type MemoryLog, memoryLog } from "../support/memory_log.ts";
import { refusedPort } from "../support/ports.ts";

/** As short as etcd lets a lease be. */
const TTL_S = 2;

class Balancer implements AsyncDisposable {
  readonly fleet: Fleet;
  readonly log: MemoryLog = memoryLog();
  readonly clock = new FastClock();

  constructor(etcd: Etcd, name: string, more: Partial<FleetOptions> = {}) {
    this.fleet = new Fleet({
      endpoints: [etcd.endpoint],
      prefix: "/sockbal",
      self: { name, address: `10.0.0.1:${name.length}`, version: "1", digest: "d" },
      log: this.log.log,
      onWishes: () => {},
      pause: this.clock.pause,
      ttlS: TTL_S,
      ...more,
    });
    this.fleet.start();
  }

  /** The others, as `lb2 present`. */
  get others(): string {
    return this.fleet.others().map(({ name, state }) => `${name} ${state}`).join();
  }

  want(backend: string): Wanted | undefined {
    return this.fleet.wishes.of({ pool: "web", backend, what: "state" })?.wanted;
  }

  give(backend: string, state: "enabled" | "draining" | "disabled"): void {
    this.fleet.give({ pool: "web", backend }, { state });
  }

  async joined(): Promise<void> {
    await until(() => this.fleet.connection.isConnected, "it is connected");
  }

  async sees(others: string): Promise<void> {
    await until(() => this.others === others, `others are ${others}; they are ${this.others}`);
  }

  async wants(backend: string, state: string): Promise<void> {
    await until(
      () => JSON.stringify(this.want(backend)) === JSON.stringify({ state }),
      `${backend} is ${state}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fleet.stop();
  }
}

testWithEtcd("balancers see each other come, change and go", async (etcd) => {
  await using one = new Balancer(etcd, "lb1");
  await one.joined();
  {
    await using two = new Balancer(etcd, "lb2");
    await one.sees("lb2 present");
    await two.sees("lb1 present");
    two.fleet.announce("other");
    await until(() => one.fleet.others()[0]?.digest === "other", "the digest is known");
  }
  await one.sees("");
  await one.log.waitFor("fleet_member_left", ({ member }) => member === "lb2");
});

testWithEtcd("one whose lease runs out without a word is lost", async (etcd) => {
  await using one = new Balancer(etcd, "lb1");
  await one.joined();
  const { ID } = await etcd.call("lease/grant", { TTL: "1" }) as { ID: string };
  const value = JSON.stringify({ address: "10.0.0.2:1", version: "1", digest: "d", run: "r" });
  await etcd.put("/sockbal/members/lb2", value, { lease: ID });
  await one.sees("lb2 present");
  await one.sees("lb2 lost");
  await one.log.waitFor("fleet_member_lost", ({ member }) => member === "lb2");
});

testWithEtcd("another endpoint is asked at once when one cannot be, and that is no trouble", async (etcd) => {
  const dead = `http://127.0.0.1:${refusedPort()}`;
  await using one = new Balancer(etcd, "lb1", { endpoints: [dead, etcd.endpoint] });
  await one.fleet.answered;
  assert.deepEqual([one.fleet.connection.isConnected, one.clock.pauses], [true, []]);
  assert.deepEqual(one.log.events.map(({ event }) => event), ["fleet_joined"]);
});

testWithEtcd(
  "a wish that is put by hand and is none is told, with its key and what to write",
  async (etcd) => {
    await etcd.put("/sockbal/wishes/%zz", "x");
    for (let i = 0; i < 21; i++) await etcd.put(`/sockbal/wishes/web/b${i}/state`, "junk");
    await using one = new Balancer(etcd, "lb1");
    await one.joined();
    await etcd.put("/sockbal/wishes/web/a/weight", '{"weight": 999, "over": 1}');
    await one.log.waitFor("fleet_wish_refused", ({ reason }) => String(reason).includes("/web/a/weight"));
    const said = one.log.events.filter(({ event }) => event === "fleet_wish_refused").map(({ fields }) =>
      fields
    );
    assert.equal(said.length, 21, "of many at once the first twenty are said");
    assert.deepEqual(said[0], {
      reason:
        'key "/sockbal/wishes/%zz": no key of a wish: that is POOL/BACKEND/state or POOL/BACKEND/weight',
    });
    assert.equal(said[19]?.more, 2);
    assert.deepEqual(said[20], {
      reason:
        'key "/sockbal/wishes/web/a/weight": write {"weight": 5, "over": 1}, of which "over" is the configured weight, ' +
        "both from 0 to 256, and nothing else but by and at",
    });
  },
);

testWithEtcd("a balancer whose lease or key is gone registers again", async (etcd) => {
  await using one = new Balancer(etcd, "lb1");
  await using two = new Balancer(etcd, "lb2");
  await one.sees("lb2 present");
  const { leases } = await etcd.call("lease/leases", {}) as { leases: { ID: string }[] };
  for (const { ID } of leases) await etcd.call("lease/revoke", { ID });
  await one.log.waitFor("fleet_member_lost");
  await one.sees("lb2 present");
  await two.sees("lb1 present");
  const losses = (): number => one.log.events.filter(({ event }) => event === "fleet_member_lost").length;
  await etcd.delete("/sockbal/members/lb2");
  await until(() => losses() === 2, "it is lost");
  await one.sees("lb2 present");
  assert.equal(one.log.events.some(({ event }) => event === "fleet_not_connected"), false);
});

testWithEtcd(
  "of two with one name the second says so and takes nothing, until the name is free",
  async (etcd) => {
    await using one = new Balancer(etcd, "lb1");
    await one.joined();
    await using other = new Balancer(etcd, "lb1");
    const taken = 'another balancer is called "lb1", at 10.0.0.1:3; give each a name of its own';
    await other.log.waitFor("fleet_name_taken", ({ reason }) => reason === taken);
    await other.joined();
    assert.equal(other.fleet.connection.trouble, taken);
    assert.equal(one.fleet.connection.trouble, "");
    // It takes part in everything else.
    other.give("a", "draining");
    await one.wants("a", "draining");
    await one.fleet.stop();
    await other.log.waitFor("fleet_name_free");
    assert.equal(other.fleet.connection.trouble, "");
    assert.equal(one.log.events.some(({ event }) => event === "fleet_name_taken"), false);
  },
);

testWithEtcd("one that takes the place of another has its name as soon as that leaves", async (etcd) => {
  await using one = new Balancer(etcd, "lb1");
  await using third = new Balancer(etcd, "lb2");
  await third.sees("lb1 present");
  await using next = new Balancer(etcd, "lb1");
  next.fleet.announce("next");
  await next.joined();
  await one.fleet.stop();
  await until(() => third.fleet.others()[0]?.digest === "next", "it is registered");
  assert.deepEqual(next.log.events.map(({ event }) => event), ["fleet_joined"]);
});

testWithEtcd(
  "wishes given to several at the same moment end alike everywhere, and are there after all have gone",
  async (etcd) => {
    {
      await using one = new Balancer(etcd, "lb1");
      await using two = new Balancer(etcd, "lb2");
      await Promise.all([one.joined(), two.joined()]);
      for (let i = 0; i < 60; i++) {
        one.give(`b${i}`, "draining");
        two.give(`b${i}`, "disabled");
      }
      const both = [one, two];
      const isSettled = (): boolean => both.every(({ fleet: { wishes } }) => wishes.due.length === 0);
      await until(isSettled, "all is written");
      await two.sees("lb1 present");
      const states = (it: Balancer): string =>
        JSON.stringify(Array.from({ length: 60 }, (_, i) => it.want(`b${i}`)));
      await until(() => states(one) === states(two), "they are alike");
      one.give("b0", "enabled");
      one.give("last", "draining");
    }
    await using later = new Balancer(etcd, "lb1");
    await later.joined();
    assert.deepEqual([later.want("b0"), later.want("last")], [{ state: "enabled" }, { state: "draining" }]);
    assert.equal(later.fleet.wishes.all.length, 61);
  },
);

testWithEtcd(
  "while etcd is away it is told since when, wishes hold, and both are told again when it is back",
  async (etcd) => {
    await using one = new Balancer(etcd, "lb1");
    await using two = new Balancer(etcd, "lb2");
    await one.sees("lb2 present");
    await etcd.stop();
    await one.log.waitFor("fleet_not_connected");
    await until(() => one.clock.pauses.length >= 3, "it was tried again");
    assert.deepEqual(one.clock.pauses.slice(0, 3), [1_000, 2_000, 4_000]);
    const { isConnected, trouble, sinceMs } = one.fleet.connection;
    assert.deepEqual([isConnected, trouble], [false, `cannot ask ${etcd.endpoint}: connection refused`]);
    assert.ok(Date.now() - sinceMs < 10_000);
    assert.equal(one.others, "lb2 present");
    one.give("a", "draining");
    two.give("b", "disabled");
    one.give("c", "draining");
    await new Promise((resolve) => setTimeout(resolve, 2));
    two.give("c", "disabled");
    assert.deepEqual([one.want("a"), two.want("a")], [{ state: "draining" }, undefined]);
    await etcd.start();
    await one.log.waitFor("fleet_connected_again");
    for (const it of [one, two]) {
      await it.wants("a", "draining");
      await it.wants("b", "disabled");
      await it.wants("c", "disabled");
    }
    assert.equal(one.log.events.filter(({ event }) => event === "fleet_not_connected").length, 1);
  },
);

testWithEtcd(
  "an etcd that has lost everything is told again who there is and what is wanted",
  async (etcd) => {
    await using one = new Balancer(etcd, "lb1");
    await using two = new Balancer(etcd, "lb2");
    await one.sees("lb2 present");
    one.give("a", "draining");
    await two.wants("a", "draining");
    await etcd.clear();
    await one.log.waitFor("fleet_not_connected");
    await two.log.waitFor("fleet_not_connected");
    await etcd.start();
    await one.log.waitFor("fleet_connected_again");
    await two.log.waitFor("fleet_connected_again");
    await one.sees("lb2 present");
    await two.sees("lb1 present");
    await using third = new Balancer(etcd, "lb3");
    await third.wants("a", "draining");
  },
);

testWithEtcd("a balancer stops soon when etcd hangs", async (etcd) => {
  await using one = new Balancer(etcd, "lb1");
  await one.joined();
  etcd.signal("SIGSTOP");
  const startedMs = performance.now();
  await one.fleet.stop();
  etcd.signal("SIGCONT");
  assert.ok(performance.now() - startedMs < 3_000);
  assert.equal(one.log.events.filter(({ event }) => event === "fleet_not_left").length, 1);
});

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What each balancer of a fleet does with a changed configuration, without sockets and with a clock of its own. */

import assert from "node:assert/strict";
import { keysBeside } from "../../lib/fleet/trial.ts";
import { FakeFleet, PATH } from "./fake_fleet.ts";

const PASSED = keysBeside(PATH).passed;

Deno.test("a change is in force at the canary first, and at the others when it has passed", async () => {
  const fleet = new FakeFleet();
  await fleet.pass(2);
  assert.equal(fleet.store.get(PASSED), "old");
  fleet.store.put(PATH, "new");
  await fleet.pass(3);
  assert.deepEqual([fleet.inForce, fleet.states], ["new old old", "trying waiting waiting"]);
  await fleet.pass(28);
  assert.deepEqual([fleet.inForce, fleet.states], ["new old old", "trying waiting waiting"]);
  await fleet.pass(4);
  assert.deepEqual([fleet.inForce, fleet.states], ["new new new", "in_force in_force in_force"]);
  assert.equal(fleet.store.get(PASSED), "new");
  assert.deepEqual(fleet.balancers.map(({ loaded }) => loaded), [["new"], ["new"], ["new"]]);
});

Deno.test("what cannot be put into force at the canary stops there, until the next change", async () => {
  const fleet = new FakeFleet();
  await fleet.pass(2);
  fleet.balancers[0]?.refuses.add("bad");
  fleet.store.put(PATH, "bad");
  await fleet.pass(40);
  assert.deepEqual([fleet.inForce, fleet.states], ["old old old", "stopped stopped stopped"]);
  assert.equal(fleet.balancers[2]?.rollout.reason, "lb1: it is bad");
  assert.equal(fleet.balancers[1]?.log.events.filter(({ event }) => event === "rollout_stopped").length, 1);
  assert.equal(fleet.store.get(PASSED), "old");
  fleet.store.put(PATH, "good");
  await fleet.pass(40);
  assert.deepEqual([fleet.inForce, fleet.states], ["good good good", "in_force in_force in_force"]);
});

Deno.test("sessions that begin to fail take the canary back at once, and stop the others", async () => {
  const fleet = new FakeFleet();
  const [canary] = fleet.balancers;
  await fleet.pass(70, () => canary?.serve(10));
  fleet.store.put(PATH, "new");
  await fleet.pass(5, () => canary?.serve(10));
  assert.equal(fleet.inForce, "new old old");
  await fleet.pass(3, () => canary?.serve(10, 3));
  assert.deepEqual([fleet.inForce, fleet.states], ["old old old", "stopped stopped stopped"]);
  assert.match(
    canary?.rollout.reason ?? "",
    /^lb1: 6 of \d+ sessions have failed \(\S+ %\), and 0 % before$/,
  );
  assert.deepEqual(canary?.loaded, ["new", "old"]);
});

Deno.test("a pool that nothing is left of at the end of the wait stops it, without any session", async () => {
  const fleet = new FakeFleet();
  await fleet.pass(2);
  fleet.store.put(PATH, "new");
  await fleet.pass(10);
  for (const it of fleet.balancers.slice(0, 1)) it.isReady = false;
  await fleet.pass(30);
  assert.deepEqual([fleet.inForce, fleet.states], ["old old old", "stopped stopped stopped"]);
});

Deno.test("a canary that is lost counts as failed, also when it comes back", async () => {
  const fleet = new FakeFleet();
  await fleet.pass(2);
  fleet.store.put(PATH, "new");
  await fleet.pass(5);
  const [canary] = fleet.balancers;
  assert.ok(canary !== undefined);
  canary.isDead = true;
  canary.agreement.lose();
  await fleet.pass(2);
  assert.equal(fleet.states, "trying stopped stopped");
  assert.equal(fleet.balancers[1]?.rollout.reason, "lb1 was lost while it tried it");
  canary.isDead = false;
  await fleet.pass(60);
  assert.deepEqual([fleet.inForce, fleet.states], ["old old old", "stopped stopped stopped"]);
});

Deno.test("two canaries have to pass; where there are fewer balancers, those that there are", async () => {
  for (const [count, first] of [[3, "new new old"], [1, "new"]] as const) {
    const fleet = new FakeFleet({ canary: 2, waitMs: 10_000 }, count);
    await fleet.pass(2);
    fleet.store.put(PATH, "new");
    await fleet.pass(6);
    assert.equal(fleet.inForce, first);
    await fleet.pass(10);
    assert.equal(fleet.inForce, Array(count).fill("new").join(" "));
  }
  const fleet = new FakeFleet({ canary: 2, waitMs: 10_000 });
  await fleet.pass(2);
  fleet.balancers[1]?.refuses.add("new");
  fleet.store.put(PATH, "new");
  await fleet.pass(20);
  assert.equal(fleet.inForce, "old old old");
});

Deno.test("a change during a trial ends it: the canary goes back, and the next change is tried", async () => {
  const fleet = new FakeFleet();
  await fleet.pass(2);
  fleet.store.put(PATH, "new");
  await fleet.pass(5);
  fleet.store.put(PATH, "newer");
  await fleet.pass(40);
  assert.equal(fleet.inForce, "newer newer newer");
  assert.deepEqual(fleet.balancers.map(({ loaded }) => loaded), [["new", "old", "newer"], ["newer"], [
    "newer",
  ]]);
  // Only what belongs to the last one is left.
  assert.equal([...fleet.store.values.keys()].filter((key) => key.includes("/canaries/")).length, 1);
  fleet.store.put(PATH, "newer");
  await fleet.pass(3);
  assert.equal(fleet.states, "in_force in_force in_force");
});

Deno.test("etcd that goes away in the middle changes nothing until it is back", async () => {
  const fleet = new FakeFleet();
  await fleet.pass(2);
  fleet.store.put(PATH, "new");
  await fleet.pass(5);
  fleet.store.isAway = true;
  for (const { rollout } of fleet.balancers) rollout.miss("etcd is away");
  await fleet.pass(60);
  assert.equal(fleet.inForce, "new old old");
  fleet.store.isAway = false;
  await fleet.pass(3);
  assert.equal(fleet.inForce, "new new new");
  const said = fleet.balancers[1]?.log.events.map(({ event }) => event).filter((it) =>
    it.startsWith("config_store")
  );
  assert.deepEqual(said, ["config_store_failed", "config_store_works_again"]);
});

Deno.test("what has passed and cannot be put into force at one balancer is said there", async () => {
  const fleet = new FakeFleet();
  await fleet.pass(2);
  fleet.balancers[2]?.refuses.add("new");
  fleet.store.put(PATH, "new");
  await fleet.pass(40);
  assert.deepEqual([fleet.inForce, fleet.states], ["new new old", "in_force in_force failed"]);
  assert.equal(fleet.balancers[2]?.rollout.reason, "it is bad");
});

Deno.test("without a policy a change comes into force everywhere at once, and nothing is written", async () => {
  const fleet = new FakeFleet("none");
  await fleet.pass(2);
  fleet.balancers[0]?.refuses.add("new");
  fleet.store.put(PATH, "new");
  await fleet.pass(1);
  assert.deepEqual([fleet.inForce, fleet.states], ["old new new", "failed in_force in_force"]);
  assert.deepEqual([...fleet.store.values.keys()], [PATH]);
});

Deno.test("a change that takes the policy out is tried, and taken back where it fails", async () => {
  const fleet = new FakeFleet(undefined, 3, false);
  await fleet.pass(2);
  fleet.store.put(PATH, "without");
  await fleet.pass(5);
  assert.equal(fleet.inForce, "without old old");
  fleet.balancers[0]?.serve(10, 10);
  await fleet.pass(3);
  assert.deepEqual([fleet.inForce, fleet.states], ["old old old", "stopped stopped stopped"]);
  fleet.store.put(PATH, "without");
  await fleet.pass(40);
  assert.deepEqual([fleet.inForce, fleet.store.get(PASSED)], ["without without without", "without"]);
  // From now on a change waits for a reload.
  fleet.store.put(PATH, "next");
  await fleet.pass(2);
  assert.deepEqual([fleet.inForce, fleet.states], ["without without without", "changed changed changed"]);
  fleet.balancers[0]?.rollout.take("next");
  await fleet.pass(2);
  assert.deepEqual([fleet.states, fleet.store.get(PASSED)], ["in_force changed changed", "next"]);
});

Deno.test("a key that is deleted changes nothing, and is said", async () => {
  const fleet = new FakeFleet();
  await fleet.pass(2);
  fleet.store.values.delete(PATH);
  await fleet.pass(3);
  assert.equal(fleet.inForce, "old old old");
  assert.equal(fleet.balancers[0]?.rollout.trouble, "there is no key /balancer.yaml any more");
  fleet.store.put(PATH, "old");
  await fleet.pass(1);
  assert.equal(fleet.balancers[0]?.rollout.trouble, "");
});

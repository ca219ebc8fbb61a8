import assert from "node:assert/strict";
import { differences, type News, Others } from "../../lib/fleet/others.ts";
import { formatRegistration, parseRegistration, type Registration } from "../../lib/fleet/registration.ts";

const SELF: Registration = {
  name: "lb1",
  address: "10.0.0.1:9901",
  version: "1",
  digest: "d",
  run: "r1",
  isLeaving: false,
};

function value(facts: Partial<Registration> = {}): string {
  return formatRegistration({ ...SELF, ...facts });
}

function kinds(news: readonly (News | undefined)[]): string[] {
  return news.flatMap((it) => it === undefined ? [] : `${it.who.name} ${it.kind}`);
}

Deno.test("one that goes without a word is lost since then, and back when it comes", () => {
  const others = new Others();
  assert.deepEqual(kinds([others.learn("lb2", value(), 1_000)]), ["lb2 joined"]);
  assert.deepEqual(kinds([others.learn("lb2", value({ digest: "e" }), 2_000)]), []);
  assert.deepEqual(kinds([others.learn("lb2", undefined, 3_000)]), ["lb2 lost"]);
  const [lost] = others.all(4_000);
  assert.deepEqual([lost?.state, lost?.sinceMs, lost?.digest], ["lost", 3_000, "e"]);
  assert.deepEqual(kinds([others.learn("lb2", undefined, 4_000)]), []);
  assert.deepEqual(kinds([others.learn("lb2", value(), 5_000)]), ["lb2 joined"]);
  assert.deepEqual(others.all(6_000).map(({ state, sinceMs }) => [state, sinceMs]), [["present", 5_000]]);
});

Deno.test("one that has said that it stops is not lost", () => {
  const others = new Others();
  others.learn("lb2", value(), 1_000);
  others.learn("lb2", value({ isLeaving: true }), 2_000);
  assert.deepEqual(kinds([others.learn("lb2", undefined, 3_000)]), ["lb2 left"]);
  assert.deepEqual(others.all(3_000), []);
});

Deno.test("who is missing when all keys are read again was lost meanwhile", () => {
  const others = new Others();
  others.learnAll(new Map([["lb2", value()], ["lb3", value()]]), 1_000);
  const news = others.learnAll(new Map([["lb3", value()], ["lb4", value()], ["bad", "nonsense"]]), 9_000);
  assert.deepEqual(kinds(news), ["lb2 lost", "lb4 joined"]);
  assert.deepEqual(others.all(9_000).map(({ name, state, sinceMs }) => [name, state, sinceMs]), [
    ["lb2", "lost", 9_000],
    ["lb3", "present", 1_000],
    ["lb4", "present", 9_000],
  ]);
});

Deno.test("one that was lost is forgotten after a day, and when a hundred others are lost after it", () => {
  const others = new Others();
  for (let i = 0; i < 102; i++) {
    others.learn(`lb${i}`, value(), i);
    others.learn(`lb${i}`, undefined, i);
  }
  const names = others.all(1_000).map(({ name }) => name);
  assert.deepEqual([names.length, names.includes("lb1"), names.includes("lb2")], [100, false, true]);
  assert.deepEqual(others.all(25 * 3_600_000), []);
});

Deno.test("versions and configurations are compared with those of this balancer", () => {
  const others = new Others();
  others.learn("same", value(), 1);
  others.learn("version", value({ version: "2" }), 1);
  others.learn("both", value({ version: "2", digest: "e" }), 1);
  others.learn("lost", value({ version: "2" }), 1);
  others.learn("lost", undefined, 1);
  const found = Object.fromEntries(others.all(1).map((it) => [it.name, differences(SELF, it)]));
  assert.deepEqual(found, { both: ["version", "configuration"], lost: [], same: [], version: ["version"] });
});

Deno.test("what a balancer says of itself is read as it was written", () => {
  for (const isLeaving of [true, false]) {
    assert.deepEqual(parseRegistration("lb1", formatRegistration({ ...SELF, isLeaving })), {
      ...SELF,
      isLeaving,
    });
  }
  assert.equal(parseRegistration("lb1", "{}"), undefined);
  assert.equal(parseRegistration("lb\x1b[1m", value()), undefined);
  assert.equal(parseRegistration("lb1", value({ version: "\n" })), undefined);
});

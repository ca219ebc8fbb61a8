/** Wishes of several balancers, and an etcd that is a map: who holds what, whatever the order of things. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { SharedWishes } from "../../lib/fleet/shared_wishes.ts";
import {
  formatWish,
  keyOfTopic,
  parseWish,
  topicOfKey,
  type Wanted,
  type WishTopic,
} from "../../lib/fleet/wish.ts";

const TOPIC: WishTopic = { pool: "web", backend: "a", what: "state" };
const KEY = keyOfTopic(TOPIC);
const DRAIN: Wanted = { state: "draining" };
const DISABLE: Wanted = { state: "disabled" };
const ENABLE: Wanted = { state: "enabled" };

/** As much of etcd as matters here. */
class Store {
  readonly #keys = new Map<string, { value: string; revision: string }>();
  #revision = 0;

  get entries(): { key: string; value: string; revision: string }[] {
    return [...this.#keys].map(([key, it]) => ({ key, ...it }));
  }

  put(key: string, value: string): void {
    this.#keys.set(key, { value, revision: String(++this.#revision) });
  }

  /** Writes what a balancer has to write, as far as its conditions hold. */
  writeFrom(wishes: SharedWishes): void {
    for (const due of wishes.due) {
      if ((this.#keys.get(due.key)?.revision ?? "0") !== due.revision) continue;
      this.put(due.key, formatWish(due.wish));
      wishes.written(due, String(this.#revision));
    }
  }
}

function wanted(wishes: SharedWishes): Wanted | undefined {
  return wishes.of(TOPIC)?.wanted;
}

/** Each reads what there is and writes what it has, until all is quiet. */
function settleAll(store: Store, ...all: SharedWishes[]): void {
  for (let round = 0; round < 3; round++) {
    for (const wishes of all) {
      for (const entry of store.entries) wishes.learn(entry);
      store.writeFrom(wishes);
    }
  }
}

Deno.test("a wish holds at once where it was given, and elsewhere when etcd has it", () => {
  const [one, other, store] = [new SharedWishes(), new SharedWishes(), new Store()];
  one.give(TOPIC, { wanted: DRAIN, by: "one" }, 1_000);
  assert.deepEqual([wanted(one), wanted(other)], [DRAIN, undefined]);
  store.writeFrom(one);
  assert.deepEqual(one.due, []);
  other.learnAll(store.entries, true);
  assert.deepEqual(other.of(TOPIC), { wanted: DRAIN, by: "one", atMs: 1_000 });
});

Deno.test("of two wishes at one moment the later one holds for all, whoever is the first to write", () => {
  for (const isFirst of [true, false]) {
    const [one, other, store] = [new SharedWishes(), new SharedWishes(), new Store()];
    one.give(TOPIC, { wanted: DRAIN, by: "one" }, 1_000);
    other.give(TOPIC, { wanted: DISABLE, by: "other" }, 1_001);
    assert.deepEqual([wanted(one), wanted(other)], [DRAIN, DISABLE]);
    settleAll(store, ...isFirst ? [one, other] : [other, one]);
    assert.deepEqual([wanted(one), wanted(other), one.due, other.due], [DISABLE, DISABLE, [], []]);
  }
});

Deno.test("with one and the same time, the first that etcd took holds for all", () => {
  const [one, other, store] = [new SharedWishes(), new SharedWishes(), new Store()];
  one.give(TOPIC, { wanted: DRAIN, by: "one" }, 1_000);
  other.give(TOPIC, { wanted: DISABLE, by: "other" }, 1_000);
  settleAll(store, other, one);
  assert.deepEqual([wanted(one), wanted(other)], [DISABLE, DISABLE]);
});

Deno.test("a wish that follows another one holds over it, however late the clock of its balancer is", () => {
  const [one, late, store] = [new SharedWishes(), new SharedWishes(), new Store()];
  one.give(TOPIC, { wanted: DRAIN, by: "one" }, 1_000_000);
  settleAll(store, one, late);
  late.give(TOPIC, { wanted: ENABLE, by: "late" }, 5);
  settleAll(store, one, late);
  assert.deepEqual([wanted(one), wanted(late)], [ENABLE, ENABLE]);
});

Deno.test("what was given while etcd was away is written then, unless a later one is there", () => {
  const [away, other, store] = [new SharedWishes(), new SharedWishes(), new Store()];
  settleAll(store, away, other);
  away.give(TOPIC, { wanted: DRAIN, by: "away" }, 1_000);
  other.give(TOPIC, { wanted: DISABLE, by: "other" }, 2_000);
  settleAll(store, other);
  assert.deepEqual(wanted(away), DRAIN);
  away.learnAll(store.entries, true);
  assert.deepEqual([wanted(away), away.due], [DISABLE, []]);
  away.give(TOPIC, { wanted: ENABLE, by: "away" }, 3_000);
  settleAll(store, other, away);
  assert.deepEqual([wanted(away), wanted(other)], [ENABLE, ENABLE]);
});

Deno.test("what was not written before a restart is written after it, if it is still the latest", () => {
  const [before, after, store] = [new SharedWishes(), new SharedWishes(), new Store()];
  before.give(TOPIC, { wanted: DRAIN, by: "one" }, 1_000);
  for (const { topic, value } of before.unwritten) {
    const wish = parseWish(value, topic);
    after.restore(topic, typeof wish === "string" ? assert.fail(wish) : wish);
  }
  assert.deepEqual(wanted(after), DRAIN);
  settleAll(store, after);
  assert.deepEqual([after.unwritten, store.entries.length], [[], 1]);
});

Deno.test("a key that is deleted is no wish any more, but an etcd that has lost everything is told again", () => {
  const [wishes, store] = [new SharedWishes(), new Store()];
  wishes.give(TOPIC, { wanted: DRAIN, by: "one" }, 1_000);
  settleAll(store, wishes);
  wishes.learnAll([], false);
  assert.deepEqual([wanted(wishes), wishes.due.map(({ revision }) => revision)], [DRAIN, ["0"]]);
  wishes.learnAll(store.entries, true);
  assert.deepEqual([wanted(wishes), wishes.due], [DRAIN, []]);
  wishes.learnAll([], true);
  assert.equal(wanted(wishes), undefined);
  settleAll(store, wishes);
  assert.equal(wishes.learn({ key: KEY, revision: "9" }), true);
  assert.equal(wanted(wishes), undefined);
});

Deno.test("state and weight are two wishes, and one does not take the other back", () => {
  const weight: WishTopic = { ...TOPIC, what: "weight" };
  const [one, other, store] = [new SharedWishes(), new SharedWishes(), new Store()];
  one.give(TOPIC, { wanted: DRAIN, by: "one" }, 1_000);
  other.give(weight, { wanted: { weight: 5, over: 1 }, by: "other" }, 1_000);
  settleAll(store, one, other);
  for (const wishes of [one, other]) {
    assert.deepEqual(
      wishes.all.map((it) => it.wish.wanted),
      wishes === one ? [DRAIN, { weight: 5, over: 1 }] : [{ weight: 5, over: 1 }, DRAIN],
    );
  }
});

Deno.test("whatever is said where, and however long etcd is away for each, all end alike", () => {
  const step = fc.record({
    who: fc.nat(2),
    says: fc.constantFrom(undefined, DRAIN, DISABLE, ENABLE),
    clockMs: fc.nat(50),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const store = new Store();
    const all = [new SharedWishes(), new SharedWishes(), new SharedWishes()];
    for (const { who, says, clockMs } of steps) {
      const wishes = all[who] ?? assert.fail();
      // One that says nothing comes to etcd now.
      if (says !== undefined) wishes.give(TOPIC, { wanted: says, by: String(who) }, clockMs);
      else settleAll(store, wishes);
    }
    settleAll(store, ...all);
    const ends = all.map((wishes) => JSON.stringify(wishes.of(TOPIC)));
    assert.equal(new Set(ends).size, 1);
    assert.deepEqual(all.flatMap((wishes) => wishes.due), []);
  }));
});

Deno.test("keys and values are read as they were written, and what is none is no wish", () => {
  for (
    const [pool, backend] of [["web", "a"], ["w/e b", "10.0.0.1:80"], ["ä", "unix:/run/a.sock"]] as const
  ) {
    for (const what of ["state", "weight"] as const) {
      assert.deepEqual(topicOfKey(keyOfTopic({ pool, backend, what })), { pool, backend, what });
    }
  }
  const drain = { wanted: { state: "draining", deadlineMs: 5 }, by: "one", atMs: 1_700_000_000_123 } as const;
  assert.deepEqual(parseWish(formatWish(drain), { what: "state" }), drain);
  assert.deepEqual(parseWish('{"state":"draining"}', { what: "state" }), { wanted: DRAIN, by: "", atMs: 0 });
  for (
    const value of ["", "{", "{}", '{"state":"gone"}', '{"weight":257,"over":1}', '{"weight":1,"over":1}']
  ) {
    assert.match(String(parseWish(value, { what: "state" })), /^write \{"state": "draining"\}/, value);
  }
  assert.match(String(parseWish('{"weight":257,"over":1}', { what: "weight" })), /^write \{"weight": 5/);
  for (const key of ["web/a", "web/a/x", "/a/state", "web/%zz/state"]) {
    assert.match(String(topicOfKey(key)), /^no key of a wish: /, key);
  }
  assert.equal(topicOfKey("web/10.0.0.1:80/state"), "write the key as web/10.0.0.1%3A80/state");
});

Deno.test("a key that is no wish is said once for each of its revisions", () => {
  const wishes = new SharedWishes();
  const refused = (): string => wishes.takeRefused().map(({ key }) => key).join();
  const junk = { key: KEY, value: "junk", revision: "1" };
  const stray = { key: "stray", value: "", revision: "2" };
  wishes.learnAll([junk, stray], true);
  assert.deepEqual([wanted(wishes), refused(), refused()], [undefined, `${KEY},stray`, ""]);
  wishes.learnAll([junk, stray], true);
  assert.equal(refused(), "", "they are read again");
  wishes.learn({ ...junk, revision: "3" });
  assert.equal(refused(), KEY);
  wishes.learn({ key: KEY, value: '{"state":"draining"}', revision: "4" });
  wishes.learn({ key: "stray", revision: "5" });
  assert.deepEqual([wanted(wishes), refused()], [DRAIN, ""]);
});

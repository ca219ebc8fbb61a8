import assert from "node:assert/strict";
import { leavePlace, Loads, makeLoads, takePlace } from "../../lib/engine/epoll/loads.ts";

function threads(count: number): Loads[] {
  const buffer = makeLoads();
  const taken = new Set<number>();
  return Array.from({ length: count }, () => {
    const place = takePlace(buffer, taken);
    taken.add(place);
    return new Loads(buffer, place);
  });
}

Deno.test("a thread that is a few connections ahead leaves the next one to others, until they have as many", () => {
  const [one = assert.fail(), two = assert.fail()] = threads(2);
  for (const it of [one, two]) it.begin(() => {});
  for (let i = 0; i < 5; i++) one.add();
  assert.equal(one.isAhead, true);
  assert.equal(two.isAhead, false);
  two.add();
  assert.equal(one.isAhead, false);
});

Deno.test("with many connections a part of them is no lead", () => {
  const [one = assert.fail(), two = assert.fail()] = threads(2);
  for (const it of [one, two]) it.begin(() => {});
  for (let i = 0; i < 100; i++) two.add();
  for (let i = 0; i < 154; i++) one.add();
  assert.equal(one.isAhead, false);
  one.add();
  assert.equal(one.isAhead, true);
});

Deno.test("a thread that does not accept, or has ended, is not compared with", () => {
  const buffer = makeLoads();
  const one = new Loads(buffer, takePlace(buffer, new Set()));
  const two = new Loads(buffer, takePlace(buffer, new Set([0])));
  one.begin(() => {});
  const end = two.begin(() => {});
  for (let i = 0; i < 10; i++) one.add();
  assert.equal(one.isAhead, true);
  end();
  assert.equal(one.isAhead, false);
  two.begin(() => {});
  assert.equal(one.isAhead, true);
  leavePlace(buffer, 1);
  assert.equal(one.isAhead, false);
});

Deno.test("an offer is heard once by each other thread, and not by the one that made it", () => {
  const heard: string[] = [];
  const [one = assert.fail(), two = assert.fail()] = threads(2);
  one.begin(() => heard.push("one"));
  two.begin(() => heard.push("two"));
  let rings = 0;
  one.ring = () => void rings++;
  one.offer();
  for (const it of [one, two, one, two]) it.look();
  assert.deepEqual([heard, rings], [["two"], 1]);
});

Deno.test("a thread that has left connections to others accepts again as soon as it is ahead no more", () => {
  const [one = assert.fail(), two = assert.fail()] = threads(2);
  let again = 0;
  const postponed: (() => void)[] = [];
  one.soon = (call) => void postponed.push(call);
  one.begin(() => void again++);
  two.begin(() => {});
  for (let i = 0; i < 6; i++) one.add();
  one.offer();
  one.remove();
  assert.equal(postponed.length, 0);
  one.remove();
  assert.deepEqual([again, postponed.length], [0, 1], "not in the midst of what removes it");
  one.remove();
  assert.equal(postponed.length, 1);
  postponed[0]?.();
  assert.equal(again, 1);
});

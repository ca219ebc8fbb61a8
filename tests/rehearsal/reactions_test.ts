import assert from "node:assert/strict";
import { Reactions } from "../../lib/rehearsal/reactions.ts";

Deno.test("a server that dies and returns is noticed, and recovers, as fast as the balancer says so", () => {
  const reactions = new Reactions();
  reactions.server("two", false, 1_000);
  reactions.backend("two", false, 1_200);
  reactions.server("two", true, 2_000);
  reactions.backend("two", true, 2_300);
  assert.deepEqual(reactions.measured(), { noticedMs: 200, recoveredMs: 300 });
});

Deno.test("of several servers the slowest counts, and where nothing happens there is nothing to notice", () => {
  const reactions = new Reactions();
  assert.deepEqual(reactions.measured(), { noticedMs: 0, recoveredMs: 0 });
  reactions.server("one", false, 0);
  reactions.server("two", false, 100);
  reactions.backend("one", false, 150);
  reactions.backend("two", false, 150);
  assert.deepEqual(reactions.measured(), { noticedMs: 150, recoveredMs: 0 });
});

Deno.test("what is not noticed by the end was never noticed", () => {
  const reactions = new Reactions();
  reactions.server("one", false, 0);
  assert.equal(reactions.measured().noticedMs, Infinity);
  reactions.backend("one", false, 100);
  reactions.server("one", true, 200);
  assert.deepEqual(reactions.measured(), { noticedMs: 100, recoveredMs: Infinity });
});

Deno.test("a server that is back before it was missed was away for so long, and has nothing to recover from", () => {
  const reactions = new Reactions();
  reactions.server("one", false, 0);
  reactions.server("one", true, 50);
  assert.deepEqual(reactions.measured(), { noticedMs: 50, recoveredMs: 0 });
});

Deno.test("a backend that goes down by itself is no reaction to a server", () => {
  const reactions = new Reactions();
  reactions.backend("one", false, 100);
  reactions.backend("one", true, 400);
  assert.deepEqual(reactions.measured(), { noticedMs: 0, recoveredMs: 0 });
});

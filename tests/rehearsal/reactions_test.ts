import assert from "node:assert/strict";
import { Reactions } from "../../lib/rehearsal/reactions.ts";

Deno.test("a server that dies and returns is noticed, and recovers, as fast as the balancer says so", () => {
  const reactions = new Reactions();
  reactions.server("two", false, 1_000);
  reactions.balancer("two", false, 1_200);
  reactions.server("two", true, 2_000);
  reactions.balancer("two", true, 2_300);
  assert.deepEqual(reactions.measured(), { noticedMs: 200, recoveredMs: 300 });
});

Deno.test("of several servers the slowest counts, and where nothing happens there is nothing to notice", () => {
  const reactions = new Reactions();
  assert.deepEqual(reactions.measured(), { noticedMs: undefined, recoveredMs: undefined });
  reactions.server("one", false, 0);
  reactions.server("two", false, 100);
  reactions.balancer("one", false, 150);
  reactions.balancer("two", false, 150);
  assert.deepEqual(reactions.measured(), { noticedMs: 150, recoveredMs: undefined });
});

Deno.test("what is not noticed by the end was never noticed", () => {
  const reactions = new Reactions();
  reactions.server("one", false, 0);
  assert.equal(reactions.measured().noticedMs, Infinity);
  reactions.balancer("one", false, 100);
  reactions.server("one", true, 200);
  assert.deepEqual(reactions.measured(), { noticedMs: 100, recoveredMs: Infinity });
});

Deno.test("a server that is back before it was missed was away for so long, and has nothing to recover from", () => {
  const reactions = new Reactions();
  reactions.server("one", false, 0);
  reactions.server("one", true, 50);
  assert.deepEqual(reactions.measured(), { noticedMs: 50, recoveredMs: 0 });
});

Deno.test("a server that was picked no more before it goes down is noticed at once", () => {
  const reactions = new Reactions();
  reactions.balancer("one", false, 50);
  reactions.server("one", false, 100);
  assert.deepEqual(reactions.measured(), { noticedMs: 0, recoveredMs: undefined });
});

Deno.test("a backend that goes down by itself is no reaction to a server", () => {
  const reactions = new Reactions();
  reactions.balancer("one", false, 100);
  reactions.balancer("one", true, 400);
  assert.deepEqual(reactions.measured(), { noticedMs: undefined, recoveredMs: undefined });
});

Deno.test("what is told again changes nothing", () => {
  const reactions = new Reactions();
  reactions.balancer("one", true, 0);
  reactions.server("one", false, 100);
  reactions.balancer("one", true, 150);
  reactions.balancer("one", false, 200);
  reactions.balancer("one", false, 900);
  assert.deepEqual(reactions.measured(), { noticedMs: 100, recoveredMs: undefined });
});

Deno.test("a server that the pool under load does not have is not waited for, and is no measure", () => {
  const reactions = new Reactions();
  reactions.balancer("one", undefined, 0);
  reactions.server("one", false, 100);
  reactions.server("one", true, 200);
  assert.deepEqual(reactions.measured(), { noticedMs: undefined, recoveredMs: undefined });
});

Deno.test("a server that leaves the pool under load is picked no more", () => {
  const reactions = new Reactions();
  reactions.server("one", false, 100);
  reactions.balancer("one", undefined, 400);
  assert.deepEqual(reactions.measured(), { noticedMs: 300, recoveredMs: undefined });
});

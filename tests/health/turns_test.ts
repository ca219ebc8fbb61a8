import assert from "node:assert/strict";
import { Turns } from "../../lib/health/turns.ts";

/** Works that are begun by their turn and ended by the test. */
function works(turns: Turns, count: number): {
  begun: number[];
  end: (i: number, error?: Error) => Promise<void>;
} {
  const begun: number[] = [];
  const all = Array.from({ length: count }, (_, i) => {
    const work = Promise.withResolvers<void>();
    const done = turns.run(() => {
      begun.push(i);
      return work.promise;
    });
    return { work, done };
  });
  return {
    begun,
    end: async (i, error) => {
      if (error === undefined) all[i]?.work.resolve();
      else all[i]?.work.reject(error);
      await all[i]?.done;
      // Whoever is next begins in a turn of its own.
      await new Promise((resolve) => setTimeout(resolve, 0));
    },
  };
}

Deno.test("no more are under way than the limit, and the others follow in the order they came", async () => {
  const { begun, end } = works(new Turns(2), 5);
  assert.deepEqual(begun, [0, 1]);
  await end(1);
  assert.deepEqual(begun, [0, 1, 2]);
  await end(2);
  await end(0);
  assert.deepEqual(begun, [0, 1, 2, 3, 4]);
  await end(4);
  await end(3);
});

Deno.test("work that fails gives its turn to the next, and tells its own caller", async () => {
  const { begun, end } = works(new Turns(1), 2);
  await assert.rejects(end(0, new Error("failed")), { message: "failed" });
  await end(1);
  assert.deepEqual(begun, [0, 1]);
});

Deno.test("turns that nobody waits for are free again", async () => {
  const turns = new Turns(1);
  assert.equal(await turns.run(() => Promise.resolve(1)), 1);
  assert.equal(await turns.run(() => Promise.resolve(2)), 2);
});

Deno.test("a limit that would let nobody in is refused", () => {
  for (const limit of [0, -1, 1.5, NaN]) assert.throws(() => new Turns(limit), { name: "RangeError" });
});

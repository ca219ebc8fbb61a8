// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { ReloadQueue } from "../../lib/control/reload_queue.ts";

/** A job of which each run ends when the test says so. */
function steppedJob(): {
  readonly runs: PromiseWithResolvers<string>[];
  readonly most: () => number;
  readonly job: () => Promise<string>;
} {
  const runs: PromiseWithResolvers<string>[] = [];
  let [now, most] = [0, 0];
  return {
    runs,
    most: () => most,
    job: async () => {
      most = Math.max(most, ++now);
      const run = Promise.withResolvers<string>();
      runs.push(run);
      try {
        return await run.promise;
      } finally {
        now--;
      }
    },
  };
}

/** Lets everything that is ready happen. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("a request that comes alone is served at once", async () => {
  const { runs, job } = steppedJob();
  const queue = new ReloadQueue(job);
  const answer = queue.request();
  runs[0]?.resolve("first");
  assert.equal(await answer, "first");
  const next = queue.request();
  assert.equal(runs.length, 2);
  runs[1]?.resolve("second");
  assert.equal(await next, "second");
});

Deno.test("however many ask while a job runs, one more follows, and each gets the outcome of the run that served it", async () => {
  const { runs, job, most } = steppedJob();
  const queue = new ReloadQueue(job);
  const first = queue.request();
  const during = Array.from({ length: 703 }, () => queue.request());
  assert.equal(runs.length, 1);
  runs[0]?.resolve("one");
  assert.equal(await first, "one");
  await turn();
  assert.equal(runs.length, 2);
  // The second run has begun: it may have read already what this one is about.
  const later = queue.request();
  runs[1]?.resolve("two");
  assert.deepEqual(new Set(await Promise.all(during)), new Set(["two"]));
  await turn();
  assert.equal(runs.length, 3);
  runs[2]?.resolve("three");
  assert.equal(await later, "three");
  await turn();
  assert.equal(runs.length, 3);
  assert.equal(most(), 1);
});

Deno.test("a run that fails is an answer for those it served, and the next one is run all the same", async () => {
  const { runs, job } = steppedJob();
  const queue = new ReloadQueue(job);
  const first = queue.request();
  const second = queue.request();
  runs[0]?.reject(new Error("no"));
  await assert.rejects(first, /no/);
  await turn();
  runs[1]?.resolve("yes");
  assert.equal(await second, "yes");
});

Deno.test("there is never more than one run at a time, whenever requests come", async () => {
  const { runs, job, most } = steppedJob();
  const queue = new ReloadQueue(job);
  const answers: Promise<string>[] = [];
  for (let i = 0; i < 50; i++) {
    const answer = queue.request();
    // Those that ask again as soon as they have their answer.
    answers.push(answer, answer.then(() => queue.request()));
    if (i % 3 === 0) runs.at(-1)?.resolve("done");
    if (i % 5 === 0) await turn();
  }
  for (let i = 0; i < 200; i++) {
    runs.at(-1)?.resolve("done");
    await turn();
  }
  await Promise.all(answers);
  assert.equal(most(), 1);
});

import assert from "node:assert/strict";
import { refusedPort } from "../support/backend.ts";
import { Workshop } from "../support/generation.ts";

const NOWHERE = { backends: [`127.0.0.1:${refusedPort()}`] };

Deno.test("the end of the balancer waits for no answer of a worker that hangs", async () => {
  const it = new Workshop("silent");
  const generation = await it.start(NOWHERE);
  const startedMs = performance.now();
  const answers = Promise.all([generation.confirm(), generation.adjust(generation.plan)]);
  it.stop.abort();
  assert.deepEqual(await answers, [false, false]);
  assert.ok(performance.now() - startedMs < 1_000, "it was not waited for");
  await generation.drain(0);
});

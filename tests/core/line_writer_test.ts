import assert from "node:assert/strict";
import fc from "fast-check";
import { LineWriter } from "../../lib/core/line_writer.ts";

function describeDrops(count: number): string {
  return `dropped ${count}\n`;
}

/** Lets timers run. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("whatever a writer takes and however often it fails, every byte arrives once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ maxLength: 40 }), { minLength: 1, maxLength: 20 }),
      // How many bytes the next write takes; 0 is a failure.
      fc.array(fc.nat({ max: 30 }), { maxLength: 60 }),
      async (texts, takes) => {
        const lines = texts.map((text) => `${text.replaceAll("\n", " ")}\n`);
        const arrived: number[] = [];
        let at = 0;
        const writer = new LineWriter({
          describeDrops,
          retryMs: 0,
          write: (bytes) => {
            const take = takes[at++] ?? bytes.length;
            if (take === 0) return Promise.reject(new Error("full"));
            arrived.push(...bytes.subarray(0, take));
            return Promise.resolve(Math.min(take, bytes.length));
          },
        });
        const wanted = new TextEncoder().encode(lines.join("")).length;
        for (const line of lines) writer.push(line);
        // deno-lint-ignore no-await-in-loop -- until all of it has arrived
        while (arrived.length < wanted) await nextTurn();
        assert.equal(await writer.close(), 0);
        assert.equal(new TextDecoder().decode(Uint8Array.from(arrived)), lines.join(""));
        assert.equal(writer.droppedInAll, 0);
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("between two tries of a writer that fails there is a pause", async () => {
  let tries = 0;
  const writer = new LineWriter({
    describeDrops,
    write: () => {
      tries++;
      return Promise.reject(new Error("full"));
    },
  });
  writer.push("a\n");
  for (let turn = 0; turn < 20; turn++) {
    // deno-lint-ignore no-await-in-loop -- time passes turn by turn
    await nextTurn();
    writer.push("b\n");
  }
  assert.equal(tries, 1, "no new line hurries it");
  assert.equal(await writer.close(), 21, "all that were left");
  assert.equal(tries, 2, "the end tries once more");
});

Deno.test("the end does not wait for the pause of a writer that works again", async () => {
  let isFull = true;
  let text = "";
  const writer = new LineWriter({
    describeDrops,
    retryMs: 3_600_000,
    write: (bytes) => {
      if (isFull) return Promise.reject(new Error("full"));
      text += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
  });
  writer.push("a\n");
  await nextTurn();
  isFull = false;
  assert.equal(await writer.close(), 0);
  assert.equal(text, "a\n");
});

Deno.test("a writer that is always too slow is one trouble, not one a batch", async () => {
  const told: string[] = [];
  let release = Promise.withResolvers<void>();
  const writer = new LineWriter({
    describeDrops,
    isSlownessTrouble: true,
    onTrouble: (reason) => told.push(reason),
    onRelief: ({ dropped }) => told.push(`relief ${dropped > 0}`),
    write: async (bytes) => {
      await release.promise;
      return bytes.length;
    },
  });
  const flood = (): void => {
    for (let n = 0; n < 1_200; n++) writer.push(`${"x".repeat(999)}\n`);
  };
  for (let round = 0; round < 3; round++) {
    flood();
    // deno-lint-ignore no-await-in-loop -- each round is one write
    await nextTurn();
    flood();
    release.resolve();
    release = Promise.withResolvers();
    // deno-lint-ignore no-await-in-loop -- each round is one write
    await nextTurn();
  }
  assert.deepEqual(told, ["its reader is too slow"]);
  release.resolve();
  await writer.close();
  assert.deepEqual(told, ["its reader is too slow", "relief true"]);
});

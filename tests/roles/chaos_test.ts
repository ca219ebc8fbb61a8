import assert from "node:assert/strict";
import { GOOD } from "../../lib/core/misbehaviour.ts";
import { failureOf } from "../../lib/respond/chance.ts";
import { playChaos } from "../../lib/roles/chaos.ts";
import { askUntilGone, bytes, text } from "../support/bytes.ts";
import { startMisbehaving } from "../support/misbehaving_server.ts";

/** How a client is served now. */
async function served(port: number): Promise<string> {
  try {
    const startedMs = performance.now();
    const answer = text(await askUntilGone(port, bytes("hi\n"))).trim() || "reset";
    return performance.now() - startedMs >= 99 ? `${answer}, late` : answer;
  } catch (error) {
    return error instanceof Error ? error.name : "";
  }
}

Deno.test("the server of the demo is well, fails in each way in turn, and is well again in between", async () => {
  await using running = await startMisbehaving("whoami", {});
  const stop = new AbortController();
  const heard: string[] = [];
  await playChaos(
    running.server,
    (what) => Promise.resolve(void heard.push(what)),
    async () => {
      heard.push(`${await served(running.port)}; ${await served(running.port)}`);
      if (heard.length > 13) stop.abort();
    },
    stop.signal,
  );
  const resets = [9, 10].map((connection) => {
    return failureOf(connection, { ...GOOD, failRate: 0.5 }) === undefined ? "me" : "reset";
  });
  assert.deepEqual(heard, [
    "me; me",
    "is gone: connections are refused",
    "ConnectionRefused; ConnectionRefused",
    "is well again",
    "me; me",
    "is slow: an answer takes 100 to 300 ms",
    "me, late; me, late",
    "is well again",
    "me; me",
    "resets about every second connection",
    resets.join("; "),
    "is well again",
    "me; me",
    "is gone: connections are refused",
    "ConnectionRefused; ConnectionRefused",
  ]);
});

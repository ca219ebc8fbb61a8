// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { parseListenAddress, type UdpAddress } from "../../lib/core/address.ts";
import { GOOD, type Misbehaviour } from "../../lib/core/misbehaviour.ts";
import { failureOf } from "../../lib/respond/chance.ts";
import type { DatagramHandler } from "../../lib/respond/datagram_handlers.ts";
import { startDatagramServer } from "../../lib/respond/datagram_server.ts";
import { MisbehavingAnswers } from "../../lib/respond/misbehaving_answers.ts";
import { bytes, text } from "../support/bytes.ts";
import { UdpPeer } from "../support/udp.ts";
import { memoryLog } from "../support/memory_log.ts";

interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly answers: MisbehavingAnswers;
  stop(): Promise<void>;
}

async function start(
  wrong: Partial<Misbehaviour>,
  handler: DatagramHandler = (datagram) => datagram,
): Promise<TestServer> {
  const answers = new MisbehavingAnswers({ ...GOOD, failHow: "hang", ...wrong });
  const { address, stop } = await startDatagramServer({
    listen: parseListenAddress("udp:127.0.0.1:0") as UdpAddress,
    handler,
    name: undefined,
    misbehaviour: answers,
    log: memoryLog().log,
  });
  return { port: Number(address.split(":").at(-1)), answers, stop, [Symbol.asyncDispose]: stop };
}

Deno.test("of datagrams as many are not answered as the seed says, and the same", async () => {
  await using running = await start({ failRate: 0.3, seed: 2 });
  using client = new UdpPeer();
  const kept: string[] = [];
  for (let i = 1; i <= 40; i++) {
    await client.send(bytes(`${i}`), running);
    if (failureOf(i, { failRate: 0.3, failHow: "hang", seed: 2 }) === undefined) kept.push(`${i}`);
  }
  const heard: string[] = [];
  for (let i = 0; i < kept.length; i++) heard.push(text((await client.next()).bytes));
  assert.ok(kept.length < 40);
  assert.deepEqual(heard, kept);
});

Deno.test("an answer that fails by garbage is as long, and another one", async () => {
  await using running = await start({ failRate: 1, failHow: "garbage" });
  using client = new UdpPeer();
  const answer = await client.ask(bytes("hello"), running);
  assert.equal(answer.length, 5);
  assert.notEqual(text(answer), "hello");
  running.answers.set({ failRate: 0 });
  assert.equal(text(await client.ask(bytes("hello"), running)), "hello");
});

Deno.test("answers that are late do not hold up one another, and carry each its own bytes", async () => {
  await using running = await start({ delay: { kind: "range", fromMs: 200, toMs: 200 } });
  using client = new UdpPeer();
  const startedMs = performance.now();
  for (let i = 0; i < 10; i++) await client.send(bytes(`${i}`), running);
  const heard: string[] = [];
  for (let i = 0; i < 10; i++) heard.push(text((await client.next()).bytes));
  const tookMs = performance.now() - startedMs;
  assert.deepEqual(heard.sort(), Array.from({ length: 10 }, (_, i) => `${i}`));
  assert.ok(tookMs >= 199 && tookMs < 10 * 200, `${tookMs} ms`);
});

Deno.test("a server that is stopped sends nothing more, and waits for nothing", async () => {
  const received = Promise.withResolvers<void>();
  const running = await start({ delay: { kind: "range", fromMs: 600_000, toMs: 600_000 } }, (datagram) => {
    received.resolve();
    return datagram;
  });
  using client = new UdpPeer();
  await client.send(bytes("x"), running);
  await received.promise;
  await running.stop();
  // A timer that was left would fail this test.
});

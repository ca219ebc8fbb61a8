/** When a backend cannot be reached: how many others are tried, and when none is. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import {
  enterToReset,
  startBackend,
  startNamedBackend,
  startResettingBackend,
  startSilentBackend,
  visit,
} from "../support/backend.ts";
import { localPort, startTestBalancer, until } from "../support/balancer.ts";
import { onEachEngine, readUntilCut } from "../support/engines.ts";
import { bytes, readAll, readExactly, text } from "../support/bytes.ts";
import { refusedPort } from "../support/ports.ts";

function refusing(name: string): { name: string; address: string } {
  return { name, address: `127.0.0.1:${refusedPort()}` };
}

const cases = [
  { what: "next upstream off: retries 0 try one backend", retries: 0, tried: ["r1"], served: "" },
  { what: "next upstream tries: retries 1 try two backends", retries: 1, tried: ["r1", "r2"], served: "" },
  { what: "next upstream on: retries 2 reach the third", retries: 2, tried: ["r1", "r2"], served: "good" },
  {
    what: "when all were tried, the same are dialled again until there are no retries left",
    retries: 3,
    tried: ["r1", "r2", "r1", "r1"],
    served: "",
  },
];

for (const { what, retries, tried, served } of cases) {
  onEachEngine(what, async (engine) => {
    await using good = startNamedBackend("good");
    const hasGood = served === "good" || retries < 2;
    await using balancer = await startTestBalancer({
      engine,
      backends: [refusing("r1"), refusing("r2"), ...(hasGood ? [good.member] : [])],
      pool: { algorithm: "first", retries },
    });
    assert.equal(await visit(balancer.port), served);
    const [record] = await balancer.waitForRecords(1);
    assert.deepEqual(record?.failed, tried.map((name) => `${name}: connection refused`));
    assert.equal(record?.attempts, tried.length + (served === "" ? 0 : 1));
    assert.equal(record?.end, served === "" ? "dial_failed" : "done");
    assert.equal(record?.backend, served === "" ? undefined : served);
    assert.equal(good.served, served === "" ? 0 : 1);
  });
}

onEachEngine("next upstream down: a backend that is down is passed over without a dial", async (engine) => {
  await using good = startNamedBackend("good");
  await using balancer = await startTestBalancer({
    engine,
    backends: [refusing("down"), good.member],
    pool: { algorithm: "first", retries: 0, health_check: { interval: "100ms", fall: 1 } },
  });
  await balancer.log.waitFor("backend_down");
  assert.equal(await visit(balancer.port), "good");
  const [record] = await balancer.waitForRecords(1);
  assert.equal(record?.attempts, 1);
  assert.equal(record?.failed, undefined);
});

for (const [bytesOf, greeting] of [["the client", ""], ["the backend", "hello"]] as const) {
  onEachEngine(
    `no other backend is tried when one resets after bytes of ${bytesOf} were relayed`,
    async (engine) => {
      await using resetting = await startResettingBackend("asked", greeting);
      await using other = startNamedBackend("other");
      await using balancer = await startTestBalancer({
        engine,
        backends: [{ name: "resetting", address: resetting.address }, other.member],
        pool: { algorithm: "first" },
      });
      using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
      assert.equal(text(await readExactly(client, greeting.length)), greeting);
      await writeAll(client, bytes("GET /"));
      assert.equal(text(await readUntilCut(client, engine)), "");
      const record = await balancer.recordOf(localPort(client));
      assert.equal(record.end, "backend_reset");
      assert.equal(record.backend, "resetting");
      assert.equal(record.attempts, 1);
      assert.equal(other.served, 0);
    },
  );
}

onEachEngine(
  "a client that resets while a silent backend is dialled stops the retries at once and frees the slot",
  async (engine) => {
    const silent = await startSilentBackend();
    await using other = startNamedBackend("other");
    await using balancer = await startTestBalancer({
      engine,
      backends: [silent.address, other.member],
      pool: { algorithm: "first", dial_timeout: "1m" },
    });
    const client = await enterToReset(balancer.port);
    await until(() => balancer.active(0) === 1, "the silent backend is dialled");
    await client.reset();
    const record = await balancer.recordOf(client.port);
    assert.equal(record.end, "client_reset");
    assert.equal(record.attempts, 1);
    assert.equal(record.backend, undefined);
    assert.equal(balancer.active(0), 0);
    assert.equal(other.served, 0);
    silent.stop();
  },
);

onEachEngine(
  "a client that has sent all and ended while a silent backend is dialled is served whole by the next",
  async (engine) => {
    const silent = await startSilentBackend();
    const echo = startBackend(async (conn) => await writeAll(conn, await readAll(conn)));
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ name: "silent", address: silent.address }, echo.address],
      pool: { algorithm: "first", dial_timeout: "100ms" },
    });
    using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    await writeAll(client, bytes("all that I have to say"));
    await client.closeWrite();
    assert.equal(text(await readAll(client)), "all that I have to say");
    const record = await balancer.recordOf(localPort(client));
    assert.deepEqual(record.failed, ["silent: timed out"]);
    assert.equal(record.attempts, 2);
    assert.equal(record.end, "done");
    await echo.stop();
    silent.stop();
  },
);

onEachEngine(
  "an attempt that has failed gives its slot back: retries fill up nobody's max_connections",
  async (engine) => {
    await using flapping = startNamedBackend("flapping");
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ ...flapping.member, max_connections: 1 }],
      workers: 4,
    });
    await flapping.goDown();
    const names = await Promise.all(Array.from({ length: 20 }, () => visit(balancer.port)));
    assert.deepEqual(names, Array(20).fill(""));
    await balancer.waitForRecords(20);
    flapping.comeUp();
    assert.equal(balancer.active(0), 0);
    assert.equal(await visit(balancer.port), "flapping");
  },
);

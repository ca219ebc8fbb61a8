// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** How many connections one source may have, and how fast it may open them. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startNamedBackend } from "../support/backend.ts";
import { startTestBalancer, type TestBalancer, testConfig, until } from "../support/balancer.ts";
import { bytes, readExactly, text } from "../support/bytes.ts";
import { onEachEngine } from "../support/engines.ts";

const FROM_HERE = { from: ["127.0.0.0/8"] };

function header(client: string): string {
  const family = client.includes(":") ? "TCP6" : "TCP4";
  const server = family === "TCP6" ? "2001:db8::2" : "198.51.100.7";
  return `PROXY ${family} ${client} ${server} 56324 443\r\n`;
}

/** A connection that was served once and is open; undefined when it was cut. */
async function open(port: number, client?: string): Promise<Deno.TcpConn | undefined> {
  let conn: Deno.TcpConn | undefined;
  try {
    conn = await Deno.connect({ hostname: "127.0.0.1", port });
    if (client !== undefined) await writeAll(conn, bytes(header(client)));
    assert.equal(text(await readExactly(conn, 2)), "hi");
    return conn;
  } catch (error) {
    conn?.close();
    if (error instanceof assert.AssertionError) throw error;
    return undefined;
  }
}

async function isOpened(port: number, client?: string): Promise<boolean> {
  const conn = await open(port, client);
  conn?.close();
  return conn !== undefined;
}

/** How many were not let in, by reason. */
function denied({ log }: TestBalancer, reason: string): number {
  return log.events.filter((it) => it.event === "sessions_denied" && it.fields.reason === reason)
    .reduce((sum, { fields }) => sum + Number(fields.count), 0);
}

onEachEngine(
  "a source has so many connections over all workers, and a place is free when one ends",
  async (engine) => {
    await using backend = startNamedBackend("hi");
    await using balancer = await startTestBalancer({
      engine,
      workers: 2,
      backends: [backend.member],
      listener: { max_connections_per_source: 10 },
    });
    const conns = await Promise.all(Array.from({ length: 40 }, () => open(balancer.port)));
    const served = conns.filter((it) => it !== undefined);
    // The first of a source may come to both workers in the same instant.
    assert.ok(served.length >= 10 && served.length <= 11, `${served.length} of 40`);
    for (const conn of served.splice(0, served.length - 7)) conn.close();
    await until(() => balancer.active(0) === 7, "7 are left");
    for (let i = 0; i < 3; i++) {
      served.push(
        await open(balancer.port) ?? assert.fail("there is room for three"),
      );
    }
    assert.equal(await open(balancer.port), undefined);
    for (const conn of served) conn.close();
    await until(() => balancer.active(0) === 0, "none is left");
    await until(() => denied(balancer, "source_limit") >= 30, "those that were cut are summed up");
    assert.ok(balancer.records().every(({ end }) => end !== "source_limit"));
  },
);

onEachEngine(
  "an IPv6 /64 is one source, mapped IPv4 is IPv4, and others have their own limit",
  async (engine) => {
    await using backend = startNamedBackend("hi");
    await using balancer = await startTestBalancer({
      engine,
      backends: [backend.member],
      listener: { proxy_protocol: FROM_HERE, max_connections_per_source: 2 },
    });
    const clients: [client: string, isServed: boolean][] = [
      ["2001:db8:0:1::1", true],
      ["2001:db8:0:1:ffff::2", true],
      ["2001:db8:0:1::3", false],
      ["2001:db8:0:2::1", true],
      ["192.0.2.1", true],
      ["::ffff:192.0.2.1", true],
      ["192.0.2.1", false],
      ["192.0.2.2", true],
    ];
    const conns: Deno.TcpConn[] = [];
    for (const [client, isServed] of clients) {
      const conn = await open(balancer.port, client);
      assert.equal(conn !== undefined, isServed, client);
      if (conn !== undefined) conns.push(conn);
    }
    const examples = (): unknown[] =>
      balancer.log.events.filter((it) => it.event === "sessions_denied").map((it) => it.fields.client);
    await until(() => denied(balancer, "source_limit") === 2, "two are summed up");
    assert.ok(examples().every((it) => it === "2001:db8:0:1::/64" || it === "192.0.2.1"), String(examples()));
    for (const conn of conns) conn.close();
  },
);

onEachEngine("a source opens a burst of connections at once, and then so many a second", async (engine) => {
  await using backend = startNamedBackend("hi");
  await using balancer = await startTestBalancer({
    engine,
    workers: 2,
    backends: [backend.member],
    listener: { proxy_protocol: FROM_HERE, connection_rate: { per_second: 4, burst: 12 } },
  });
  const startedMs = Date.now();
  let served = 0;
  for (let i = 0; i < 40; i++) if (await isOpened(balancer.port, "192.0.2.1")) served++;
  const filledIn = Math.ceil((Date.now() - startedMs) / 250);
  assert.ok(served >= 12 && served <= 12 + filledIn, `${served} were served`);
  assert.ok(await isOpened(balancer.port, "192.0.2.2"), "another source");
  await until(() => denied(balancer, "connection_rate") === 40 - served, "the others are summed up");
  const waitMs = 600 - (Date.now() - startedMs) % 250;
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, waitMs)));
  assert.ok(await isOpened(balancer.port, "192.0.2.1"), "the bucket fills in");
});

onEachEngine(
  "a reload keeps the counts of a listener that stays, also of sessions of workers that are replaced",
  async (engine) => {
    await using backend = startNamedBackend("hi");
    const options = { engine, backends: [backend.member], workers: 2 };
    await using balancer = await startTestBalancer({
      ...options,
      listener: { max_connections_per_source: 2 },
    });
    const conns = [await open(balancer.port), await open(balancer.port)];
    assert.ok(!conns.includes(undefined) && !await isOpened(balancer.port));
    const listener = { listen: `127.0.0.1:${balancer.port}`, max_connections_per_source: 3 };
    assert.equal(await balancer.balancer.reload(testConfig({ ...options, listener })), "replaced");
    conns.push(await open(balancer.port));
    assert.ok(conns[2] !== undefined && !await isOpened(balancer.port), "one more, and no other");
    conns[0]?.close();
    await until(() => balancer.active(0) === 2, "one of an old worker has ended");
    assert.ok(await isOpened(balancer.port));
    for (const conn of conns.slice(1)) conn?.close();
  },
);

onEachEngine("when a worker dies, what its sources had is given back", async (engine) => {
  await using backend = startNamedBackend("hi");
  await using balancer = await startTestBalancer({
    engine,
    backends: [backend.member],
    workers: 1,
    listener: { max_connections_per_source: 2 },
    workerEntry: import.meta.resolve("../support/workers/mortal_source_worker.ts"),
  });
  const conns = [await open(balancer.port), await open(balancer.port)];
  assert.ok(!conns.includes(undefined) && !await isOpened(balancer.port));
  const orders = new BroadcastChannel("mortal_source_worker");
  orders.postMessage("data-plane-0");
  await balancer.log.waitFor("worker_restarted");
  for (const conn of conns) conn?.close();
  const again = [await open(balancer.port), await open(balancer.port)];
  assert.ok(!again.includes(undefined), "both places are free again");
  assert.ok(!await isOpened(balancer.port));
  for (const conn of again) conn?.close();
  orders.close();
});

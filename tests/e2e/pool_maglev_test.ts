// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Who is known by a hash: always the same backend, in every worker and in every balancer. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { startNamedBackend, visit } from "../support/backend.ts";
import { startTestBalancer } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";
import { readAll, text } from "../support/bytes.ts";

/** Visits from one of the many addresses that this machine has for itself; only node:net can choose one. */
async function visitFrom(localAddress: string, port: number): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, localAddress });
  let name = "";
  socket.on("data", (data) => name += data);
  socket.end();
  await once(socket, "close");
  return name.trimEnd();
}

onEachEngine(
  "hash consistent: a source address has one backend, over all workers and over two balancers",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    const pool = { algorithm: "maglev" };
    await using one = await startTestBalancer({
      engine,
      backends: [a.member, b.member, c.member],
      pool,
      workers: 4,
    });
    await using two = await startTestBalancer({ engine, backends: [c.member, a.member, b.member], pool });
    const addresses = Array.from({ length: 30 }, (_, i) => `127.0.0.${i + 1}`);
    const everywhere = await Promise.all(addresses.map(async (address) => {
      const ports = [one.port, one.port, one.port, one.port, two.port, two.port];
      return new Set(await Promise.all(ports.map((port) => visitFrom(address, port))));
    }));
    assert.ok(everywhere.every((names) => names.size === 1));
    assert.equal(new Set(everywhere.flatMap((names) => [...names])).size, 3, "all backends have some");
  },
);

onEachEngine(
  "hash consistent: when a backend refuses its clients alone go elsewhere, and they come back with it",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member, b.member, c.member],
      pool: { algorithm: "maglev" },
    });
    const addresses = Array.from({ length: 30 }, (_, i) => `127.0.0.${i + 1}`);
    const visitors = (): Promise<string[]> =>
      Promise.all(addresses.map((address) => visitFrom(address, balancer.port)));
    const before = await visitors();
    await b.goDown();
    const [during, again] = [await visitors(), await visitors()];
    b.comeUp();
    assert.deepEqual(during.filter((_, i) => before[i] !== "b"), before.filter((name) => name !== "b"));
    assert.ok(during.every((name) => name === "a" || name === "c"));
    assert.deepEqual(again, during);
    assert.deepEqual(await visitors(), before);
  },
);

onEachEngine(
  "hash_key source_address spreads the connections of one client over all backends",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member, b.member, c.member],
      pool: { algorithm: "maglev", hash_key: "source_address" },
    });
    const names = await Promise.all(Array.from({ length: 60 }, () => visit(balancer.port)));
    assert.deepEqual([...new Set(names)].sort(), ["a", "b", "c"]);
  },
);

onEachEngine(
  "empty key: clients of a Unix socket, which have no address, all have the same backend",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    const folder = await Deno.makeTempDir();
    const path = `${folder}/web.sock`;
    const visitPath = async (): Promise<string> => {
      using conn = await Deno.connect({ transport: "unix", path });
      await conn.closeWrite();
      return text(await readAll(conn)).trimEnd();
    };
    for (const hashKey of ["source_ip", "source_address"]) {
      await using balancer = await startTestBalancer({
        engine,
        backends: [a.member, b.member, c.member],
        listener: { listen: `unix:${path}` },
        pool: { algorithm: "maglev", hash_key: hashKey },
      });
      const names = new Set(await Promise.all(Array.from({ length: 20 }, visitPath)));
      assert.equal(names.size, 1, hashKey);
      assert.ok(!names.has(""), hashKey);
      const records = await balancer.waitForRecords(20);
      assert.ok(records.every((record) => record.client === "unix" && record.end === "done"));
    }
    await Deno.remove(folder, { recursive: true });
  },
);

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** on_backend_down: what becomes of the sessions that a backend has when it goes down. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { enter, type Guest, startCheckedBackend, visit } from "../support/backend.ts";
import { localPort, startTestBalancer, until } from "../support/balancer.ts";
import { onEachEngine, readUntilCut } from "../support/engines.ts";
import { bytes, readAll, readExactly, text } from "../support/bytes.ts";

const HTTP_CHECK = { type: "http", interval: "100ms", timeout: "5s", rise: 1, fall: 2 };

async function enterMany(port: number, count: number): Promise<Guest[]> {
  const guests: Guest[] = [];
  for (let i = 0; i < count; i++) guests.push(await enter(port, "?"));
  return guests;
}

/** Whether the backend still answers. */
async function isEchoed({ conn }: Guest): Promise<boolean> {
  await writeAll(conn, bytes("still there"));
  return text(await readExactly(conn, 11)) === "still there";
}

onEachEngine(
  "CloseOnHealthFailure: the sessions of a backend that goes down are closed, in all workers, and no others",
  async (engine) => {
    await using a = startCheckedBackend("a");
    await using b = startCheckedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member, b.member],
      pool: { health_check: HTTP_CHECK, on_backend_down: "close" },
      workers: 4,
    });
    const guests = await enterMany(balancer.port, 20);
    const [ofA, ofB] = ["a", "b"].map((name) => guests.filter((guest) => guest.name === name));
    assert.deepEqual([ofA?.length, ofB?.length], [10, 10]);
    a.isWell = false;
    for (const guest of ofA ?? []) {
      assert.equal(text(await readUntilCut(guest.conn, engine)), "");
      const record = await balancer.recordOf(localPort(guest.conn));
      assert.equal(record.end, "backend_down");
      assert.equal(record.backend, "a");
      assert.deepEqual([record.bytes_in, record.bytes_out], [1, 2]);
    }
    assert.equal(balancer.active(0), 0);
    for (const guest of ofB ?? []) assert.ok(await isEchoed(guest));
    assert.equal(await visit(balancer.port, "?") + await visit(balancer.port, "?"), "bb");
    for (const guest of guests) guest.conn.close();
    const records = await balancer.waitForRecords(22);
    assert.equal(records.filter((record) => record.end === "done").length, 12);
  },
);

onEachEngine("CloseOnHealthFailure: the sessions of a backend that is up again are kept", async (engine) => {
  await using a = startCheckedBackend("a");
  await using balancer = await startTestBalancer({
    engine,
    backends: [a.member],
    pool: { health_check: HTTP_CHECK, on_backend_down: "close" },
  });
  a.isWell = false;
  await balancer.log.waitFor("backend_down");
  a.isWell = true;
  await balancer.log.waitFor("backend_up");
  using guest = await enter(balancer.port, "?");
  const { checks } = a;
  await until(() => a.checks >= checks + 3, "it was checked again");
  assert.ok(await isEchoed(guest));
});

onEachEngine(
  "NoCloseOnHealthFailure: they are kept by default, and end when they come to their end",
  async (engine) => {
    await using a = startCheckedBackend("a");
    await using b = startCheckedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member, b.member],
      pool: { health_check: HTTP_CHECK },
    });
    const guests = await enterMany(balancer.port, 4);
    a.isWell = false;
    await balancer.log.waitFor("backend_down");
    assert.equal(await visit(balancer.port, "?") + await visit(balancer.port, "?"), "bb");
    for (const guest of guests) {
      assert.ok(await isEchoed(guest));
      await guest.conn.closeWrite();
      assert.equal(text(await readAll(guest.conn)), "");
      assert.equal((await balancer.recordOf(localPort(guest.conn))).end, "done");
      guest.conn.close();
    }
  },
);

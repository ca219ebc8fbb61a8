// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Every type of check against backends of every sort, well or not, each in its own way. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend, startResettingBackend, startSilentBackend } from "../support/backend.ts";
import { startTestBalancer, until } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";
import { bytes, readAll } from "../support/bytes.ts";
import { refusedPort } from "../support/ports.ts";

const TIMING = { interval: "100ms", timeout: "1s", rise: 2, fall: 2 };

type Answer = (conn: Deno.TcpConn, check: number) => Promise<void> | void;

/** A backend that answers each check, which it counts from 1. */
interface Answering extends AsyncDisposable {
  readonly address: string;
  readonly accepted: number;
}

function answering(answer: Answer, isAsked = true): Answering {
  let checks = 0;
  const backend = startBackend(async (conn) => {
    const check = ++checks;
    if (isAsked) await conn.read(new Uint8Array(1024));
    await answer(conn, check);
  });
  return {
    address: backend.address,
    get accepted() {
      return backend.accepted;
    },
    [Symbol.asyncDispose]: () => backend.stop(),
  };
}

function say(...pieces: string[]): Answer {
  return async (conn) => {
    conn.setNoDelay(true);
    for (const [i, piece] of pieces.entries()) {
      if (i > 0) await new Promise((resolve) => setTimeout(resolve, 20));
      await writeAll(conn, bytes(piece));
    }
  };
}

const sayNothing: Answer = async (conn) => void await readAll(conn);

/** Backends that are checked together: whoever has a reason goes down for it, the others stay up. */
async function assertFound(
  healthCheck: Record<string, unknown>,
  well: Record<string, Answering>,
  ill: Record<string, { readonly address: string; readonly reason: RegExp }>,
): Promise<void> {
  const members = Object.entries({ ...well, ...ill }).map(([name, { address }]) => ({ name, address }));
  await using balancer = await startTestBalancer({
    backends: members,
    pool: { health_check: { ...TIMING, ...healthCheck } },
    workers: 1,
  });
  for (const [name, { reason }] of Object.entries(ill)) {
    const { level, fields } = await balancer.log.waitFor("backend_down", (fields) => fields.backend === name);
    assert.match(String(fields.reason), reason, name);
    assert.deepEqual([level, fields.pool], ["warning", "web"]);
  }
  await until(
    () => Object.values(well).every((it) => it.accepted >= 5),
    "the others were checked often enough",
  );
  const changes = balancer.log.events.filter(({ event }) => /^backend_/.test(event));
  assert.deepEqual(changes.map(({ fields }) => fields.backend).sort(), Object.keys(ill).sort());
  await balancer.stop();
  for (const backend of Object.values(well)) await backend[Symbol.asyncDispose]();
}

Deno.test("tcp checks: whoever accepts is up, even if it closes at once; one that refuses or accepts nothing is down", async () => {
  const silent = await startSilentBackend();
  await assertFound(
    { type: "tcp" },
    { well: answering(sayNothing), closing: answering(() => {}, false) },
    {
      refusing: { address: `127.0.0.1:${refusedPort()}`, reason: /^connection refused$/ },
      silent: { address: silent.address, reason: /^no connection within 1s$/ },
    },
  ).finally(() => silent.stop());
});

Deno.test("http checks: a good status in time is up, whatever its pieces; all else is down, each for its reason", async () => {
  const silent = await startSilentBackend();
  await using resetting = await startResettingBackend("asked");
  await using hanging = answering(sayNothing);
  await using closing = answering(() => {});
  await using failing = answering(say("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"));
  await using babbling = answering(say("220 mail ready\r\n"));
  await using broken = answering(say("HTTP/1.1 20"));
  await using trickling = answering(say(...`HTTP/1.1 200 ${"OK".repeat(50)}\r\n\r\n`));
  await assertFound(
    { type: "http", path: "/health", expect_status: ["200-299", 304] },
    {
      well: answering(say("HTTP/1.1 200 OK\r\n\r\n")),
      slow: answering(say("HTTP/1.1 1", "03 Early Hints\r\n\r", "\nHTTP/1.1 204\r\n\r\n")),
      endless: answering(async (conn) => {
        await writeAll(conn, bytes("HTTP/1.1 304 Not Modified\r\n\r\n"));
        for (;;) await conn.write(new Uint8Array(65_536));
      }),
    },
    {
      refusing: { address: `127.0.0.1:${refusedPort()}`, reason: /^connection refused$/ },
      silent: { address: silent.address, reason: /^no connection within 1s$/ },
      hanging: { address: hanging.address, reason: /^no answer within 1s$/ },
      resetting: { address: resetting.address, reason: /reset/ },
      closing: { address: closing.address, reason: /^closed without an answer$/ },
      failing: { address: failing.address, reason: /^HTTP 503$/ },
      babbling: { address: babbling.address, reason: /^answered "220 mail.*which is not HTTP$/ },
      broken: { address: broken.address, reason: /^answered "HTTP\/1\.1 20", then closed$/ },
      trickling: { address: trickling.address, reason: /^answered "HTTP\/.*not as expected within 1s$/ },
    },
  ).finally(() => silent.stop());
});

Deno.test("expect checks: the text that is waited for is up, whatever its pieces; all else is down, each for its reason", async () => {
  await using resetting = await startResettingBackend("asked");
  await using hanging = answering(sayNothing);
  await using closing = answering(() => {});
  await using refusing = answering(say("-ERR not now\r\n"));
  await assertFound(
    { type: "expect", send: "PING\r\n", expect: "/^\\+PONG\\r?\\n/" },
    {
      well: answering(say("+PONG\r\n")),
      slow: answering(say("+", "PO", "NG\n")),
      talkative: answering(say("+PONG\r\nand much more that nobody asked for\r\n")),
    },
    {
      resetting: { address: resetting.address, reason: /reset/ },
      hanging: { address: hanging.address, reason: /^no answer within 1s$/ },
      closing: { address: closing.address, reason: /^closed without an answer$/ },
      refusing: { address: refusing.address, reason: /^answered "-ERR not now.*, then closed$/ },
    },
  );
});

onEachEngine(
  "flapping: with fall 2 every other check in vain leaves a backend up, with rise 2 it leaves one down",
  async (engine) => {
    const flapping = (from: number): Answering =>
      answering((conn, check) => {
        // The first result decides alone, and is good for both.
        const isWell = check <= 1 || (check >= from && check % 2 === 0);
        return say(isWell ? "HTTP/1.1 200 OK\r\n\r\n" : "HTTP/1.1 500 Oh\r\n\r\n")(conn, check);
      });
    await using up = flapping(0);
    await using down = flapping(4);
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ name: "up", address: up.address }, { name: "down", address: down.address }],
      pool: { health_check: { ...TIMING, type: "http" } },
    });
    await until(() => up.accepted >= 8 && down.accepted >= 8, "both were checked often enough");
    const changes = balancer.log.events.filter(({ event }) => /^backend_/.test(event));
    assert.deepEqual(changes.map(({ event, fields }) => `${fields.backend}: ${event}`), [
      "down: backend_down",
    ]);
  },
);

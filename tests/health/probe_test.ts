// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What every kind of check has in common: the connection, its timeout, its end. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { HealthCheck } from "../../lib/health/check.ts";
import { prepareProbe } from "../../lib/health/probe.ts";
import { startBackend, startSilentBackend } from "../support/backend.ts";
import { readAll } from "../support/bytes.ts";
import {
  drippingBackend,
  expectCheck,
  httpCheck,
  local,
  probe,
  probeAt,
  silentBackend,
  tcpCheck,
} from "./checks.ts";
import { refusedPort } from "../support/ports.ts";

/** A check of each kind. */
const CHECKS: readonly HealthCheck[] = [tcpCheck(), httpCheck(), expectCheck("PING\r\n", "PONG")];

/** Those that need an answer. */
const TALKING = CHECKS.filter(({ type }) => type !== "tcp");

/** Much more than the timeouts here, and much less than the ten seconds of other checks. */
const SOON_MS = 3_000;

/** How long the work took. */
async function duration(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

/** Resets each connection, as soon as something has come on it. Only node:net can do so. */
async function resettingBackend(): Promise<{ port: number; stop(): Promise<void> }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.resetAndDestroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Cannot find the port of the backend");
  return {
    port: address.port,
    stop: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

Deno.test("a backend that accepts is well, as far as a connection tells", async () => {
  const backend = silentBackend();
  assert.deepEqual(await probe(backend.port, tcpCheck()), { ok: true, saw: "connected" });
  await backend.stop();
});

Deno.test("a backend that refuses is not well, whatever is checked", async () => {
  for (const check of CHECKS) {
    assert.deepEqual(await probe(refusedPort(), check), { ok: false, saw: "connection refused" });
  }
});

Deno.test("a backend that does not even take the connection fails at the timeout", async () => {
  const backend = await startSilentBackend();
  for (const check of CHECKS) {
    const tookMs = await duration(async () => {
      assert.deepEqual(await probe(backend.port, { ...check, timeoutMs: 250 }), {
        ok: false,
        saw: "no connection within 250ms",
      });
    });
    assert.ok(tookMs < SOON_MS, `${check.type}: ${tookMs}`);
  }
  backend.stop();
});

Deno.test("a backend that accepts and never answers fails at the timeout", async () => {
  const backend = silentBackend();
  for (const check of TALKING) {
    const tookMs = await duration(async () => {
      assert.deepEqual(await probe(backend.port, { ...check, timeoutMs: 250 }), {
        ok: false,
        saw: "no answer within 250ms",
      });
    });
    assert.ok(tookMs < SOON_MS, `${check.type}: ${tookMs}`);
  }
  await backend.stop();
});

Deno.test("each byte of an answer that never comes to an end does not give it more time", async () => {
  const backend = drippingBackend("H");
  const tookMs = await duration(async () => {
    const result = await probe(backend.port, expectCheck("", "PONG", { timeoutMs: 250 }));
    assert.equal(result?.ok, false);
    assert.match(result?.saw ?? "", /^answered "H+…?", not as expected within 250ms$/);
  });
  assert.ok(tookMs < SOON_MS, String(tookMs));
  await backend.stop();
});

Deno.test("a send that the backend does not read does not outlast the timeout", async () => {
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const backend = startBackend(() => over);
  const check = expectCheck("x".repeat(32 * 1024 * 1024), "PONG", { timeoutMs: 250 });
  const tookMs = await duration(async () => {
    assert.deepEqual(await probe(backend.port, check), { ok: false, saw: "no answer within 250ms" });
  });
  assert.ok(tookMs < SOON_MS, String(tookMs));
  end();
  await backend.stop();
});

Deno.test("a backend that closes at once has not answered", async () => {
  const backend = startBackend(async (conn) => {
    // What was sent is read before, or else the close would be a reset.
    await conn.read(new Uint8Array(4096));
  });
  for (const check of TALKING) {
    assert.deepEqual(await probe(backend.port, check), { ok: false, saw: "closed without an answer" });
  }
  await backend.stop();
});

Deno.test("a backend that should speak first and closes has not answered", async () => {
  const backend = startBackend(() => {});
  const result = await probe(backend.port, expectCheck("", "220 "));
  assert.deepEqual(result, { ok: false, saw: "closed without an answer" });
  await backend.stop();
});

Deno.test("a backend that resets the connection is told apart from one that closes it", async () => {
  const backend = await resettingBackend();
  for (const check of TALKING) {
    assert.deepEqual(await probe(backend.port, check), { ok: false, saw: "connection reset by peer" });
  }
  await backend.stop();
});

Deno.test("the connection is closed after each check, whatever it finds", async () => {
  const { promise: allEnded, resolve } = Promise.withResolvers<void>();
  let ended = 0;
  const backend = startBackend(async (conn) => {
    await readAll(conn).catch(() => {});
    if (++ended === CHECKS.length) resolve();
  });
  for (const check of CHECKS) await probe(backend.port, { ...check, timeoutMs: 250 });
  await allEnded;
  await backend.stop();
});

Deno.test("a check is made on its own port, and the address for sessions is left as it is", async () => {
  const { promise: accepted, resolve } = Promise.withResolvers<void>();
  const backend = startBackend(() => resolve());
  const address = Object.freeze(local(refusedPort()));
  const check = tcpCheck({ port: backend.port });
  const result = await probeAt(address, prepareProbe(check));
  assert.deepEqual(result, { ok: true, saw: "connected" });
  assert.notEqual(address.port, backend.port);
  await accepted;
  await backend.stop();
});

Deno.test("a Unix socket is checked where it is, even with a port for checks", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/b.sock`;
  const listener = Deno.listen({ transport: "unix", path });
  const { promise: asked, resolve } = Promise.withResolvers<string>();
  const serving = (async () => {
    for await (const conn of listener) {
      const buffer = new Uint8Array(4096);
      const filled = await conn.read(buffer);
      if (filled !== null) resolve(new TextDecoder().decode(buffer.subarray(0, filled)));
      await conn.write(new TextEncoder().encode("HTTP/1.1 204 No Content\r\n\r\n")).catch(() => {});
      conn.close();
    }
  })();
  const address = { transport: "unix", path } as const;
  assert.deepEqual(await probeAt(address, prepareProbe(tcpCheck({ port: 1 }))), {
    ok: true,
    saw: "connected",
  });
  assert.deepEqual(await probeAt(address, prepareProbe(httpCheck())), { ok: true, saw: "HTTP 204" });
  assert.match(await asked, /\r\nHost: localhost\r\n/);
  listener.close();
  await serving;
  const gone = await probeAt({ transport: "unix", path: `${folder}/none.sock` }, prepareProbe(tcpCheck()));
  assert.deepEqual(gone, { ok: false, saw: "no such file or directory" });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("when checking is stopped, a check under way ends at once and has found out nothing", async () => {
  const { promise: accepted, resolve } = Promise.withResolvers<void>();
  const backend = startBackend(async (conn) => {
    resolve();
    await readAll(conn).catch(() => {});
  });
  const stop = new AbortController();
  const tookMs = await duration(async () => {
    const result = probe(backend.port, expectCheck("", "PONG"), stop.signal);
    await accepted;
    stop.abort();
    assert.equal(await result, undefined);
  });
  assert.ok(tookMs < SOON_MS, String(tookMs));
  for (const check of CHECKS) assert.equal(await probe(backend.port, check, stop.signal), undefined);
  await backend.stop();
});

Deno.test("a process without a free file descriptor finds out nothing about a backend", async () => {
  const backend = silentBackend();
  const program = `
    import { prepareProbe } from ${JSON.stringify(import.meta.resolve("../../lib/health/probe.ts"))};
    const check = ${JSON.stringify(tcpCheck())};
    const probe = prepareProbe(check);
    const ask = async () => {
      let result;
      const { signal } = new AbortController();
      await probe(${JSON.stringify(local(backend.port))}, signal, (it) => result = it);
      return result;
    };
    const before = await ask();
    const held = [];
    try { for (;;) held.push(Deno.openSync("/dev/null")); } catch { /* none is left */ }
    const without = await ask();
    for (const file of held) file.close();
    console.log(JSON.stringify([before, without ?? null, await ask()]));
  `;
  const { stdout, stderr } = await new Deno.Command("sh", {
    args: [
      ...["-c", `ulimit -n 64 && exec "$@"`, "sh"],
      ...[Deno.execPath(), "eval", "--config", new URL("../../deno.json", import.meta.url).pathname, program],
    ],
  }).output();
  const well = { ok: true, saw: "connected" };
  const seen = new TextDecoder().decode(stdout);
  assert.notEqual(seen, "", new TextDecoder().decode(stderr));
  assert.deepEqual(JSON.parse(seen), [well, null, well]);
  await backend.stop();
});

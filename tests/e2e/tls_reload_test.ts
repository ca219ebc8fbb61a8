// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Listeners that open TLS while certificates, configurations and workers come and go; with epoll, beside others that do not. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { chunks, writeAll } from "../../lib/core/connection.ts";
import { startBackend, startMirror, startNamedBackend, type TestBackend } from "../support/backend.ts";
import {
  startTestBalancer,
  type TestBalancer,
  type TestBalancerOptions,
  testConfig,
  until,
} from "../support/balancer.ts";
import { ask, bytes, readAll, readExactly, text } from "../support/bytes.ts";
import {
  onEachEngineWithTls,
  type TestCertificate,
  type TestCertificates,
} from "../support/tls_certificates.ts";
import { shownTo, startTls } from "../support/tls_client.ts";

function startEcho(): TestBackend {
  return startBackend(async (conn) => {
    for await (const chunk of chunks(conn)) await writeAll(conn, chunk);
  });
}

function tlsOf(...certificates: readonly TestCertificate[]): Record<string, unknown> {
  return { tls: { certificates: certificates.map(({ cert, key }) => ({ cert, key })) } };
}

/** A plain listener, and one that opens TLS. */
function both(
  engine: EngineName,
  backends: TestBalancerOptions["backends"],
  { a }: TestCertificates,
  more: Partial<TestBalancerOptions> = {},
): TestBalancerOptions {
  return { engine, backends, otherListeners: [{ name: "secure", ...tlsOf(a) }], ...more };
}

/** The same again, on the ports where the balancer is. */
function again({ ports }: TestBalancer, options: TestBalancerOptions): ReturnType<typeof testConfig> {
  const [first, ...others] = ports.map((port) => ({ listen: `127.0.0.1:${port}` }));
  return testConfig({
    ...options,
    listener: { ...options.listener, ...first },
    otherListeners: (options.otherListeners ?? []).map((it, i) => ({ ...it, ...others[i] })),
  });
}

async function say(conn: Deno.Conn, word: string): Promise<void> {
  await writeAll(conn, bytes(word));
  assert.equal(text(await readExactly(conn, word.length)), word);
}

onEachEngineWithTls(
  "a renewed certificate is for the connections to come: those that are open go on with theirs",
  async (engine, { a, b, authority }) => {
    const folder = await Deno.makeTempDir();
    const [cert, key] = [`${folder}/web.pem`, `${folder}/web.key`];
    const put = async (from: TestCertificate): Promise<void> => {
      await Deno.copyFile(from.key, key);
      await Deno.copyFile(from.cert, cert);
    };
    await put(a);
    const backend = startEcho();
    await using balancer = await startTestBalancer({
      engine,
      backends: [backend.address],
      listener: { tls: { certificates: [{ cert, key }] } },
    });
    using old = await startTls(balancer.port, "a.example", authority.pair.cert);
    await say(old, "before");
    await put(b);
    await balancer.log.waitFor("keys_renewed");
    assert.equal(await shownTo(balancer.port, "a.example"), "b.example");
    await say(old, "after");
    assert.equal(balancer.balancer.generations.started, 1, "without new workers");
    await old.closeWrite();
    assert.equal((await readAll(old)).length, 0);
    await Deno.remove(folder, { recursive: true });
    await balancer.stop();
    await backend.stop();
  },
);

onEachEngineWithTls(
  "reloads under load lose nothing, with TLS and without",
  async (engine, certificates) => {
    const { a, b, authority: { pair } } = certificates;
    const backend = startEcho();
    const options = both(engine, [backend.address], certificates);
    await using balancer = await startTestBalancer(options);
    const [plain = 0, secure = 0] = balancer.ports;
    const enter = [
      () => Deno.connect({ hostname: "127.0.0.1", port: plain }),
      () => startTls(secure, "a.example", pair.cert),
    ];
    const long = await Promise.all(enter.flatMap((it) => [it(), it(), it()]));
    for (const conn of long) await say(conn, "begin");
    // Another certificate alone needs no new workers.
    const added = { ...options, otherListeners: [{ name: "secure", ...tlsOf(a, b) }] };
    assert.equal(await balancer.balancer.reload(again(balancer, added)), "kept");
    assert.equal(await shownTo(secure, "b.example"), "b.example");

    let isOver = false;
    let served = 0;
    const load = enter.flatMap((it) => [it, it]).map(async (connect) => {
      while (!isOver) {
        using conn = await connect();
        await say(conn, "hello");
        await conn.closeWrite();
        assert.equal((await readAll(conn)).length, 0);
        served++;
      }
    });
    try {
      for (let i = 0; i < 8; i++) {
        const shown = i % 2 === 0 ? tlsOf(a, b) : tlsOf(a);
        const changed = {
          ...options,
          otherListeners: [{ name: "secure", ...shown, idle_timeout: `${700 + i}s` }],
        };
        assert.equal(await balancer.balancer.reload(again(balancer, changed)), "replaced");
        for (const conn of long) await say(conn, "still");
      }
    } finally {
      isOver = true;
      await Promise.all(load);
    }
    assert.ok(served > 40, `${served} sessions`);
    for (const conn of long) {
      await say(conn, "end");
      await conn.closeWrite();
      assert.equal((await readAll(conn)).length, 0);
      conn.close();
    }
    const records = await balancer.waitForRecords(served + long.length + 1);
    // The one that only looked at the certificate has left at once.
    assert.equal(records.filter(({ end }) => end !== "done").length <= 1, true);
    await balancer.stop();
    await backend.stop();
  },
);

onEachEngineWithTls(
  "a listener may begin or cease to open TLS with a reload; with epoll only at another port, which a sentence says",
  async (engine, certificates) => {
    const { a, authority } = certificates;
    await using mirror = startMirror();
    const options: TestBalancerOptions = { engine, backends: [mirror.address] };
    await using balancer = await startTestBalancer(options);
    const { port, balancer: { generations } } = balancer;
    const secured = { ...options, listener: tlsOf(a) };
    const reaching = { ...options, pool: { tls: { ca: authority.cert } } };
    if (engine === "epoll") {
      for (const config of [secured, reaching]) {
        await assert.rejects(
          balancer.balancer.reload(again(balancer, config)),
          {
            message:
              `listener web: with the engine epoll a reload cannot begin to open TLS at 127.0.0.1:${port}; this needs a restart, or another port`,
          },
        );
      }
      assert.equal(generations.started, 1);
      assert.equal(text(await ask(port, bytes("plain"))), "plain");
    } else {
      await balancer.balancer.reload(again(balancer, secured));
      assert.equal(await shownTo(port), "a.example");
      await balancer.balancer.reload(again(balancer, options));
      assert.equal(text(await ask(port, bytes("plain"))), "plain");
    }
    // Beside it, at a port of its own, it comes and goes.
    const beside = both(engine, [mirror.address], certificates);
    for (let i = 0; i < 2; i++) {
      await balancer.balancer.reload(again(balancer, beside));
      const secure = Number(balancer.balancer.addresses[1]?.split(":").at(-1));
      assert.equal(await shownTo(secure), "a.example");
      assert.equal(text(await ask(port, bytes("plain"))), "plain");
      if (engine === "epoll") {
        const ceasing = testConfig({ ...options, listener: { listen: `127.0.0.1:${secure}` } });
        await assert.rejects(
          balancer.balancer.reload(ceasing),
          /cannot cease to open TLS at .*needs a restart/,
        );
        assert.equal(await shownTo(secure), "a.example");
      }
      await balancer.balancer.reload(again(balancer, options));
      assert.equal(text(await ask(port, bytes("plain"))), "plain");
      await assert.rejects(
        Deno.connect({ hostname: "127.0.0.1", port: secure }),
        Deno.errors.ConnectionRefused,
      );
    }
  },
);

onEachEngineWithTls(
  "a stop lets sessions with TLS finish, and ends what is left at shutdown_timeout with a proper record",
  async (engine, certificates) => {
    const { authority } = certificates;
    const backend = startEcho();
    const balancer = await startTestBalancer(
      both(engine, [backend.address], certificates, { shutdownTimeout: "600ms" }),
    );
    const [, secure = 0] = balancer.ports;
    using finishing = await startTls(secure, "a.example", authority.pair.cert);
    using staying = await startTls(secure, "a.example", authority.pair.cert);
    await say(finishing, "hello");
    await say(staying, "hello");
    const stopping = balancer.stop();
    await say(finishing, "still here");
    await finishing.closeWrite();
    assert.equal((await readAll(finishing)).length, 0);
    assert.equal(await stopping, 1);
    // It is cut, not ended.
    await assert.rejects(readAll(staying));
    assert.deepEqual(balancer.records().map(({ end }) => end).toSorted(), ["done", "shutdown"]);
    await backend.stop();
  },
);

onEachEngineWithTls(
  "a worker that dies takes its sessions along, and another takes its place, whichever engine it has",
  async (engine, certificates) => {
    const { authority } = certificates;
    const orders = new BroadcastChannel("stubborn_tls_worker");
    orders.onmessage = ({ data: { from } }) =>
      from !== undefined && orders.postMessage({ to: from, order: "go" });
    {
      await using named = startNamedBackend("one");
      await using balancer = await startTestBalancer(both(engine, [named.member], certificates, {
        workers: 1,
        workerEntry: import.meta.resolve("../support/workers/stubborn_tls_worker.ts"),
      }));
      const [plain = 0, secure = 0] = balancer.ports;
      const dying = engine === "epoll" ? "data-plane-1" : "data-plane-0";
      using client = await startTls(secure, "a.example", authority.pair.cert);
      assert.equal(text(await readExactly(client, 4)), "one\n");
      orders.postMessage({ to: dying, order: "die" });
      await assert.rejects(readAll(client));
      const { fields } = await balancer.log.waitFor("worker_died");
      assert.equal(fields.sessions, 1);
      if (engine === "epoll") assert.equal(text(await ask(plain, bytes(""))), "one\n");
      await balancer.log.waitFor("worker_restarted");
      using next = await startTls(secure, "a.example", authority.pair.cert);
      assert.equal(text(await readExactly(next, 4)), "one\n");
      assert.equal(text(await ask(plain, bytes(""))), "one\n");
      await until(() => balancer.active(0) <= 1, "the slot of the lost session is free");
    }
    orders.close();
  },
);

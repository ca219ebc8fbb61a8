// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** TLS to the backends of a pool: what they are asked and shown, and what becomes of those that cannot be trusted. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { parseListenAddress } from "../../lib/core/address.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { handlers } from "../../lib/respond/handlers.ts";
import { startServer } from "../../lib/respond/server.ts";
import { startBackend, startNamedBackend } from "../support/backend.ts";
import { localPort, startTestBalancer, type TestBalancer, until } from "../support/balancer.ts";
import { ask, askUntilGone, bytes, pattern, readAll, readExactly, same, text } from "../support/bytes.ts";
import { memoryLog } from "../support/memory_log.ts";
import { refusedPort } from "../support/ports.ts";
import { startTlsBackend, startTlsMirror } from "../support/tls_backend.ts";
import { onEachEngineWithTls, type TestCertificate } from "../support/tls_certificates.ts";
import { startTls } from "../support/tls_client.ts";

const MIB = 2 ** 20;

function files({ cert, key }: TestCertificate): { cert: string; key: string } {
  return { cert, key };
}

/** A balancer that opens TLS to its backends, with these keys of the pool. */
function start(
  engine: EngineName,
  backends: readonly (string | Record<string, unknown>)[],
  tls: Record<string, unknown>,
  { listener = {}, ...pool }: Record<string, unknown> & { readonly listener?: Record<string, unknown> } = {},
): Promise<TestBalancer> {
  return startTestBalancer({ engine, backends, listener, pool: { ...pool, tls } });
}

onEachEngineWithTls(
  "a backend is asked for its name with the protocols of the pool, and shown the certificate of the pool",
  async (engine, { a, ip, authority, client }) => {
    const asking = { ca: [authority.pair.cert], requestCert: true, ALPNProtocols: ["http/1.1"] };
    await using byName = await startTlsMirror({ ...asking, ...a.pair }, "by name: ");
    await using byAddress = await startTlsMirror(ip.pair, "by address: ");
    {
      const tls = {
        ca: authority.cert,
        server_name: "a.example",
        alpn: ["h2", "http/1.1"],
        ...files(client),
      };
      await using balancer = await start(engine, [byName.address], tls);
      assert.equal(text(await ask(balancer.port, bytes("hello"))), "by name: hello");
      const [record] = await balancer.waitForRecords(1);
      // What is said of TLS in a record is said of the client's.
      assert.deepEqual([record?.end, record?.bytes_in, record?.bytes_out, record?.tls], [
        "done",
        5,
        14,
        undefined,
      ]);
    }
    await using balancer = await start(engine, [byAddress.address], { ca: authority.cert });
    assert.equal(text(await ask(balancer.port, bytes("hello"))), "by address: hello");
    assert.deepEqual(byName.served, [{ serverName: "a.example", alpn: "http/1.1", shown: "client one" }]);
    assert.deepEqual(byAddress.served, [{ serverName: undefined, alpn: undefined, shown: undefined }]);
  },
);

onEachEngineWithTls(
  "a backend that cannot be trusted has failed as a dial does: the reason is in the record, and the next one serves",
  async (engine, { a, b, authority, expired, stranger }) => {
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    await using wrong = await startTlsMirror(b.pair);
    await using old = await startTlsMirror(expired.pair);
    await using strange = await startTlsMirror(stranger.pair);
    await using good = await startTlsMirror(a.pair, "good: ");
    await using plain = startNamedBackend("plain");
    const members = Object.entries({ wrong, old, strange }).map(([name, { address }]) => ({
      name,
      address,
    }));
    await using balancer = await start(
      engine,
      [...members, plain.member, { name: "gone", address: `127.0.0.1:${refusedPort()}` }, {
        name: "good",
        address: good.address,
      }],
      { ca: authority.cert, server_name: "a.example" },
      { algorithm: "first", retries: 5 },
    );
    assert.equal(text(await ask(balancer.port, bytes("hello"))), "good: hello");
    const [record] = await balancer.waitForRecords(1);
    assert.deepEqual(
      [record?.end, record?.backend, record?.attempts, record?.bytes_in],
      ["done", "good", 6, 5],
    );
    assert.deepEqual(record?.failed?.slice(0, 3), [
      "wrong: TLS: its certificate is not for a.example",
      `old: TLS: its certificate expired on ${yesterday}`,
      "strange: TLS: its certificate is from none that is trusted here",
    ]);
    assert.match(record?.failed?.[3] ?? "", /^plain: TLS: /);
    assert.match(record?.failed?.[4] ?? "", /^gone: /);
  },
);

onEachEngineWithTls(
  "with no other backend the session ends as dial_failed, and nothing of it has left; with verify off it is served",
  async (engine, { stranger }) => {
    const heard: string[] = [];
    await using backend = await startTlsBackend(stranger.pair, (socket) => {
      socket.on("data", (data) => {
        heard.push(data.toString());
        socket.end("yes");
      });
    });
    {
      await using balancer = await start(engine, [backend.address], { server_name: "a.example" }, {
        retries: 0,
      });
      assert.equal((await askUntilGone(balancer.port, bytes("secret"))).length, 0);
      const [record] = await balancer.waitForRecords(1);
      assert.deepEqual([record?.end, record?.failed], ["dial_failed", [
        `${backend.address}: TLS: its certificate is from none that is trusted here`,
      ]]);
      assert.deepEqual(heard, []);
    }
    await using balancer = await start(engine, [backend.address], {
      server_name: "a.example",
      verify: false,
    });
    assert.equal(text(await ask(balancer.port, bytes("public"))), "yes");
    assert.deepEqual(heard, ["public"]);
  },
);

onEachEngineWithTls(
  "a backend that wants a certificate refuses to be dialled without one, with TLS 1.2; with 1.3 it ends the session",
  async (engine, { a, authority }) => {
    for (
      const [version, ends] of [["TLSv1.2", ["dial_failed"]], ["TLSv1.3", [
        "backend_reset",
        "dial_failed",
      ]]] as const
    ) {
      await using backend = await startTlsBackend({
        ...{ ...a.pair, ca: [authority.pair.cert], requestCert: true, rejectUnauthorized: true },
        maxVersion: version,
      }, (socket) => socket.end("served"));
      await using balancer = await start(engine, [backend.address], {
        ca: authority.cert,
        server_name: "a.example",
      }, { retries: 0 });
      assert.equal(text(await askUntilGone(balancer.port, bytes("hello"))), "");
      const [record] = await balancer.waitForRecords(1);
      assert.ok((ends as readonly string[]).includes(record?.end ?? ""), `${version}: ${record?.end}`);
      assert.deepEqual(backend.served, []);
    }
  },
);

onEachEngineWithTls(
  "a backend that says nothing is given up with dial_timeout, which holds for TLS too",
  async (engine, { a, authority }) => {
    const silent = startBackend(async (conn) => {
      await readAll(conn);
    });
    await using good = await startTlsMirror(a.pair);
    await using balancer = await start(engine, [silent.address, good.address], {
      ca: authority.cert,
      server_name: "a.example",
    }, { algorithm: "first", dial_timeout: "300ms" });
    assert.equal(text(await ask(balancer.port, bytes("hello"))), "hello");
    const [record] = await balancer.waitForRecords(1);
    assert.equal(record?.attempts, 2);
    assert.deepEqual(record?.failed, [`${silent.address}: TLS: timed out`]);
    await silent.stop();
  },
);

onEachEngineWithTls(
  "the PROXY header goes before TLS, in clear, and names the client of a TLS that ended here",
  async (engine, { a, ip, authority }) => {
    const log = memoryLog();
    const server = await startServer({
      listen: parseListenAddress("127.0.0.1:0"),
      ...{ handler: handlers.whoami, name: "one", maxConnections: 0, idleTimeoutMs: 0, proxyProtocol: true },
      tls: { pairs: [ip.pair], authorities: undefined },
      log: log.log,
    });
    for (const version of ["v1", "v2"]) {
      await using balancer = await start(engine, [server.address], { ca: authority.cert }, {
        send_proxy_protocol: version,
        listener: { tls: { certificates: [files(a)] } },
      });
      using client = await startTls(balancer.port, "a.example", authority.pair.cert);
      assert.equal(text(await readAll(client)), `one (client 127.0.0.1:${client.localAddr.port})\n`);
      await client.closeWrite();
      assert.equal((await balancer.recordOf(client.localAddr.port)).end, "done");
    }
    await server.stop();
  },
);

onEachEngineWithTls(
  "20 MiB go through TLS on both sides in both directions as they were sent",
  async (engine, { a, b, authority }) => {
    const sent = pattern(20 * MIB, 7);
    await using backend = await startTlsMirror(b.pair);
    await using balancer = await start(engine, [backend.address], {
      ca: authority.cert,
      server_name: "b.example",
    }, {
      listener: { tls: { certificates: [files(a)] } },
    });
    using client = await startTls(balancer.port, "a.example", authority.pair.cert);
    const sending = writeAll(client, sent).then(() => client.closeWrite());
    assert.ok(same(await readAll(client), sent));
    await sending;
    const [record] = await balancer.waitForRecords(1);
    assert.deepEqual([record?.bytes_in, record?.bytes_out, record?.end, record?.tls], [
      20 * MIB,
      20 * MIB,
      "done",
      "TLSv1.3",
    ]);
  },
);

onEachEngineWithTls(
  "ends go through TLS on the backend's side, whichever comes first; what is cut is no end",
  async (engine, { a, authority }) => {
    const heard: string[] = [];
    await using backend = await startTlsBackend(a.pair, (socket) => {
      socket.on("data", (data) => {
        const said = data.toString();
        heard.push(said);
        if (said === "end") socket.end("bye");
        if (said === "die") socket.write("half", () => setTimeout(() => socket.resetAndDestroy(), 50));
      }).on("end", () => {
        heard.push("its end");
        if (!socket.writableEnded) socket.end("last words");
      });
    });
    await using balancer = await start(engine, [backend.address], {
      ca: authority.cert,
      server_name: "a.example",
    });
    assert.equal(text(await ask(balancer.port, bytes("hello"))), "last words");
    {
      using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
      await writeAll(client, bytes("end"));
      assert.equal(text(await readAll(client)), "bye");
      await writeAll(client, bytes("and more"));
      await client.closeWrite();
      await until(() => heard.length === 5, "the backend has heard the rest");
    }
    {
      using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
      await writeAll(client, bytes("die"));
      assert.equal(text(await readExactly(client, 4)), "half");
      await readAll(client).catch(() => {});
      assert.equal((await balancer.recordOf(localPort(client))).end, "backend_reset");
    }
    assert.deepEqual(heard, ["hello", "its end", "end", "and more", "its end", "die"]);
  },
);

onEachEngineWithTls(
  "health checks open TLS as sessions do, and a backend that cannot be trusted is down",
  async (engine, { a, b, authority }) => {
    await using good = await startTlsMirror(a.pair, "good");
    await using wrong = await startTlsMirror(b.pair, "wrong");
    await using other = startNamedBackend("other");
    await using balancer = await start(
      engine,
      [{ name: "wrong", address: wrong.address }, { name: "plain", address: other.member.address }, {
        name: "good",
        address: good.address,
      }],
      { ca: authority.cert, server_name: "a.example" },
      {
        algorithm: "first",
        health_check: { type: "tcp", interval: "100ms", rise: 1, fall: 1 },
        initial: "down",
      },
    );
    await balancer.log.waitFor("backend_up", ({ backend }) => backend === "good");
    assert.equal(text(await ask(balancer.port, bytes("!"))), "good!");
    const [record] = await balancer.waitForRecords(1);
    assert.deepEqual([record?.attempts, record?.backend], [1, "good"]);
  },
);

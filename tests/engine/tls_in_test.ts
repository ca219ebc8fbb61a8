/** TLS that the engine opens for clients: which certificate they are shown, whom it lets in, and what it finds. */

import assert from "node:assert/strict";
import type { TlsServerOptions } from "../../lib/core/tls_options.ts";
import type { TlsKeys } from "../../lib/engine/tls_contract.ts";
import { startBackend, type TestBackend } from "../support/backend.ts";
import { until } from "../support/balancer.ts";
import { chunks, writeAll } from "../../lib/core/connection.ts";
import { KEY_KINDS, makeCertificate, noOpenssl, OTHER_KEY_KINDS, readPair } from "../support/certificates.ts";
import { testCertificates } from "../support/tls_certificates.ts";
import { connectTls, runClient, shownTo } from "../support/tls_client.ts";
import { startTlsRig, type TlsRig } from "../support/tls_rig.ts";

const { ignore, why } = noOpenssl;

/** A backend that answers with what it was sent. */
function startEcho(): TestBackend {
  return startBackend(async (conn) => {
    for await (const chunk of chunks(conn)) await writeAll(conn, chunk);
    await conn.closeWrite();
  });
}

function test(sentence: string, run: () => Promise<void>): void {
  Deno.test({ name: sentence + why, ignore, fn: run });
}

/** Runs with a listener that opens TLS. */
async function withListener(
  server: Partial<TlsServerOptions> & { readonly keys: TlsKeys },
  run: (rig: TlsRig) => Promise<void>,
): Promise<void> {
  const backend = startEcho();
  {
    await using rig = await startTlsRig({ port: backend.port, server });
    await run(rig);
  }
  await backend.stop();
}

async function keysOf(...names: readonly ("a" | "b" | "ip")[]): Promise<TlsKeys> {
  const certificates = await testCertificates();
  return { pairs: names.map((name) => certificates[name].pair), authorities: undefined };
}

/** Clients need a certificate. */
async function mutual(): Promise<TlsKeys> {
  return { ...await keysOf("a"), authorities: (await testCertificates()).authority.pair.cert };
}

test("a client is shown the certificate with the name that it asks for, or else the first", async () => {
  await withListener({ keys: await keysOf("a", "b") }, async ({ port }) => {
    const asked = ["b.example", "B.EXAMPLE", "a.example", "x.wild.example", "exact.wild.example"];
    const shown = await Promise.all(asked.map((name) => shownTo(port, name)));
    assert.deepEqual(shown, ["b.example", "b.example", "a.example", "a.example", "b.example"]);
    // A pattern stands for one label, and what is on no certificate is on the first.
    const others = ["wild.example", "x.y.wild.example", "other.example", undefined];
    const first = await Promise.all(others.map((name) => shownTo(port, name)));
    assert.deepEqual(first, ["a.example", "a.example", "a.example", "a.example"]);
  });
  await withListener({ keys: await keysOf("b", "a") }, async ({ port }) => {
    assert.deepEqual(await Promise.all([shownTo(port), shownTo(port, "other.example")]), [
      "b.example",
      "b.example",
    ]);
  });
});

test("it is known with which version, name and protocol TLS was opened", async () => {
  await withListener({ keys: await keysOf("a"), alpn: ["h2", "http/1.1"] }, async (rig) => {
    const offers = [
      { servername: "A.example", ALPNProtocols: ["http/1.1", "h2"] },
      { maxVersion: "TLSv1.2", ALPNProtocols: [] },
    ] as const;
    for (const { ALPNProtocols, ...offer } of offers) {
      // deno-lint-ignore no-await-in-loop -- in this order
      (await connectTls(rig.port, { ...offer, ALPNProtocols: [...ALPNProtocols] })).destroy();
    }
    await until(() => rig.sessions[1]?.facts !== undefined, "both are open");
    assert.deepEqual(rig.sessions.map((it) => it.facts), [
      { version: "TLSv1.3", serverName: "a.example", alpn: "h2", subject: undefined },
      { version: "TLSv1.2", serverName: undefined, alpn: undefined, subject: undefined },
    ]);
  });
});

test("a client with no protocol or version in common is refused, and is told so where TLS can", async () => {
  await withListener({ keys: await keysOf("a"), alpn: ["h2"], minVersion: "1.3" }, async (rig) => {
    assert.match(await runClient(rig.port, ["-alpn", "imap"]), /alert no application protocol/);
    assert.match(await runClient(rig.port, ["-tls1_2"]), /alert protocol version/);
    await runClient(rig.port, ["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"]);
    assert.match(await runClient(rig.port, ["-groups", "X448"]), /alert handshake failure/);
    await Promise.all(rig.sessions.map((it) => it.finishedOnce));
    assert.deepEqual(rig.sessions.flatMap((it) => it.told), [
      "client: it wants none of the protocols that it was offered, or offers none (alpn)",
      "client: it has no version of TLS that is wanted",
      "client: it has no version of TLS that is wanted",
      "client: it has no cipher that is wanted",
    ]);
  });
});

test("a client that does not trust the certificate is refused with that reason", async () => {
  const { stranger } = await testCertificates();
  await withListener({ keys: await keysOf("a") }, async (rig) => {
    await runClient(rig.port, ["-CAfile", stranger.cert, "-verify_return_error"]);
    const session = await rig.session(0);
    await session.finishedOnce;
    assert.deepEqual(session.told, ["client: it does not trust the certificate that it was shown"]);
  });
});

for (const version of ["tls1_2", "tls1_3"]) {
  test(`where clients need a certificate, only one that is trusted lets in (${version})`, async () => {
    const { client, stranger, expired } = await testCertificates();
    await withListener({ keys: await mutual() }, async (rig) => {
      const run = (...args: string[]): Promise<string> => runClient(rig.port, [`-${version}`, ...args]);
      await run("-cert", client.cert, "-key", client.key);
      await run("-cert", stranger.cert, "-key", stranger.key);
      await run("-cert", expired.cert, "-key", expired.key);
      assert.match(await run(), /alert certificate required|alert handshake failure/);
      await Promise.all(rig.sessions.map((it) => it.finishedOnce));
      assert.deepEqual(rig.sessions.map((it) => it.told[0]), [
        "opened",
        "client: its certificate has expired, or is from none that is trusted here",
        "client: its certificate has expired, or is from none that is trusted here",
        "client: it has shown no certificate",
      ]);
      assert.equal(rig.sessions[0]?.facts?.subject, "O=Clients, CN=client one");
    });
  });
}

test("a session that was begun without a certificate, or with one of others, is not resumed where one is needed", async () => {
  const { client, stranger, folder } = await testCertificates();
  const pairs = (await keysOf("a")).pairs;
  const plain = await keysOf("a");
  const strangers: TlsKeys = { pairs, authorities: stranger.pair.cert };
  for (const version of ["tls1_2", "tls1_3"]) {
    const saved = `${folder}/session-${version}`;
    const show = (it: { cert: string; key: string }): string[] => ["-cert", it.cert, "-key", it.key];
    const begun = [{ keys: plain, shown: [] }, { keys: strangers, shown: show(stranger) }];
    for (const { keys, shown } of begun) {
      // deno-lint-ignore no-await-in-loop -- one after the other
      await withListener({ keys }, async (first) => {
        await runClient(first.port, [`-${version}`, ...shown, "-sess_out", saved]);
        await withListener({ keys: await mutual() }, async (second) => {
          const output = await runClient(second.port, [`-${version}`, ...show(client), "-sess_in", saved]);
          assert.match(output, /Reused, TLSv1/);
          const session = await second.session(0);
          await session.finishedOnce;
          assert.deepEqual(session.told, [
            "client: it resumes a session whose certificate was not verified here",
          ]);
        });
      });
    }
  }
});

test("renewed certificates are for the connections to come, and a client that was verified resumes", async () => {
  const { b, client, folder } = await testCertificates();
  const before = await mutual();
  await withListener({ keys: before }, async (rig) => {
    const open = await connectTls(rig.port, { cert: client.pair.cert, key: client.pair.key });
    const show = ["-cert", client.cert, "-key", client.key];
    await runClient(rig.port, [...show, "-sess_out", `${folder}/session-renewed`]);
    rig.server?.renew({ ...before, pairs: [b.pair] });
    const output = await runClient(rig.port, [...show, "-sess_in", `${folder}/session-renewed`]);
    assert.match(output, /Reused, TLSv1\.3/);
    assert.match(await runClient(rig.port, show), /subject=CN = b\.example/);
    open.end("still here");
    const [[answer]] = [await Array.fromAsync(open)];
    assert.equal(String(answer), "still here");
    open.destroy();
  });
});

test("keys that cannot be used are refused, and change nothing", async () => {
  const { a, b } = await testCertificates();
  const keys = await keysOf("a");
  await withListener({ keys }, async ({ server, port }) => {
    const bad = [
      [],
      [{ cert: "junk", key: "junk" }],
      [{ cert: a.pair.cert, key: b.pair.key }],
      [b.pair, { cert: a.pair.cert, key: "junk" }],
    ];
    for (const pairs of bad) {
      assert.throws(() => server?.renew({ ...keys, pairs }), (error) => {
        return error instanceof TypeError && !/PRIVATE|junk/.test(error.message);
      });
    }
    assert.equal(await shownTo(port), "a.example");
  });
});

test("with each kind of key that is taken TLS can be opened, and the others are refused by their kind", async () => {
  const { folder } = await testCertificates();
  const make = async (name: string, kind: readonly string[]): Promise<TlsKeys["pairs"][number]> => {
    return await readPair(await makeCertificate(folder, name, { kind }));
  };
  const names = Object.keys(KEY_KINDS).map((kind) => `kind-${kind.toLowerCase()}`);
  const pairs = await Promise.all(Object.values(KEY_KINDS).map((kind, i) => make(names[i] ?? "", kind)));
  await withListener({ keys: { pairs, authorities: undefined } }, async ({ server, port }) => {
    const shown = await Promise.all(names.map((name) => shownTo(port, `${name}.example`)));
    assert.deepEqual(shown, names.map((name) => `${name}.example`));
    await Promise.all(
      Object.entries(OTHER_KEY_KINDS).map(async ([what, kind]) => {
        const pair = await make(`other-${what}`.replaceAll(" ", "-"), kind);
        assert.throws(() => server?.renew({ pairs: [pair], authorities: undefined }), (error) => {
          return error instanceof TypeError && error.message.includes(what);
        });
      }),
    );
  });
});

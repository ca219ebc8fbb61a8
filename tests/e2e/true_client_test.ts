// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The PROXY protocol from a client through a balancer to a server: the roles as their users run them. */

import assert from "node:assert/strict";
import { startTestBalancer } from "../support/balancer.ts";
import { noOpenssl } from "../support/certificates.ts";
import { RunningCommand, SOCKBAL, sockbal, startSockbal } from "../support/command.ts";
import { ENGINES, onEachEngine } from "../support/engines.ts";
import { testCertificates } from "../support/tls_certificates.ts";

const SERVER = ["--role", "server", "--listen", "127.0.0.1:0", "--handler", "whoami", "--name", "one"];

async function listening(server: RunningCommand): Promise<string> {
  return (await server.sees(/listening address=(\S+)/))[1] ?? "";
}

onEachEngine("behind a balancer a server names the client that the balancer has", async (engine) => {
  await using server = startSockbal(...SERVER, "--proxy-protocol");
  const backends = [await listening(server)];
  for (const version of ["v1", "v2"]) {
    await using balancer = await startTestBalancer({
      engine,
      backends,
      pool: { send_proxy_protocol: version },
    });
    const address = `127.0.0.1:${balancer.port}`;
    const client = await sockbal("--role", "client", "--connect", address, "--message", "hi");
    const [record] = await balancer.waitForRecords(1);
    assert.deepEqual([client.status, client.stderr], [0, ""]);
    assert.equal(client.stdout, `one (client ${record?.client})\n`);
  }
});

onEachEngine("a client introduces itself to a balancer, and is passed on by its word", async (engine) => {
  await using server = startSockbal(...SERVER, "--proxy-protocol");
  await using balancer = await startTestBalancer({
    engine,
    backends: [await listening(server)],
    listener: { proxy_protocol: { from: ["127.0.0.1"] } },
    pool: { send_proxy_protocol: "v2" },
  });
  const args = ["--role", "client", "--connect", `127.0.0.1:${balancer.port}`, "--message", "hi"];
  for (const [i, version] of ["v1", "v2"].entries()) {
    const client = await sockbal(...args, "--proxy-protocol", version);
    const record = (await balancer.waitForRecords(i + 1))[i];
    assert.equal(client.stdout, `one (client ${record?.client})\n`);
    assert.equal(record?.via, record?.client);
  }
});

for (const engine of ENGINES) {
  Deno.test({
    name:
      `TLS that a balancer passes on ends at the server, which hears of the client before (${engine})${noOpenssl.why}`,
    ignore: noOpenssl.ignore,
    fn: async () => {
      const { authority, a } = await testCertificates();
      const tls = ["--tls-cert", a.cert, "--tls-key", a.key];
      await using server = startSockbal(...SERVER, "--proxy-protocol", ...tls);
      const backends = [await listening(server)];
      await using balancer = await startTestBalancer({
        engine,
        backends,
        pool: { send_proxy_protocol: "v2" },
      });
      const client = await sockbal(
        ...["--role", "client", "--connect", `127.0.0.1:${balancer.port}`, "--message", "hi"],
        ...["--tls", "--ca", authority.cert, "--server-name", "a.example"],
      );
      const [record] = await balancer.waitForRecords(1);
      assert.deepEqual([client.status, client.stderr], [0, ""]);
      assert.equal(client.stdout, `one (client ${record?.client})\n`);
    },
  });
}

Deno.test("a server that expects a header says to those who debug why it has closed a connection", async () => {
  await using server = new RunningCommand([
    ...SOCKBAL,
    ...SERVER,
    "--proxy-protocol",
    "--log-level",
    "debug",
  ]);
  const address = await listening(server);
  const client = await sockbal("--role", "client", "--connect", address, "--message", "hi");
  assert.equal(client.stdout, "");
  await server.sees(
    / debug connection_failed client=127\.0\.0\.1:\d+ reason="the connection does not begin with a PROXY protocol header"\n/,
  );
});

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** TLS that is closed, by either side, at any moment of its life: nothing is left of it, and nothing is told any more. */

import assert from "node:assert/strict";
import { RuntimeClient, RuntimeSocket } from "../../lib/engine/runtime/socket.ts";
import { RuntimeTlsClient } from "../../lib/engine/runtime/tls_client.ts";
import { RuntimeTlsServer } from "../../lib/engine/runtime/tls_server.ts";
import { until } from "../support/balancer.ts";
import { pattern } from "../support/bytes.ts";
import { noOpenssl } from "../support/certificates.ts";
import { CountedBuffers } from "../support/counted_buffers.ts";
import { pair } from "../support/pair.ts";
import { testCertificates } from "../support/tls_certificates.ts";

/** As many turns of the event loop as a handshake and a few messages take. */
const TURNS = 40;

/** A side that writes and reads until that fails, as a relay does. */
async function talk(socket: RuntimeSocket, data: Uint8Array): Promise<void> {
  const buffer = new Uint8Array(8 * 1024);
  const writing = (async () => {
    for (;;) await socket.write(data);
  })();
  const reading = (async () => {
    while (await socket.read(buffer) !== null);
  })();
  await Promise.allSettled([writing, reading]);
}

Deno.test({
  name:
    `TLS may be closed by either side at any moment, and leaves neither buffers nor events${noOpenssl.why}`,
  ignore: noOpenssl.ignore,
  fn: async () => {
    const { a } = await testCertificates();
    const buffers = new CountedBuffers();
    const server = new RuntimeTlsServer(
      { alpn: [], minVersion: "1.2" },
      { pairs: [a.pair], authorities: undefined },
    );
    const options = { serverName: "a.example", alpn: [], verify: false };
    const client = new RuntimeTlsClient(options, { pairs: [], authorities: undefined }, buffers);
    const data = pattern(30_000);
    for (let turns = 0; turns < TURNS; turns++) {
      for (const closer of ["server", "client", "both"]) {
        const ends = await pair();
        const accepted = new RuntimeClient(ends.end, buffers);
        const dialled = new RuntimeSocket(ends.peer);
        const talks: Promise<void>[] = [];
        let isOver = false;
        const on = (socket: RuntimeSocket, what: string): Parameters<RuntimeSocket["startTls"]>[2] => ({
          opened: () => {
            assert.ok(!isOver, `${what} was told after it was closed`);
            talks.push(talk(socket, data));
          },
          tlsFailed: (why) => assert.ok(closer !== "both" || !isOver, `${what} was told ${why}`),
          fault: (fault) => assert.fail(String(fault)),
        });
        accepted.readAhead({ clientGone: () => {} });
        accepted.openTls(server, "a.example", on(accepted, "the server"));
        dialled.startTls(client, "a.example", on(dialled, "the client"));
        for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
        if (closer !== "client") accepted.close();
        if (closer !== "server") dialled.close();
        isOver = closer === "both";
        await new Promise((resolve) => setTimeout(resolve, 1));
        isOver = true;
        accepted.close();
        dialled.close();
        await Promise.all(talks);
      }
    }
    await until(() => buffers.inUse.size === 0, "all buffers are given back");
  },
});

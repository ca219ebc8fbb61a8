// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { type Address, parseListenAddress } from "../../lib/core/address.ts";
import { RuntimeEngine } from "../../lib/engine/runtime/engine.ts";
import { listenShared } from "../../lib/engine/runtime/listen.ts";
import { settleAddresses } from "../../lib/engine/runtime/settle.ts";

function settle(address: Address): Address {
  const [[settled = address] = []] = settleAddresses([address]);
  return settled;
}

/** Guards an option of the runtime that its type definitions do not have: without it this would be a port in use. */
Deno.test("several listeners share one socket, and closing one loses nothing that waits in its backlog", async () => {
  const address = settle(parseListenAddress("127.0.0.1:0"));
  assert.equal(address.transport, "tcp");
  const first = await listenShared(address, 128) as Deno.TcpListener;
  const second = await listenShared(address, 128) as Deno.TcpListener;
  const clients = await Promise.all(
    Array.from({ length: 40 }, () => Deno.connect({ hostname: "127.0.0.1", port: first.addr.port })),
  );
  first.close();
  for (let i = 0; i < 40; i++) (await second.accept()).close();
  second.close();
  for (const client of clients) client.close();
});

Deno.test("port 0 is settled to a free port, and an address that is complete stays as it is", () => {
  const settled = settle(parseListenAddress("127.0.0.1:0"));
  assert.ok(settled.transport === "tcp" && settled.port > 0);
  assert.deepEqual(settle(settled), settled);
});

Deno.test("all addresses means IPv4 as well", async () => {
  const address = settle(parseListenAddress(":0"));
  assert.ok(address.transport === "tcp");
  const listener = await listenShared(address, 16);
  const [client, served] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: address.port }),
    listener.accept(),
  ]);
  client.close();
  served.close();
  listener.close();
});

Deno.test("a socket file that nobody answers is taken over; one that is answered, and any other file, is not", async () => {
  const folder = await Deno.makeTempDir();
  const address = parseListenAddress(`unix:${folder}/s.sock`);
  (await listenShared(address, 16)).close();
  const listener = await listenShared(address, 16);
  await assert.rejects(listenShared(address, 16), {
    name: "RunError",
    message: /the path is in use: /,
  });
  listener.close();
  await Deno.writeTextFile(`${folder}/file`, "precious");
  await assert.rejects(listenShared(parseListenAddress(`unix:${folder}/file`), 16), { name: "RunError" });
  assert.equal(await Deno.readTextFile(`${folder}/file`), "precious");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a listener of which one address fails has no other address open", async () => {
  const free = settle(parseListenAddress("127.0.0.1:0"));
  const missing = parseListenAddress("203.0.113.1:5678");
  const engine = new RuntimeEngine({ size: 0 });
  for (const addresses of [[free, missing], [missing, free]]) {
    await assert.rejects(engine.listen(addresses, 16), /203\.0\.113\.1:5678/);
    assert.ok(free.transport === "tcp");
    Deno.listen({ hostname: free.host, port: free.port }).close();
  }
});

Deno.test("an address that this machine does not have is named in one sentence", async () => {
  await assert.rejects(listenShared(parseListenAddress("203.0.113.1:5678"), 16), {
    message: "cannot listen on 203.0.113.1:5678: this machine has no such address",
  });
});

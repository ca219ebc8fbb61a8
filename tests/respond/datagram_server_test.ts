// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { parseListenAddress, type UdpAddress } from "../../lib/core/address.ts";
import { type DatagramHandler, datagramHandlers } from "../../lib/respond/datagram_handlers.ts";
import { type RunningDatagramServer, startDatagramServer } from "../../lib/respond/datagram_server.ts";
import type { HandlerName } from "../../lib/respond/handlers.ts";
import { bytes, pattern, same, text } from "../support/bytes.ts";
import { UdpPeer } from "../support/udp.ts";
import { type MemoryLog, memoryLog } from "../support/memory_log.ts";
import { Namespace, skipped } from "../support/namespace.ts";

interface TestServer extends AsyncDisposable {
  readonly server: RunningDatagramServer;
  readonly port: number;
  readonly log: MemoryLog;
}

async function start(
  handler: HandlerName | DatagramHandler,
  listen = "udp:127.0.0.1:0",
  name: string | undefined = "me",
): Promise<TestServer> {
  const log = memoryLog();
  const server = await startDatagramServer({
    listen: parseListenAddress(listen) as UdpAddress,
    handler: typeof handler === "string" ? datagramHandlers[handler] ?? assert.fail(handler) : handler,
    name,
    log: log.log,
  });
  const port = Number(server.address.split(":").at(-1));
  return { server, port, log, [Symbol.asyncDispose]: () => server.stop() };
}

Deno.test("a datagram is echoed whole, from none to 65,507 bytes", async () => {
  await using running = await start("echo");
  using client = new UdpPeer();
  for (const length of [0, 1, 1_472, 1_473, 65_506, 65_507, 0]) {
    const sent = pattern(length);
    assert.ok(same(await client.ask(sent, running), sent), `${length} bytes`);
  }
});

Deno.test("each client has the answers to its own datagrams, in their order", async () => {
  await using running = await start("echo");
  const clients = Array.from({ length: 50 }, () => new UdpPeer());
  for (const i of [1, 2, 3]) {
    await Promise.all(clients.map((client) => client.send(bytes(`${client.port} ${i}`), running)));
  }
  await Promise.all(clients.map(async (client) => {
    for (const i of [1, 2, 3]) {
      const { bytes, from } = await client.next();
      assert.equal(text(bytes), `${client.port} ${i}`);
      assert.equal(from.port, running.port);
    }
  }));
  for (const client of clients) client[Symbol.dispose]();
});

Deno.test("a server that was told no name answers with its address", async () => {
  const log = memoryLog();
  const server = await startDatagramServer({
    listen: parseListenAddress("udp:127.0.0.1:0") as UdpAddress,
    handler: datagramHandlers.whoami ?? assert.fail(),
    name: undefined,
    log: log.log,
  });
  assert.match(server.address, /^udp:127\.0\.0\.1:\d+$/);
  assert.deepEqual(log.events, [
    { level: "info", event: "listening", fields: { address: server.address } },
  ]);
  using client = new UdpPeer();
  const port = Number(server.address.split(":").at(-1));
  assert.equal(text(await client.ask(new Uint8Array(), { port })), `${server.address}\n`);
  await server.stop();
});

Deno.test("a datagram that its handler fails on, or whose answer does not fit, is told to who debugs and stops nothing", async () => {
  const running = await start((datagram) => {
    if (text(datagram) === "fail") throw new Error("that is too much");
    return text(datagram) === "long" ? new Uint8Array(65_508) : datagram;
  });
  using client = new UdpPeer();
  for (const bad of ["fail", "long"]) await client.send(bytes(bad), running);
  assert.equal(text(await client.ask(bytes("fine"), running)), "fine");
  const failed = running.log.events.filter(({ event }) => event === "datagram_failed");
  assert.deepEqual(
    failed,
    ["that is too much", "Message too long"].map((reason) => {
      return {
        level: "debug",
        event: "datagram_failed",
        fields: { client: `127.0.0.1:${client.port}`, reason },
      };
    }),
  );
  await running.server.stop();
});

Deno.test("a client that has gone, or never listened, does not keep another one from its answer", async () => {
  await using running = await start("echo");
  using patient = new UdpPeer();
  for (let i = 0; i < 200; i++) {
    const gone = new UdpPeer();
    await gone.send(bytes("bye"), running);
    gone[Symbol.dispose]();
  }
  assert.equal(text(await patient.ask(bytes("still there"), running)), "still there");
});

Deno.test("all addresses are IPv4 and IPv6, and IPv6 alone is none of IPv4", async () => {
  await using all = await start("whoami", "udp::0");
  assert.match(all.server.address, /^udp:\[::\]:\d+$/);
  using v4 = new UdpPeer();
  using v6 = new UdpPeer("::1");
  assert.equal(text(await v4.ask(bytes("x"), all)), "me\n");
  assert.equal(text(await v6.ask(bytes("x"), all)), "me\n");
  await using one = await start("whoami", "udp:[::1]:0");
  assert.equal(text(await v6.ask(bytes("x"), one)), "me\n");
});

Deno.test("a port that is taken for UDP is named in one sentence; one that is taken for TCP is free", async () => {
  await using running = await start("echo");
  const address = `udp:127.0.0.1:${running.port}`;
  await assert.rejects(start("echo", address), {
    name: "RunError",
    message:
      `cannot listen on ${address}: UDP port ${running.port} is in use, by another program or by another listener`,
  });
  using tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using beside = await start("echo", `udp:127.0.0.1:${tcp.addr.port}`);
  assert.equal(beside.port, tcp.addr.port);
});

Deno.test("an address that this machine does not have is named in one sentence", async () => {
  await assert.rejects(start("echo", "udp:192.0.2.1:0"), {
    message: "cannot listen on udp:192.0.2.1:0: this machine has no such address",
  });
  await assert.rejects(start("echo", "udp:nobody.invalid:0"), { name: "RunError" });
});

Deno.test("a server that has stopped answers nothing, and its port is free", async () => {
  const running = await start("echo");
  await running.server.stop();
  using next = new UdpPeer("127.0.0.1", running.port);
  assert.equal(next.port, running.port);
});

Deno.test({
  name: `link-local addresses and both families apart are served where the system has them${skipped}`,
  ignore: skipped !== "",
  fn: async () => {
    await using space = await Namespace.make(`
      ip link add v0 type veth peer name p0; ip link set v0 up; ip link set p0 up
      ip -6 addr add fe80::1/64 dev v0 nodad
      for i in $(seq 100); do ip -6 addr show tentative | grep -q fe80::1 || break; sleep 0.05; done
      echo 1 > /proc/sys/net/ipv6/bindv6only`);
    await using local = space.sockbal("--role", "server", "--listen", "udp:[fe80::1%v0]:9001");
    await local.sees(/ listening address=udp:\[fe80::1%v0\]:9001\n/);
    assert.equal(await space.ask("udp:[fe80::1%v0]:9001"), "hi");
    await using all = space.sockbal("--role", "server", "--listen", "udp::9002");
    await all.sees(/ listening address=udp:\[::\]:9002\n.* listening address=udp:0\.0\.0\.0:9002\n/);
    assert.equal(await space.ask("udp:127.0.0.1:9002"), "hi");
    assert.equal(await space.ask("udp:[::1]:9002"), "hi");
  },
});

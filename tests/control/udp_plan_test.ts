/** What a configuration with listeners on UDP becomes. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import type { Config } from "../../lib/config/schema.ts";
import { makePlan, type Plan, type Running } from "../../lib/control/plan.ts";
import { Names } from "../../lib/control/names.ts";
import { HeldByRuntime, type PortHold } from "../../lib/control/port_hold.ts";
import { RowBook } from "../../lib/control/rows.ts";
import { type Address, formatAddress } from "../../lib/core/address.ts";
import { socketsOf } from "../../lib/dataplane/messages.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";

function configOf(dnsListen: string, webListen = "127.0.0.1:0"): Config {
  return parseConfig(
    `listeners:
  - { name: dns, listen: "${dnsListen}", pool: dns, max_flows: 7, responses: 2 }
  - { name: web, listen: "${webListen}", pool: web }
pools:
  dns: { backends: [10.0.0.1:53, "[::1]:53", "dns.example:53"] }
  web: { backends: [10.0.0.1:53] }
`,
    "f",
  );
}

function plan(config: Config, options: { running?: Running; ports?: PortHold } = {}): Promise<Plan> {
  const lookUp = (): Promise<string[]> => Promise.resolve(["192.0.2.1", "192.0.2.2"]);
  const names = new Names({ lookUp });
  return names.refresh([{ transport: "tcp", host: "dns.example", port: 53 }])
    .then(() => makePlan(config, new RowBook(new Scoreboard()), names, options.running, options.ports));
}

function portOf(address: Address | undefined): number {
  assert.ok(address !== undefined && address.transport !== "unix");
  return address.port;
}

Deno.test("the backends of a pool are dialled over UDP when its listener is on UDP, by a name as well", async () => {
  const { pools } = await plan(configOf("udp:127.0.0.1:0"));
  const dialled = pools.map(({ backends }) => {
    return backends.map(({ address, otherAddresses = [] }) =>
      [address, ...otherAddresses].map(formatAddress)
    );
  });
  assert.deepEqual(dialled, [
    [["udp:10.0.0.1:53"], ["udp:[::1]:53"], ["udp:192.0.2.1:53", "udp:192.0.2.2:53"]],
    [["10.0.0.1:53"]],
  ]);
  assert.deepEqual(pools[0]?.backends.map(({ name }) => name), ["10.0.0.1:53", "[::1]:53", "dns.example:53"]);
});

Deno.test("workers are told what bounds the flows of a listener on UDP, and of no other", async () => {
  const { listeners } = await plan(configOf("udp:127.0.0.1:0"));
  assert.deepEqual(listeners.map(({ flows, limits }) => [flows, limits.idleTimeoutMs]), [
    [{ maxFlows: 7, responses: 2 }, 30_000],
    [undefined, 600_000],
  ]);
});

Deno.test("a UDP port and a TCP port of one number stand beside each other", async () => {
  using tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = tcp.addr;
  const { listeners } = await plan(configOf(`udp:127.0.0.1:${port}`));
  assert.equal(portOf(listeners[0]?.address), port);
});

Deno.test("a UDP port that another program has is not listened on", async () => {
  const other = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = other.addr as Deno.NetAddr;
  await assert.rejects(plan(configOf(`udp:127.0.0.1:${port}`)), {
    name: "RunError",
    message:
      `cannot listen on udp:127.0.0.1:${port}: UDP port ${port} is in use, by another program or by another listener`,
  });
  other.close();
});

Deno.test("all addresses are those of both families", async () => {
  const { listeners: [dns] } = await plan(configOf("udp::0"));
  assert.ok(dns !== undefined);
  const [first, second] = socketsOf(dns).map(formatAddress);
  const port = portOf(dns.address);
  // One socket has both, but where the system keeps them apart or has no IPv6.
  assert.match(first ?? "", new RegExp(`^udp:(\\[::\\]|0\\.0\\.0\\.0):${port}$`));
  assert.ok(second === undefined || second === `udp:0.0.0.0:${port}`);
});

Deno.test("a UDP port that the system chose belongs to the balancer until its workers have it, and stays over a reload", async () => {
  const ports = new HeldByRuntime();
  const config = configOf("udp:127.0.0.1:0");
  const first = await plan(config, { ports });
  const port = portOf(first.listeners[0]?.address);
  const other = { transport: "udp", hostname: "127.0.0.1", port } as const;
  assert.throws(() => Deno.listenDatagram(other), Deno.errors.AddrInUse);
  await ports.release();
  const reader = Deno.listenDatagram({ ...other, reuseAddress: true });
  const second = await plan(config, { running: { plan: first, config } });
  assert.equal(portOf(second.listeners[0]?.address), port);
  const elsewhere = configOf(`udp::${port}`);
  await assert.rejects(plan(elsewhere, { running: { plan: first, config } }), {
    message:
      `cannot listen on udp::${port}: UDP port ${port} is in use, by listener "dns" of this program on ` +
      `udp:127.0.0.1:${port}; a change from there to here needs a restart`,
  });
  reader.close();
});

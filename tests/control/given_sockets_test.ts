import assert from "node:assert/strict";
import { checkGiven } from "../../lib/control/crew.ts";
import type { EngineHost } from "../../lib/control/engine_host.ts";
import type { Given } from "../../lib/control/given_sockets.ts";
import { NO_PLAN, type Plan } from "../../lib/control/plan.ts";
import { settleListeners } from "../../lib/control/settled_listeners.ts";
import { type Address, formatAddress, parseListenAddress } from "../../lib/core/address.ts";
import type { ListenerOptions } from "../../lib/dataplane/messages.ts";
import { testConfig } from "../support/balancer.ts";

function given(...addresses: string[]): Given {
  const sockets = addresses.map((address) => {
    return { address: parseListenAddress(address), descriptors: [1_000_000], isManaged: true };
  });
  return { sockets, settled: new Map() };
}

async function settled(listen: string, given: Given): Promise<string[]> {
  const config = testConfig({ backends: ["127.0.0.1:1"], listener: { listen } });
  const [sockets = []] = (await settleListeners(config, undefined, undefined, given)).values();
  return sockets.map(formatAddress);
}

Deno.test("a listener has the socket that was given for its address, which cannot be bound again", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const at = `127.0.0.1:${taken.addr.port}`;
  assert.deepEqual(await settled(at, given(at)), [at]);
  await assert.rejects(settled(at, given("127.0.0.1:1")), /port \d+ is in use/);
});

Deno.test("a listener at all addresses has the socket that systemd opened for them", async () => {
  using taken = Deno.listen({ hostname: "::", port: 0 });
  const { port } = taken.addr;
  assert.deepEqual(await settled(`:${port}`, given(`[::]:${port}`)), [`[::]:${port}`]);
});

Deno.test("a listener for port 0 has the port that the balancer before had", async () => {
  const at: Address = { transport: "tcp", host: "127.0.0.1", port: 4321 };
  const before = { ...given("127.0.0.1:4321"), settled: new Map([["web 127.0.0.1:0", [at]]]) };
  assert.deepEqual(await settled("127.0.0.1:0", before), ["127.0.0.1:4321"]);
});

Deno.test("where TLS is opened, or was, no socket can come from another process", () => {
  const [address] = given("127.0.0.1:443").sockets.map((it) => it.address);
  const runtime = {} as EngineHost;
  const plan = (opensTls: boolean): Plan => {
    return { ...NO_PLAN, listeners: [{ name: "web", address, opensTls } as ListenerOptions] };
  };
  const host = (descriptors?: readonly number[]): EngineHost => {
    const of: EngineHost = {
      book: { givenAt: (it: Address) => descriptors && { address: it, descriptors, isManaged: false } },
      hostOf: ({ opensTls }: ListenerOptions) => opensTls === true ? runtime : of,
    } as unknown as EngineHost;
    return of;
  };
  checkGiven(host(), plan(true));
  checkGiven(host([9]), plan(false));
  for (const [it, opensTls] of [[host([9]), true], [host([]), true], [host([]), false]] as const) {
    assert.throws(
      () => checkGiven(it, plan(opensTls)),
      /cannot listen on 127\.0\.0\.1:443: TLS is opened there/,
    );
  }
});

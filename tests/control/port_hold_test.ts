import assert from "node:assert/strict";
import { makePlan } from "../../lib/control/plan.ts";
import { HeldByRuntime, type PortHold } from "../../lib/control/port_hold.ts";
import { describeListenError } from "../../lib/engine/listen_error.ts";
import { Names } from "../../lib/control/names.ts";
import { RowBook } from "../../lib/control/rows.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { testConfig } from "../support/balancer.ts";

Deno.test("a port that the system chose belongs to the balancer before its workers listen", async () => {
  const ports = new HeldByRuntime();
  const config = testConfig({ backends: ["127.0.0.1:1"] });
  const plan = await makePlan(config, new RowBook(new Scoreboard()), new Names(), undefined, ports);
  const address = plan.listeners[0]?.address;
  assert.ok(address?.transport === "tcp");
  const { host: hostname, port } = address;
  assert.throws(() => Deno.listen({ hostname, port }), Deno.errors.AddrInUse);
  await ports.release();
  Deno.listen({ hostname, port }).close();
});

Deno.test("a port that another program is given before it is held is chosen anew", async () => {
  const [held, released] = [[] as number[], [] as number[]];
  const taken = Object.assign(new Deno.errors.AddrInUse(), { code: "EADDRINUSE" });
  const ports: PortHold = {
    hold: (address) => {
      held.push(address.port);
      return held.length < 3 ? Promise.reject(describeListenError(address, taken)) : Promise.resolve();
    },
    release: () => Promise.resolve(void released.push(held.length)),
  };
  const config = testConfig({ backends: ["127.0.0.1:1"] });
  const plan = await makePlan(config, new RowBook(new Scoreboard()), new Names(), undefined, ports);
  const address = plan.listeners[0]?.address;
  assert.ok(address?.transport === "tcp");
  assert.deepEqual([held.length, held[2], released], [3, address.port, [1, 2]]);
});

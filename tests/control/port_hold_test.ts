import assert from "node:assert/strict";
import { makePlan } from "../../lib/control/plan.ts";
import { HeldByRuntime } from "../../lib/control/port_hold.ts";
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

// deno-lint-ignore-file no-await-in-loop -- one case after the other

import assert from "node:assert/strict";
import type { Config } from "../../lib/config/schema.ts";
import { canFollow, changesBetween, partsOf } from "../../lib/control/parts.ts";
import { Names } from "../../lib/control/names.ts";
import { makePlan, permittedBy, type Plan } from "../../lib/control/plan.ts";
import { RowBook } from "../../lib/control/rows.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { type TestBalancerOptions, testConfig } from "../support/balancer.ts";
import { refusedPort } from "../support/ports.ts";

const PORT = refusedPort();

const BASE: TestBalancerOptions = {
  backends: ["127.0.0.1:1", "127.0.0.1:2"],
  listener: { listen: `127.0.0.1:${PORT}` },
  pool: { within: ["10.0.0.0/8:80"], queue: { size: 5, timeout: "1s" } },
};

interface Change extends Partial<TestBalancerOptions> {
  readonly admin?: Config["admin"];
}

/** The same with a listener that takes datagrams. */
const ON_UDP: TestBalancerOptions = {
  backends: ["127.0.0.1:1", "127.0.0.1:2"],
  listener: { listen: `udp:127.0.0.1:${PORT}` },
  pool: { within: ["10.0.0.0/8:80"] },
};

/** Plans of two configurations, with rows of one book, and whether workers of the first can follow the second. */
async function follow(change: Change, base = BASE): Promise<{ plans: [Plan, Plan]; can: boolean }> {
  const rows = new RowBook(new Scoreboard());
  const { admin, ...options } = change;
  const configs = [
    testConfig(base),
    {
      ...testConfig({
        ...base,
        ...options,
        listener: { ...base.listener, ...options.listener },
        pool: { ...base.pool, ...options.pool },
      }),
      admin,
    },
  ] as const;
  const before = await makePlan(configs[0], rows, new Names());
  const after = await makePlan(configs[1], rows, new Names(), { plan: before, config: configs[0] });
  const can = canFollow(partsOf(before, configs[0]), partsOf(after, configs[1]), permittedBy(before, true));
  return { plans: [before, after], can };
}

Deno.test("workers follow other rules, weights, and members that they are permitted to dial", async () => {
  const changes: Change[] = [
    {},
    { pool: { dial_timeout: "1s" } },
    { pool: { retries: 7 } },
    { pool: { when_all_down: "ignore_health" } },
    { pool: { outlier_detection: { consecutive_failures: 3 } } },
    { pool: { health_check: {}, slow_start: "1s", on_backend_down: "close" } },
    { backends: ["127.0.0.1:1"] },
    { backends: ["127.0.0.1:2", "127.0.0.1:1"] },
    { backends: [{ address: "127.0.0.1:1", name: "x", backup: true, weight: 3, max_connections: 2 }] },
    { backends: ["127.0.0.1:1", "10.200.0.1:80"] },
    { shutdownTimeout: "9s" },
  ];
  for (const change of changes) assert.ok((await follow(change)).can, JSON.stringify(change));
});

Deno.test("workers cannot follow another structure, nor members elsewhere", async () => {
  const changes: Change[] = [
    { listener: { name: "other" } },
    { listener: { listen: `127.0.0.1:${refusedPort()}` } },
    { listener: { max_connections: 3 } },
    { listener: { idle_timeout: "1s" } },
    { listener: { keepalive: { idle: "1s" } } },
    // A worker that binds no socket has given that up.
    { pool: { source: ["127.0.0.2"] } },
    { pool: { algorithm: "maglev" } },
    { pool: { queue: { size: 6, timeout: "1s" } } },
    { pool: { within: [] } },
    { pool: { within: ["10.0.0.0/8:80", "192.0.2.0/24"] } },
    { workers: 3 },
    { logging: { sessions: false } },
    { admin: { listen: { transport: "tcp", host: "127.0.0.1", port: 1 }, tokenFile: undefined } },
    { backends: ["127.0.0.1:1", "10.200.0.1:81"] },
    { backends: ["127.0.0.1:3"] },
    { backends: ["unix:/run/b.sock"] },
  ];
  for (const change of changes) assert.ok(!(await follow(change)).can, JSON.stringify(change));
});

Deno.test("workers of a listener on UDP follow members and rules, and nothing else", async () => {
  const followed: Change[] = [
    { backends: ["127.0.0.1:2"] },
    { backends: ["127.0.0.1:1", "10.200.0.1:80"] },
    { pool: { health_check: { type: "udp", send: "x" }, retries: 7 } },
  ];
  for (const change of followed) assert.ok((await follow(change, ON_UDP)).can, JSON.stringify(change));
  const others: Change[] = [
    { listener: { max_flows: 5 } },
    { listener: { responses: 1 } },
    { listener: { idle_timeout: "1s" } },
    { listener: { allow: ["10.0.0.0/8"] } },
    { listener: { listen: `127.0.0.1:${PORT}` } },
    { backends: ["127.0.0.1:3"] },
  ];
  for (const change of others) assert.ok(!(await follow(change, ON_UDP)).can, JSON.stringify(change));
});

Deno.test("workers are told of the pools that changed, and of no other", async () => {
  const same = await follow({});
  assert.deepEqual(changesBetween(...same.plans), []);
  const { plans } = await follow({ backends: ["127.0.0.1:2"], pool: { retries: 9 } });
  const [change, ...others] = changesBetween(...plans);
  assert.deepEqual(others, []);
  assert.equal(change?.row, plans[0].pools[0]?.row);
  assert.equal(change?.tuning.retries, 9);
  assert.deepEqual(change?.backends.map(({ row }) => row), [plans[0].pools[0]?.backends[1]?.row]);
});

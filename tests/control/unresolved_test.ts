// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Backends whose names are not resolved: they are down, and nothing else suffers. */

import assert from "node:assert/strict";
import type { BackendStatus } from "../../lib/admin/status.ts";
import { Names } from "../../lib/control/names.ts";
import { NameError } from "../../lib/core/lookup.ts";
import { startNamedBackend, visit } from "../support/backend.ts";
import { startTestBalancer, type TestBalancer, testConfig, until } from "../support/balancer.ts";
import { refusedPort } from "../support/ports.ts";
import { asRow } from "../support/rows.ts";
import { operationsOf } from "../support/operations.ts";

const GONE = `cannot resolve the name "gone.example": there is no such name`;

/** A resolver that the test can teach, and pauses that it ends. */
function world(known: Record<string, readonly string[]> = {}): {
  readonly known: Record<string, readonly string[]>;
  readonly names: Names;
  readonly sleep: (ms: number, stop: AbortSignal) => Promise<void>;
  endPause(): void;
} {
  let wake = (): void => {};
  const lookUp = (name: string): Promise<readonly string[]> => {
    const found = known[name];
    if (found !== undefined) return Promise.resolve(found);
    return Promise.reject(new NameError(name, "there is no such name", true));
  };
  return {
    known,
    names: new Names({ lookUp }),
    sleep: (_, stop) =>
      new Promise((resolve) => {
        wake = resolve;
        stop.addEventListener("abort", () => resolve(), { once: true });
      }),
    endPause: () => wake(),
  };
}

function statusOf(
  { balancer }: TestBalancer,
): { readonly backends: readonly BackendStatus[]; readonly ready: boolean } {
  const operations = operationsOf(balancer);
  const { pools, ready } = operations.status();
  operations.stop();
  return { backends: pools[0]?.backends ?? [], ready };
}

/** Who answers a few sessions. */
async function answers(port: number): Promise<string[]> {
  const names = new Set<string>();
  for (let i = 0; i < 6; i++) names.add(await visit(port));
  return [...names].sort();
}

Deno.test("a backend whose name is not resolved is down and says why; when the name is, it gets its sessions", async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  const { known, names, sleep, endPause } = world();
  const port = Number(b.member.address.split(":")[1]);
  await using balancer = await startTestBalancer({
    backends: [a.member, { name: "b", address: `gone.example:${port}` }],
    names,
    sleep,
  });
  const { level, fields } = await balancer.log.waitFor("backend_down");
  assert.deepEqual({ level, fields }, {
    level: "warning",
    fields: { pool: "web", backend: "b", reason: GONE },
  });
  const before = statusOf(balancer);
  const down = before.backends[1];
  assert.deepEqual([down?.state, down?.health, down?.reason, down?.address], [
    "down",
    "down",
    GONE,
    `gone.example:${port}`,
  ]);
  assert.ok(before.ready);
  assert.deepEqual(await answers(balancer.port), ["a"]);

  endPause();
  known["gone.example"] = ["127.0.0.1"];
  await until(() => {
    endPause();
    return balancer.balancer.generations.started === 2;
  }, "the address is in force");
  await balancer.log.waitFor(
    "backend_up",
    (it) => it.backend === "b" && it.reason === "its name is resolved",
  );
  await balancer.log.waitFor("name_resolved", (it) => it.backend === "b" && it.pool === "web");
  assert.deepEqual(await answers(balancer.port), ["a", "b"]);
  const up = statusOf(balancer).backends[1];
  assert.deepEqual([up?.state, up?.address], ["up", `127.0.0.1:${port}`]);
});

Deno.test("the reason is that of the last try, and another one is told", async () => {
  let why = "no name server answered";
  const { sleep, endPause } = world();
  const names = new Names({ lookUp: (name) => Promise.reject(new NameError(name, why, false)) });
  await using balancer = await startTestBalancer({ backends: ["gone.example:80"], names, sleep });
  assert.match(statusOf(balancer).backends[0]?.reason ?? "", /no name server answered$/);
  why = "there is no such name";
  await until(() => {
    endPause();
    return statusOf(balancer).backends[0]?.reason === GONE;
  }, "the reason is the new one");
  const { fields } = await balancer.log.waitFor("name_not_resolved");
  assert.deepEqual(fields, { pool: "web", backend: "gone.example:80", reason: GONE });
  assert.equal(balancer.balancer.generations.started, 1);
});

Deno.test("a pool whose only name is not resolved refuses its sessions as one whose backends are down", async () => {
  for (const rule of ["refuse", "ignore_health"]) {
    const { names, sleep } = world();
    await using balancer = await startTestBalancer({
      backends: ["gone.example:80"],
      pool: { when_all_down: rule },
      names,
      sleep,
    });
    assert.equal(await visit(balancer.port), "");
    const [record] = await balancer.waitForRecords(1);
    assert.deepEqual([record?.end, record?.attempts], ["no_backend", 0]);
    assert.equal(statusOf(balancer).ready, false);
  }
});

Deno.test("a reload that brings a name without an address is put into force; the rest of it serves", async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  const { names, sleep } = world();
  await using balancer = await startTestBalancer({ backends: [a.member], names, sleep });
  const listener = { listen: `127.0.0.1:${balancer.port}` };
  const next = testConfig({ backends: [b.member, { name: "c", address: "gone.example:80" }], listener });
  assert.equal(await balancer.balancer.reload(next), "replaced");
  assert.deepEqual(await answers(balancer.port), ["b"]);
  assert.deepEqual(statusOf(balancer).backends.map(({ state }) => state), ["up", "down"]);
  // Once more, with nothing new about it: the workers stay.
  assert.equal(await balancer.balancer.reload(next), "kept");
});

Deno.test("what is asked for meanwhile is not undone when a name is resolved", async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  const { known, names, sleep, endPause } = world();
  await using balancer = await startTestBalancer({ backends: [a.member, "gone.example:80"], names, sleep });
  const listener = { listen: `127.0.0.1:${balancer.port}` };
  const next = testConfig({ backends: [b.member, "gone.example:80"], listener });
  known["gone.example"] = ["127.0.0.1"];
  endPause();
  await balancer.balancer.reload(next);
  await until(() => statusOf(balancer).backends[1]?.address === "127.0.0.1:80", "the name is resolved");
  assert.equal(balancer.balancer.config, next);
});

Deno.test("sessions and checks go to the address of a name that answers, whichever it is", async () => {
  await using a = startNamedBackend("a");
  const port = Number(a.member.address.split(":")[1]);
  for (const addresses of [["::1", "127.0.0.1"], ["127.0.0.3", "127.0.0.2", "127.0.0.1"]]) {
    const { names, sleep } = world({ two: addresses });
    await using balancer = await startTestBalancer({
      backends: [{ name: "two", address: `two:${port}` }],
      pool: { health_check: { interval: "100ms", fall: 1 } },
      names,
      sleep,
    });
    assert.deepEqual(await answers(balancer.port), ["a"]);
    const row = balancer.balancer.plan.pools[0]?.backends[0]?.row ?? asRow<"backend">(-1);
    await until(() => (balancer.balancer.health.of(row)?.checks.ok ?? 0) > 2, "three checks have succeeded");
    assert.equal(balancer.balancer.health.of(row)?.checks.failed, 0);
    const records = await balancer.waitForRecords(6);
    assert.ok(records.every((it) => it.attempts === 1 && it.failed === undefined));
    await a.goDown();
    await balancer.log.waitFor("backend_down", (it) => it.reason === "connection refused");
    a.comeUp();
  }
});

Deno.test("a name of which no address answers fails as one backend", async () => {
  const { names, sleep } = world({ two: ["127.0.0.2", "127.0.0.3"] });
  await using balancer = await startTestBalancer({
    backends: [`two:${refusedPort()}`],
    pool: { retries: 0 },
    names,
    sleep,
  });
  assert.equal(await visit(balancer.port), "");
  const [record] = await balancer.waitForRecords(1);
  assert.deepEqual([record?.end, record?.attempts], ["dial_failed", 1]);
  assert.match(record?.failed?.[0] ?? "", /: connection refused$/);
});

Deno.test("a backend whose name is resolved later has to pass its checks before it is up", async () => {
  await using a = startNamedBackend("a");
  const { known, names, sleep, endPause } = world();
  const refused = refusedPort();
  await using balancer = await startTestBalancer({
    backends: [a.member, { name: "late", address: `gone.example:${refused}` }],
    pool: { health_check: { interval: "100ms" } },
    names,
    sleep,
  });
  known["gone.example"] = ["127.0.0.1"];
  await until(() => {
    endPause();
    return balancer.balancer.generations.started === 2;
  }, "the address is in force");
  const row = balancer.balancer.plan.pools[0]?.backends[1]?.row ?? asRow<"backend">(-1);
  await until(() => (balancer.balancer.health.of(row)?.checks.failed ?? 0) > 3, "it is checked");
  assert.equal(statusOf(balancer).backends[1]?.state, "down");
  assert.ok(!balancer.log.events.some((it) => it.event === "backend_up" && it.fields.backend === "late"));
  assert.deepEqual(await answers(balancer.port), ["a"]);
});

Deno.test("a name that no longer exists takes its backend down at a reload; one that no server answers for does not", async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  const port = Number(b.member.address.split(":")[1]);
  let failure: Error | undefined;
  const names = new Names({
    lookUp: () => failure === undefined ? Promise.resolve(["127.0.0.1"]) : Promise.reject(failure),
  });
  await using balancer = await startTestBalancer({
    backends: [a.member, { name: "b", address: `gone.example:${port}` }],
    names,
    sleep: world().sleep,
  });
  const { config } = balancer.balancer;
  failure = new NameError("gone.example", "no name server answered", false);
  assert.equal(await balancer.balancer.reload(config), "kept");
  const { fields } = await balancer.log.waitFor("name_stale");
  assert.equal(fields.reason, `cannot resolve the name "gone.example": no name server answered`);
  assert.deepEqual(await answers(balancer.port), ["a", "b"]);
  failure = new NameError("gone.example", "there is no such name", true);
  assert.equal(await balancer.balancer.reload(config), "kept");
  await balancer.log.waitFor("backend_down", (it) => it.backend === "b" && it.reason === GONE);
  assert.deepEqual(await answers(balancer.port), ["a"]);
});

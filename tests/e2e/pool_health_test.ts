// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What becomes of sessions when checks find backends down, and when they find them up again. */

import assert from "node:assert/strict";
import {
  enter,
  startBackend,
  startCheckedBackend,
  startNamedBackend,
  startSilentBackend,
  visit,
} from "../support/backend.ts";
import { startTestBalancer, type TestBalancer, until } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";

const HTTP_CHECK = { type: "http", interval: "100ms", timeout: "5s", rise: 2, fall: 2 };

/** What was said about the health of backends: `name: event, reason`. */
function changes(balancer: TestBalancer): string[] {
  return balancer.log.events.filter(({ event }) => /^backend_/.test(event))
    .map(({ event, fields }) => `${fields.backend}: ${event}, ${fields.reason}`);
}

onEachEngine(
  "a backend is up before it was checked: nobody waits for the first check to end",
  async (engine) => {
    await using a = startNamedBackend("a");
    const silent = await startSilentBackend();
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member],
      pool: { health_check: { interval: "100ms", timeout: "1m", fall: 1, port: silent.port } },
    });
    for (let i = 0; i < 5; i++) assert.equal(await visit(balancer.port), "a");
    assert.deepEqual(changes(balancer), []);
    await balancer.stop();
    silent.stop();
  },
);

onEachEngine(
  "odd health: of five backends those that are odd answer 503, and only the even ones have sessions",
  async (engine) => {
    await using b1 = startCheckedBackend("b1");
    await using b2 = startCheckedBackend("b2");
    await using b3 = startCheckedBackend("b3");
    await using b4 = startCheckedBackend("b4");
    await using b5 = startCheckedBackend("b5");
    for (const odd of [b1, b3, b5]) odd.isWell = false;
    await using balancer = await startTestBalancer({
      engine,
      backends: [b1, b2, b3, b4, b5].map((it) => it.member),
      pool: { health_check: HTTP_CHECK },
    });
    await until(() => changes(balancer).length === 3, "three backends are down");
    const names = await Promise.all(Array.from({ length: 40 }, () => visit(balancer.port, "?")));
    assert.equal(names.filter((name) => name === "b2").length, 20);
    assert.equal(names.filter((name) => name === "b4").length, 20);
    const reasons = changes(balancer).sort();
    assert.deepEqual(reasons, ["b1", "b3", "b5"].map((name) => `${name}: backend_down, HTTP 503`));
  },
);

onEachEngine(
  "every change of state is one record with its reason, however long the state lasts",
  async (engine) => {
    await using a = startCheckedBackend("a");
    await using b = startCheckedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member, b.member],
      pool: { health_check: HTTP_CHECK },
    });
    for (const isWell of [false, true, false, true]) {
      a.isWell = isWell;
      const seen = a.checks;
      await until(() => a.checks >= seen + 4, "the state has lasted for a while");
      const expected = isWell ? /^[ab]{4}$/ : /^bbbb$/;
      let names = "";
      for (let i = 0; i < 4; i++) names += await visit(balancer.port, "?");
      assert.match(names, expected);
      assert.equal(names.includes("a"), isWell);
    }
    const [down, up] = ["a: backend_down, HTTP 503", "a: backend_up, HTTP 200"];
    assert.deepEqual(changes(balancer), [down, up, down, up]);
    const levels = balancer.log.events.filter(({ event }) => /^backend_/.test(event)).map(({ level }) =>
      level
    );
    assert.deepEqual(levels, ["warning", "info", "warning", "info"]);
  },
);

onEachEngine(
  "multiple ports: a check on a port of its own decides, and leaves the port of the sessions alone",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    const checked = startBackend(() => {});
    const { port } = checked;
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member, b.member],
      pool: { health_check: { interval: "100ms", rise: 1, fall: 1, port } },
    });
    await until(() => checked.accepted >= 6, "both were checked");
    assert.equal(await visit(balancer.port) + await visit(balancer.port), "ab");
    await checked.stop();
    await until(() => changes(balancer).length === 2, "both are down");
    assert.equal(await visit(balancer.port), "");
    const again = startBackend(() => {}, { port });
    await until(() => changes(balancer).length === 4, "both are up again");
    assert.equal([await visit(balancer.port), await visit(balancer.port)].sort().join(""), "ab");
    assert.deepEqual([a.served, b.served], [2, 2]);
    await balancer.stop();
    await again.stop();
  },
);

onEachEngine(
  "multiple ports: a check on a port of its own goes to the host of each backend",
  async (engine) => {
    const serve = (): void => {};
    const one = startBackend(serve);
    const two = startBackend(serve, { hostname: "127.0.0.2", port: one.port });
    await using a = startNamedBackend("a");
    const onTwo = startBackend(serve, { hostname: "127.0.0.2" });
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member, { name: "onTwo", address: onTwo.address }],
      pool: { health_check: { interval: "100ms", fall: 1, port: one.port } },
    });
    await until(() => one.accepted >= 2 && two.accepted >= 2, "both were checked");
    await two.stop();
    await balancer.log.waitFor("backend_down");
    for (let i = 0; i < 4; i++) assert.equal(await visit(balancer.port), "a");
    assert.deepEqual(changes(balancer), ["onTwo: backend_down, connection refused"]);
    await balancer.stop();
    await Promise.all([one.stop(), onTwo.stop()]);
  },
);

onEachEngine(
  "when_all_down: refuse closes clients promptly without a dial, ignore_health serves them by any backend",
  async (engine) => {
    for (const policy of ["refuse", "ignore_health"]) {
      await using a = startCheckedBackend("a");
      await using b = startCheckedBackend("b");
      await using balancer = await startTestBalancer({
        engine,
        backends: [a.member, { ...b.member, backup: true }],
        pool: { health_check: HTTP_CHECK, when_all_down: policy },
      });
      [a.isWell, b.isWell] = [false, false];
      await until(() => changes(balancer).length === 2, "both are down");
      const expected = policy === "refuse" ? "" : "a";
      for (let i = 0; i < 3; i++) {
        assert.equal((await enter(balancer.port, "?").then(leave)).name, expected, policy);
      }
      const ends = (await balancer.waitForRecords(3)).map(({ end, attempts }) => `${end} ${attempts}`);
      assert.deepEqual(ends, Array(3).fill(policy === "refuse" ? "no_backend 0" : "done 1"));
      b.isWell = true;
      await balancer.log.waitFor("backend_up");
      assert.equal(await visit(balancer.port, "?"), "b", `${policy}: the backup is up again`);
    }
  },
);

onEachEngine(
  "sessions that wait for a full backend are refused when it goes down, and served when another comes up",
  async (engine) => {
    await using a = startCheckedBackend("a");
    await using b = startCheckedBackend("b");
    b.isWell = false;
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ ...a.member, max_connections: 1 }, b.member],
      pool: { health_check: HTTP_CHECK, queue: { size: 5, timeout: "1m" } },
    });
    await balancer.log.waitFor("backend_down", (fields) => fields.backend === "b");
    using _holder = await enter(balancer.port, "?");
    const waiting = enter(balancer.port, "?");
    await until(() => balancer.queued() === 1, "one waits");
    b.isWell = true;
    assert.equal(leave(await waiting).name, "b");
    b.isWell = false;
    await balancer.log.waitFor("backend_down", () => changes(balancer).length === 3);
    const waitingAgain = enter(balancer.port);
    await until(() => balancer.queued() === 1, "one waits again");
    a.isWell = false;
    using refused = await waitingAgain;
    assert.equal(refused.name, "");
    await balancer.log.waitFor("session", (fields) => fields.end === "no_backend" && fields.attempts === 0);
  },
);

function leave<T extends Disposable>(guest: T): T {
  guest[Symbol.dispose]();
  return guest;
}

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** DNS servers behind a balancer, and dig in front of it: UDP and TCP at the same port number. */

import assert from "node:assert/strict";
import {
  startTestBalancer,
  type TestBalancer,
  type TestBalancerOptions,
  testConfig,
} from "../support/balancer.ts";
import {
  DIG,
  dig,
  digMany,
  DNSMASQ,
  type DnsServer,
  KNOT,
  startDnsmasq,
  startKnot,
  ZONE,
} from "../support/dns_servers.ts";
import { onEachEngineWith } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";

const SERVERS = [
  { program: DNSMASQ, name: "dnsmasq", start: startDnsmasq },
  { program: KNOT, name: "Knot", start: startKnot },
] as const;

/** UDP and TCP at one port number, with a pool each. */
function dnsOptions(
  servers: readonly DnsServer[],
  port: number,
  { engine, pool = {} }: Pick<TestBalancerOptions, "engine" | "pool">,
): TestBalancerOptions {
  const backends = servers.map((it) => it.address);
  return {
    ...(engine === undefined ? {} : { engine }),
    backends,
    pool,
    listener: { name: "dns", listen: `udp:127.0.0.1:${port}`, responses: 1 },
    otherListeners: [{ name: "dns-tcp", listen: `127.0.0.1:${port}`, pool: "tcp" }],
    otherPools: { tcp: { backends } },
  };
}

function endsOf(balancer: TestBalancer, listener: string): string[] {
  return balancer.records().filter((it) => it.listener === listener).map((it) => it.end);
}

for (const { program, name, start } of SERVERS) {
  onEachEngineWith(
    [program, DIG],
    `dig gets every kind of answer of ${name}: small, large, and by TCP when it was cut off`,
    async (engine) => {
      await using server = await start("one", freePort());
      const port = freePort();
      await using balancer = await startTestBalancer(dnsOptions([server], port, { engine }));
      assert.equal(await dig(port, "www.example", "A"), ZONE.a);
      assert.equal(await dig(port, "www.example", "AAAA"), ZONE.aaaa);
      const large = ZONE.large.map((it) => `"${it}"`).join(" ");
      assert.equal(await dig(port, "large.example", "TXT", "+bufsize=4096", "+ignore"), large);
      await balancer.waitForRecords(3);
      assert.deepEqual(endsOf(balancer, "dns"), ["done", "done", "done"]);
      assert.ok(Math.max(...balancer.records().map((it) => it.bytes_out)) > 2_600);

      assert.equal(await dig(port, "large.example", "TXT", "+bufsize=512"), large);
      await balancer.waitForRecords(5);
      assert.deepEqual(endsOf(balancer, "dns-tcp"), ["done"]);
      assert.equal(endsOf(balancer, "dns").length, 4);
    },
  );
}

onEachEngineWith(
  [DNSMASQ, KNOT, DIG],
  "four hundred queries are shared by two servers in turn, and each is a flow that its answer ends",
  async (engine) => {
    await using one = await startDnsmasq("one", freePort());
    await using two = await startKnot("two", freePort());
    const port = freePort();
    await using balancer = await startTestBalancer(dnsOptions([one, two], port, { engine }));
    const answers = await digMany(port, 400, "who.example", "TXT");
    assert.equal(answers.length, 400);
    for (const who of ['"one"', '"two"']) assert.equal(answers.filter((it) => it === who).length, 200);
    const records = await balancer.waitForRecords(400);
    assert.ok(records.every((it) => it.end === "done" && it.duration_ms < 10_000));
  },
);

onEachEngineWith(
  [DNSMASQ, DIG],
  "when a server is killed, its checks take it out of the rotation, and answers go on without a query lost",
  async (engine) => {
    const dying = await startDnsmasq("one", freePort());
    await using two = await startDnsmasq("two", freePort());
    const port = freePort();
    // A query for the address of the root: twelve bytes of header, and the question.
    const send = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01";
    const pool = {
      health_check: {
        type: "udp",
        send,
        expect: "\x12\x34",
        interval: "100ms",
        timeout: "1s",
        rise: 1,
        fall: 1,
      },
    };
    await using balancer = await startTestBalancer(dnsOptions([dying, two], port, { engine, pool }));
    assert.deepEqual(new Set(await digMany(port, 20, "who.example", "TXT")), new Set(['"one"', '"two"']));
    await dying[Symbol.asyncDispose]();
    const { fields } = await balancer.log.waitFor("backend_down", (it) => it.pool === "web");
    assert.equal(fields.backend, dying.address);
    assert.deepEqual(await digMany(port, 100, "who.example", "TXT"), Array(100).fill('"two"'));
    await using _again = await startDnsmasq("one", Number(dying.address.split(":")[1]));
    await balancer.log.waitFor("backend_up", (it) => it.pool === "web");
    assert.deepEqual(new Set(await digMany(port, 20, "who.example", "TXT")), new Set(['"one"', '"two"']));
  },
);

onEachEngineWith(
  [DNSMASQ, DIG],
  "a server that is killed and has no checks is ejected, by its refusals, or by its silence where those are not told",
  async (engine) => {
    const dying = await startDnsmasq("one", freePort());
    await using two = await startDnsmasq("two", freePort());
    const port = freePort();
    const options = dnsOptions([dying, two], port, {
      engine,
      pool: { outlier_detection: { consecutive_failures: 2, ejection_time: "1m" } },
    });
    const listener = { ...options.listener, idle_timeout: "500ms" };
    await using balancer = await startTestBalancer({ ...options, listener });
    await dying[Symbol.asyncDispose]();
    // A client has to ask again, as resolvers do: what was sent to a server that is gone is lost.
    const answers = await digMany(port, 4, "who.example", "TXT", "+tries=4", "+timeout=1");
    assert.equal(answers.filter((it) => it === '"two"').length, 4);
    const { fields } = await balancer.log.waitFor("backend_ejected");
    assert.equal(fields.backend, dying.address);
    const failed = balancer.records().filter((it) => it.backend === dying.address).map((it) => it.end);
    assert.deepEqual(failed, Array(2).fill(engine === "epoll" ? "backend_reset" : "idle_timeout"));
    assert.deepEqual(await digMany(port, 100, "who.example", "TXT"), Array(100).fill('"two"'));
  },
);

onEachEngineWith(
  [DNSMASQ, DIG],
  "reloads in the midst of queries lose none, though each replaces the workers",
  async (engine) => {
    await using one = await startDnsmasq("one", freePort());
    await using two = await startDnsmasq("two", freePort());
    const port = freePort();
    const options = dnsOptions([one, two], port, { engine });
    await using balancer = await startTestBalancer(options);
    let isOver = false;
    const reloading = (async () => {
      for (let i = 0; i < 6; i++) {
        const listener = { ...options.listener, idle_timeout: `${20 + i}s` };
        assert.equal(await balancer.balancer.reload(testConfig({ ...options, listener })), "replaced");
      }
      isOver = true;
    })();
    while (!isOver) {
      const answers = await digMany(port, 200, "who.example", "TXT");
      assert.deepEqual(answers.filter((it) => it !== '"one"' && it !== '"two"'), []);
      assert.equal(answers.length, 200);
    }
    await reloading;
  },
);

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Flows over real sockets: how they begin, what they relay, and how they end. */

import assert from "node:assert/strict";
import { formatAddress } from "../../lib/core/address.ts";
import { DROPPED_NO_ROOM } from "../../lib/pool/tally.ts";
import { until } from "../support/balancer.ts";
import { bytes, pattern, text } from "../support/bytes.ts";
import { onEachEngine } from "../support/engines.ts";
import { startFlowPlane } from "../support/flow_plane.ts";
import { freePort } from "../support/ports.ts";
import { startNamedUdpBackend, startUdpBackend, udpAt, UdpClient } from "../support/udp.ts";

onEachEngine(
  "a flow stays with the backend that was picked for it, from one port, and leaves a record",
  async (engine) => {
    using a = startNamedUdpBackend("a");
    using b = startNamedUdpBackend("b");
    await using rig = await startFlowPlane(engine, { backends: [a, b], limits: { idleTimeoutMs: 300 } });
    using client = new UdpClient(rig.address);
    using other = new UdpClient(rig.address);
    assert.deepEqual([await client.ask("1"), await client.ask("2"), await client.ask("3")], [
      "a:1",
      "a:2",
      "a:3",
    ]);
    assert.equal(await other.ask("4"), "b:4");
    assert.equal(new Set(a.received.map(({ from }) => from)).size, 1, "one port");
    assert.equal(rig.flows(), 2);
    const records = await rig.waitForRecords(2);
    const record = records.find((it) => it.client === `127.0.0.1:${client.port}`);
    assert.ok(record !== undefined);
    assert.deepEqual(
      [record.end, record.bytes_in, record.bytes_out, record.backend, record.attempts],
      ["done", 3, 9, "a", 1],
    );
    assert.equal(rig.flows(), 0);
    assert.deepEqual(rig.shared.active(), [0, 0]);
  },
);

onEachEngine(
  "datagrams of every size are passed on whole and in their order, those that come before there is a backend too",
  async (engine) => {
    using echo = startUdpBackend((datagram) => [datagram.slice()]);
    await using rig = await startFlowPlane(engine, { backends: [echo] });
    using client = new UdpClient(rig.address);
    const sizes = [1, 0, 1_400, 9_000, 0, 3, 65_507];
    for (const size of sizes) await client.send(pattern(size, size + 1));
    for (const size of sizes) assert.deepEqual(await client.receive(), pattern(size, size + 1));
  },
);

onEachEngine("what is no answer of the backend is not passed on", async (engine) => {
  using a = startNamedUdpBackend("a");
  await using rig = await startFlowPlane(engine, { backends: [a] });
  using client = new UdpClient(rig.address);
  assert.equal(await client.ask("1"), "a:1");
  using stranger = new UdpClient(udpAt(a.received[0]?.from ?? assert.fail()));
  await stranger.send("no answer");
  assert.equal(await client.ask("2"), "a:2");
});

onEachEngine(
  "with `responses` a flow is over when each datagram of the client is answered, also when two come at once",
  async (engine) => {
    using a = startNamedUdpBackend("a");
    await using rig = await startFlowPlane(engine, { backends: [a], flows: { responses: 1 } });
    using client = new UdpClient(rig.address);
    await client.send("A");
    await client.send("AAAA");
    assert.deepEqual([text(await client.receive()), text(await client.receive())], ["a:A", "a:AAAA"]);
    const [record] = await rig.waitForRecords(1);
    assert.deepEqual([record?.end, record?.bytes_in], ["done", 5]);
    await until(() => rig.flows() === 0, "no flow is left");
    assert.equal(await client.ask("again"), "a:again");
    assert.equal((await rig.waitForRecords(2)).length, 2);
  },
);

onEachEngine(
  "silence where answers are due is a failure of the backend, and any other silence none",
  async (engine) => {
    using silent = startUdpBackend(() => []);
    const options = { backends: [silent], limits: { idleTimeoutMs: 200 }, consecutiveFailures: 1 };
    await using rig = await startFlowPlane(engine, { ...options, flows: { responses: 1 } });
    await using patient = await startFlowPlane(engine, options);
    for (const { address } of [rig, patient]) {
      using client = new UdpClient(address);
      await client.send("hello?");
      await until(() => silent.received.length > 0, "the backend has it");
    }
    const [[due], [done]] = [await rig.waitForRecords(1), await patient.waitForRecords(1)];
    assert.deepEqual([due?.end, done?.end], ["idle_timeout", "done"]);
    assert.deepEqual([rig.of("failing").length, patient.of("failing").length], [1, 0]);
  },
);

onEachEngine("an answer that cannot be sent to its client is none that the backend owes", async (engine) => {
  using a = startNamedUdpBackend("a");
  const options = { backends: [a], limits: { idleTimeoutMs: 200 }, consecutiveFailures: 1 };
  await using rig = await startFlowPlane(engine, { ...options, flows: { responses: 1 } });
  // No way leads there from a socket on the loopback.
  const client = udpAt(9, "192.0.2.1");
  rig.plane.handover.deliver([{ listener: formatAddress(rig.address), client, bytes: bytes("hello?") }]);
  const [record] = await rig.waitForRecords(1);
  assert.deepEqual([record?.end, record?.bytes_in, record?.bytes_out], ["done", 6, 0]);
  await until(() => rig.tallied(DROPPED_NO_ROOM) === 1, "it is counted as dropped");
  assert.deepEqual([a.received.length, rig.of("failing").length], [1, 0]);
});

onEachEngine("a datagram from port 0, which no answer can reach, begins no flow", async (engine) => {
  using a = startNamedUdpBackend("a");
  await using rig = await startFlowPlane(engine, { backends: [a] });
  const [listener, client] = [formatAddress(rig.address), udpAt(0)];
  rig.plane.handover.deliver([{ listener, client, bytes: bytes("hello?") }]);
  assert.equal(rig.flows(), 0);
  using other = new UdpClient(rig.address);
  assert.equal(await other.ask("1"), "a:1");
  assert.deepEqual([rig.flows(), a.received.length], [1, 1]);
});

onEachEngine(
  "the flow that is idle for longest makes room for another one, and one that is not idle stays",
  async (engine) => {
    using a = startNamedUdpBackend("a");
    await using rig = await startFlowPlane(engine, { backends: [a], flows: { maxFlows: 3 } });
    using busy = new UdpClient(rig.address);
    using idle = new UdpClient(rig.address);
    assert.equal(await busy.ask("1"), "a:1");
    assert.equal(await idle.ask("1"), "a:1");
    const clients: UdpClient[] = [];
    for (let i = 0; i < 10; i++) {
      assert.equal(await busy.ask(`${i}`), `a:${i}`);
      const client = new UdpClient(rig.address);
      clients.push(client);
      assert.equal(await client.ask("new"), "a:new");
      assert.ok(rig.flows() <= 3, `${rig.flows()} flows`);
    }
    const records = await rig.waitForRecords(9);
    assert.deepEqual(new Set(records.map(({ end }) => end)), new Set(["forgotten"]));
    assert.equal(records[0]?.client, `127.0.0.1:${idle.port}`);
    assert.ok(records.every(({ client }) => client !== `127.0.0.1:${busy.port}`));
    assert.equal(await idle.ask("back"), "a:back");
    for (const client of clients) client[Symbol.dispose]();
  },
);

onEachEngine("where open files set the limit, a flow makes room as well", async (engine) => {
  using a = startNamedUdpBackend("a");
  await using rig = await startFlowPlane(engine, { backends: [a], maxSessions: 2 });
  for (let i = 0; i < 5; i++) {
    using client = new UdpClient(rig.address);
    assert.equal(await client.ask("?"), "a:?");
  }
  assert.equal(rig.flows(), 2);
  await until(() => rig.of("files_wanted").length > 0, "more files are asked for");
});

onEachEngine("a client that is not let in costs no other one its flow", async (engine) => {
  using a = startNamedUdpBackend("a");
  const limited = {
    maxConnections: 1,
    rate: undefined,
  };
  await using rig = await startFlowPlane(engine, {
    backends: [a],
    flows: { maxFlows: 1 },
    greeting: {
      timeoutMs: 1_000,
      proxies: undefined,
      admission: { allow: [], deny: [], perSource: limited },
      tls: undefined,
      routes: [],
      looksAtHello: false,
    },
  });
  using first = new UdpClient(rig.address);
  assert.equal(await first.ask("1"), "a:1");
  using second = new UdpClient(rig.address);
  await second.send("2");
  await until(() => rig.of("denials").length > 0, "it was turned away");
  assert.equal(rig.of("denials")[0]?.denials[0]?.reason, "source_limit");
  assert.equal(await first.ask("3"), "a:3");
  assert.deepEqual([rig.flows(), a.received.length, rig.records().length], [1, 2, 0]);
});

onEachEngine("a flow is listed, and ended by its id or with its backend", async (engine) => {
  using a = startNamedUdpBackend("a");
  await using rig = await startFlowPlane(engine, { backends: [a] });
  using client = new UdpClient(rig.address);
  assert.equal(await client.ask("1"), "a:1");
  rig.plane.listSessions(1, 10, {});
  const [listed] = rig.of("live_sessions")[0]?.sessions ?? [];
  assert.deepEqual([listed?.client, listed?.backend, listed?.bytes_in], [
    `127.0.0.1:${client.port}`,
    "a",
    1,
  ]);
  rig.plane.endSession(2, listed?.id ?? "", "killed");
  assert.equal(rig.flows(), 0, "its place is free at once");
  assert.equal(await client.ask("2"), "a:2");
  rig.plane.endSessions(rig.shared.backend("a").row, "backend_down");
  const records = await rig.waitForRecords(2);
  assert.deepEqual(records.map(({ end }) => end), ["killed", "backend_down"]);
});

onEachEngine(
  "where nothing listens the flow ends, if the engine is told, and the next one is the other backend's",
  async (engine) => {
    using b = startNamedUdpBackend("b");
    const gone = { port: freePort() };
    await using rig = await startFlowPlane(engine, { backends: [gone, b], consecutiveFailures: 1 });
    using client = new UdpClient(rig.address);
    await client.send("1");
    if (engine === "runtime") {
      assert.equal(await client.receiveWithin(100), undefined);
      assert.deepEqual([rig.flows(), rig.of("failing").length], [1, 0]);
      return;
    }
    const [record] = await rig.waitForRecords(1);
    assert.deepEqual([record?.end, record?.backend, rig.flows()], ["backend_reset", "a", 0]);
    assert.equal(rig.of("failing").length, 1);
    assert.equal(await client.ask("2"), "b:2");
  },
);

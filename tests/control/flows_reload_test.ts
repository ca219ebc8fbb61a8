// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Flows through reloads, the deaths of workers, and the end of the program. */

import assert from "node:assert/strict";
import { until } from "../support/balancer.ts";
import { text } from "../support/bytes.ts";
import { onEachEngine } from "../support/engines.ts";
import { FlowGenerations, freePorts } from "../support/flow_generations.ts";
import { startNamedUdpBackend, startUdpBackend, udpAt, UdpClient } from "../support/udp.ts";

onEachEngine(
  "a flow outlives reloads, one after the other, with its backend and its port, until it is over",
  async (engine) => {
    using a = startNamedUdpBackend("a");
    using b = startNamedUdpBackend("b");
    using c = startNamedUdpBackend("c");
    await using it = new FlowGenerations(engine);
    const ports = freePorts(1);
    const [port = assert.fail()] = ports;
    await it.run({ backend: a, ports });
    using old = new UdpClient(udpAt(port));
    assert.equal(await old.ask("1"), "a:1");
    await it.run({ backend: b, ports });
    assert.equal(await old.ask("2"), "a:2");
    using young = new UdpClient(udpAt(port));
    assert.equal(await young.ask("1"), "b:1");
    await it.run({ backend: c, ports });
    assert.deepEqual([await old.ask("3"), await young.ask("2")], ["a:3", "b:2"]);
    using last = new UdpClient(udpAt(port));
    assert.equal(await last.ask("1"), "c:1");
    assert.equal(new Set(a.received.map(({ from }) => from)).size, 1, "one flow, from one port");
    assert.deepEqual(it.drained, []);
    const client = `127.0.0.1:${old.port}`;
    const [flow = assert.fail()] = await it.generations.sessions(1, { client });
    assert.ok(await it.generations.endSession(flow.id, "killed"));
    await it.waitForDrained(1);
    const [record = assert.fail()] = it.records();
    assert.deepEqual([record.client, record.end], [client, "killed"]);
    assert.ok(record.local?.endsWith(`:${a.received[0]?.from}`), `${record.local}`);
    assert.deepEqual([await old.ask("4"), await young.ask("3")], ["c:4", "b:3"]);
  },
);

onEachEngine("no datagram is lost or overtaken by another one at a reload", async (engine) => {
  using echo = startUdpBackend((datagram) => [datagram.slice()]);
  await using it = new FlowGenerations(engine);
  const ports = freePorts(1);
  const [port = assert.fail()] = ports;
  await it.run({ backend: echo, ports });
  using client = new UdpClient(udpAt(port));
  let isOver = false;
  const sent: string[] = [];
  const received: string[] = [];
  const receiving = (async () => {
    while (!isOver || received.length < sent.length) received.push(text(await client.receive()));
  })();
  const sending = (async () => {
    while (!isOver) {
      const datagram = String(sent.length);
      sent.push(datagram);
      await client.send(datagram);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  for (let i = 0; i < 3; i++) await it.run({ backend: echo, ports });
  isOver = true;
  await sending;
  await receiving;
  assert.ok(sent.length > 10, `${sent.length} datagrams`);
  assert.deepEqual(received, sent);
  assert.equal(new Set(echo.received.map(({ from }) => from)).size, 1, "one flow");
});

onEachEngine(
  "a listener that is in no configuration any more serves its flows, and begins no other",
  async (engine) => {
    using a = startNamedUdpBackend("a");
    using b = startNamedUdpBackend("b");
    await using it = new FlowGenerations(engine);
    const [stays = assert.fail(), goes = assert.fail()] = freePorts(2);
    await it.run({ backend: a, ports: [stays, goes] });
    using old = new UdpClient(udpAt(goes));
    assert.equal(await old.ask("1"), "a:1");
    await it.run({ backend: b, ports: [stays] });
    assert.equal(await old.ask("2"), "a:2");
    using late = new UdpClient(udpAt(goes));
    await late.send("?");
    using young = new UdpClient(udpAt(stays));
    assert.equal(await young.ask("1"), "b:1");
    await it.run({ backend: b, ports: [stays] });
    assert.equal(await old.ask("3"), "a:3");
    assert.equal(await late.receiveWithin(100), undefined);
    assert.equal(a.received.length, 3);
  },
);

onEachEngine(
  "when an old worker dies, its clients get new flows; when a new one dies, old flows go on",
  async (engine) => {
    using a = startNamedUdpBackend("a");
    using b = startNamedUdpBackend("b");
    await using it = new FlowGenerations(engine, "mortal_flow");
    const ports = freePorts(1);
    const [port = assert.fail()] = ports;
    await it.run({ backend: a, ports, workers: 1 });
    using client = new UdpClient(udpAt(port));
    assert.equal(await client.ask("1"), "a:1");
    const [old = assert.fail()] = it.generations.all;
    await it.run({ backend: b, ports, workers: 1 });
    assert.equal(await client.ask("2"), "a:2");
    it.kill(it.generations.current ?? assert.fail());
    await it.shop.log.waitFor("worker_restarted");
    assert.equal(await client.ask("3"), "a:3");
    it.kill(old);
    await it.waitForDrained(1);
    assert.equal(await client.ask("4"), "b:4");
  },
);

onEachEngine("at the end flows go on until they are over, or must be", async (engine) => {
  using a = startNamedUdpBackend("a");
  await using it = new FlowGenerations(engine);
  const ports = freePorts(1);
  const [port = assert.fail()] = ports;
  await it.run({ backend: a, ports });
  using client = new UdpClient(udpAt(port));
  assert.equal(await client.ask("1"), "a:1");
  const draining = it.generations.drain(Infinity);
  await it.generations.current?.close();
  assert.equal(await client.ask("2"), "a:2");
  using late = new UdpClient(udpAt(port));
  await late.send("?");
  assert.equal(await late.receiveWithin(100), undefined);
  it.generations.current?.setDeadline(0);
  assert.equal(await draining, 1);
  const [record] = it.records();
  assert.deepEqual([record?.end, record?.bytes_in], ["shutdown", 2]);
});

onEachEngine(
  "as many flows as there may be of an older worker make room for new ones",
  async (engine) => {
    using a = startNamedUdpBackend("a");
    await using it = new FlowGenerations(engine);
    const ports = freePorts(1);
    const [port = assert.fail()] = ports;
    const setting = { backend: a, ports, maxFlows: 4, workers: 1 };
    await it.run(setting);
    const old = Array.from({ length: 4 }, () => new UdpClient(udpAt(port)));
    for (const client of old) assert.equal(await client.ask("1"), "a:1");
    await it.run(setting);
    const young = [new UdpClient(udpAt(port)), new UdpClient(udpAt(port))];
    // The first datagram of each is answered.
    for (const client of young) assert.equal(await client.ask("2"), "a:2");
    // The older worker tells of it a moment later.
    await until(() => it.records().length === 2, "two of the old ones have made room");
    assert.deepEqual(
      it.records().map(({ client, end }) => [client, end]),
      old.slice(0, 2).map(({ port }) => [`127.0.0.1:${port}`, "forgotten"]),
    );
    for (const client of [...old, ...young]) client[Symbol.dispose]();
  },
);

onEachEngine(
  "where there may be fewer flows than there are, those that are idle for longest end with the reload",
  async (engine) => {
    using a = startNamedUdpBackend("a");
    await using it = new FlowGenerations(engine);
    const ports = freePorts(1);
    const [port = assert.fail()] = ports;
    await it.run({ backend: a, ports, workers: 1 });
    const clients = Array.from({ length: 8 }, () => new UdpClient(udpAt(port)));
    for (const client of clients) assert.equal(await client.ask("1"), "a:1");
    await it.run({ backend: a, ports, workers: 1, maxFlows: 3 });
    await until(() => it.records().length === 5, "the surplus has ended");
    assert.deepEqual(
      it.records().map(({ client, end }) => [client, end]).toSorted(),
      clients.slice(0, 5).map(({ port }) => [`127.0.0.1:${port}`, "forgotten"]).toSorted(),
    );
    for (const client of clients.slice(5)) assert.equal(await client.ask("2"), "a:2");
    assert.equal(new Set(a.received.map(({ from }) => from)).size, 8, "the others go on");
    for (const client of clients) client[Symbol.dispose]();
  },
);

onEachEngine("with fewer or more workers than before every client is still served", async (engine) => {
  using a = startNamedUdpBackend("a");
  await using it = new FlowGenerations(engine);
  const ports = freePorts(1);
  const [port = assert.fail()] = ports;
  const askAll = async (question: string): Promise<void> => {
    const clients = Array.from({ length: 16 }, () => new UdpClient(udpAt(port)));
    const answers = await Promise.all(clients.map((client) => client.ask(question)));
    for (const client of clients) client[Symbol.dispose]();
    assert.deepEqual(new Set(answers), new Set([`a:${question}`]));
  };
  await it.run({ backend: a, ports, workers: 3 });
  using old = new UdpClient(udpAt(port));
  assert.equal(await old.ask("1"), "a:1");
  await it.run({ backend: a, ports, workers: 1 });
  await askAll("with one");
  await it.run({ backend: a, ports, workers: 2 });
  await askAll("with two");
  assert.equal(await old.ask("2"), "a:2");
});

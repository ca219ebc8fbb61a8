// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Flows: datagrams over real sockets, from many clients to a backend and back. */

import assert from "node:assert/strict";
import type { Engine } from "../../lib/engine/contract.ts";
import { formatEndpoint } from "../../lib/core/endpoint.ts";
import { until } from "../support/balancer.ts";
import { pattern, same, text } from "../support/bytes.ts";
import type { RigSession } from "../support/engine_rig.ts";
import { startFlowRig } from "../support/flow_rig.ts";
import { freePort } from "../support/ports.ts";
import { startUdpEcho, UdpPeer } from "../support/udp.ts";

const ENGINES = Deno.build.os === "linux" ? ["epoll"] as const : [];

function onEachEngine(sentence: string, test: (engine: "epoll") => Promise<void>): void {
  for (const engine of ENGINES) Deno.test(`${sentence} (${engine})`, () => test(engine));
}

onEachEngine(
  "a flow carries datagrams both ways, whole and in their order, and counts each",
  async (engine) => {
    using backend = new UdpPeer();
    using client = new UdpPeer();
    await using rig = await startFlowRig(engine, backend.address);
    const sizes = [0, 1, 1_472, 65_507, 0, 9_000, 2];
    let from: Deno.NetAddr | undefined;
    for (const size of sizes) {
      await client.send(pattern(size, size + 1), rig);
      const { bytes, from: flow } = await backend.next();
      from = flow;
      assert.ok(same(bytes, pattern(size, size + 1)), `${size} bytes to the backend`);
    }
    const to = from ?? assert.fail();
    for (const size of sizes) {
      await backend.send(pattern(size, size + 2), to);
      const { bytes, from: asked } = await client.next();
      assert.ok(same(bytes, pattern(size, size + 2)), `${size} bytes to the client`);
      assert.equal(asked.port, rig.port);
    }
    // More than one call takes, at once.
    const burst = Array.from({ length: 150 }, (_, i) => `number ${i}`);
    await Promise.all(burst.map((it) => client.send(it, rig)));
    for (const word of burst) assert.equal(await backend.nextText(), word);
    await Promise.all(burst.map((it) => backend.send(it, to)));
    for (const word of burst) assert.equal(await client.nextText(), word);

    const session = await rig.session(0);
    const sum = sizes.reduce((all, size) => all + size) + burst.join("").length;
    await until(() => session.counted.in === sum && session.counted.out === sum, "every byte is counted");
    assert.equal(rig.sessions.length, 1);
    assert.deepEqual(session.told, []);
    assert.equal(formatEndpoint(session.client.peer), `127.0.0.1:${client.address.port}`);
    assert.equal(session.client.peer.transport, "udp");
    assert.equal(formatEndpoint(session.client.local), `127.0.0.1:${rig.port}`);
    assert.equal(formatEndpoint(session.backend?.peer ?? assert.fail()), `127.0.0.1:${backend.address.port}`);
    assert.equal(formatEndpoint(session.backend?.local ?? assert.fail()), `127.0.0.1:${to.port}`);
  },
);

onEachEngine("thousands of flows at once each get their own answers", async (engine) => {
  const count = 2_000;
  using backend = startUdpEcho();
  await using rig = await startFlowRig(engine, backend.address);
  const clients = Array.from({ length: count }, () => new UdpPeer());
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < count; i += 100) {
      const some = clients.slice(i, i + 100);
      await Promise.all(some.map((client, j) => client.send(`${round} for ${i + j}`, rig)));
      const answers = await Promise.all(some.map((client) => client.nextText()));
      assert.deepEqual(answers, some.map((_, j) => `${round} for ${i + j}`));
    }
  }
  assert.equal(rig.sessions.length, count);
  // Every other one ends, and begins anew.
  for (const [i, session] of rig.sessions.slice(0, count).entries()) if (i % 2 === 0) session.end();
  for (let i = 0; i < count; i += 100) {
    const some = clients.slice(i, i + 100);
    await Promise.all(some.map((client) => client.send("again", rig)));
    for (const client of some) assert.equal(await client.nextText(), "again");
  }
  assert.equal(rig.sessions.length, count + count / 2);
  for (const client of clients) client[Symbol.dispose]();
});

onEachEngine("what comes before there is a backend waits in its order, up to a bound", async (engine) => {
  using backend = new UdpPeer();
  using client = new UdpPeer();
  await using rig = await startFlowRig(engine, backend.address, { begin: () => {} });
  for (let i = 0; i < 90; i++) await client.send(`${i}`, rig);
  using other = new UdpPeer();
  for (let i = 0; i < 4; i++) await other.send(pattern(60_000, i), rig);
  // What was sent before has been read when this comes in.
  using last = new UdpPeer();
  await last.send("last", rig);
  await rig.session(2);
  const [first, second] = rig.sessions;
  first?.begin(rig.engine, backend.address);
  for (let i = 0; i < 64; i++) assert.equal(await backend.nextText(), `${i}`);
  second?.begin(rig.engine, backend.address);
  for (let i = 0; i < 2; i++) assert.ok(same((await backend.next()).bytes, pattern(60_000, i)));
  await other.send("then", rig);
  assert.equal(await backend.nextText(), "then", "the rest was dropped");
  assert.deepEqual([first?.counted.in, second?.counted.in], [118, 120_004]);
  assert.deepEqual([first?.client.dropped, second?.client.dropped], [26, 2]);
});

onEachEngine(
  "a backend that refuses is gone, and the client's next datagram begins another flow",
  async (engine) => {
    const port = freePort();
    using client = new UdpPeer();
    await using rig = await startFlowRig(engine, { transport: "udp", host: "127.0.0.1", port });
    await client.send("is anyone there", rig);
    const session = await rig.session(0);
    await session.finishedOnce;
    assert.deepEqual(session.told, ["backend gone", "finished"]);
    using backend = new UdpPeer("127.0.0.1", port);
    await client.send("now", rig);
    assert.equal(await backend.nextText(), "now");
    assert.equal(rig.sessions.length, 2);
  },
);

onEachEngine("what a backend answers before it refuses goes to the client first", async (engine) => {
  const backend = new UdpPeer();
  using client = new UdpPeer();
  await using rig = await startFlowRig(engine, backend.address);
  await client.send("one", rig);
  const { from } = await backend.next();
  for (let i = 0; i < 50; i++) await backend.send(`${i}`, from);
  backend[Symbol.dispose]();
  await client.send("two", rig);
  for (let i = 0; i < 50; i++) assert.equal(await client.nextText(), `${i}`);
  const session = await rig.session(0);
  await session.finishedOnce;
  assert.deepEqual(session.told, ["backend gone", "finished"]);
});

onEachEngine(
  "where a listener has all addresses, the answer comes from the one that was asked",
  async (engine) => {
    using backend = startUdpEcho();
    for (const host of ["0.0.0.0", "::"]) {
      await using rig = await startFlowRig(engine, backend.address, { host });
      for (const asked of ["127.0.0.2", "127.0.0.1", "127.1.2.3"]) {
        using client = new UdpPeer("127.0.0.1");
        await client.send(asked, { host: asked, port: rig.port });
        const { bytes, from } = await client.next();
        assert.deepEqual([text(bytes), from.hostname, from.port], [asked, asked, rig.port]);
        const { local, peer } = rig.sessions.at(-1)?.client ?? assert.fail();
        assert.equal(formatEndpoint(local), `${asked}:${rig.port}`);
        assert.equal(formatEndpoint(peer), `127.0.0.1:${client.address.port}`);
      }
      if (host === "0.0.0.0") continue;
      using client = new UdpPeer("::1");
      await client.send("six", { host: "::1", port: rig.port });
      const { bytes, from } = await client.next();
      assert.deepEqual([text(bytes), from.hostname], ["six", "::1"]);
    }
  },
);

onEachEngine("a backend is asked from the address that the dial names", async (engine) => {
  using backend = new UdpPeer();
  using client = new UdpPeer();
  await using rig = await startFlowRig(engine, backend.address, {
    begin: (session) => {
      rig.engine.dial([backend.address], {
        connected: (socket) => {
          session.backend = socket;
          rig.engine.relay(session.client, socket, session);
        },
        dialFailed: (error) => assert.fail(`${error}`),
        fault: (fault) => assert.fail(`${fault}`),
      }, () => "127.0.0.3");
    },
  });
  await client.send("from where", rig);
  const { from } = await backend.next();
  assert.equal(from.hostname, "127.0.0.3");
  assert.equal(formatEndpoint(rig.sessions[0]?.backend?.local ?? assert.fail()), `127.0.0.3:${from.port}`);
});

onEachEngine("clients and backends may have IPv6", async (engine) => {
  using backend = startUdpEcho("::1");
  await using rig = await startFlowRig(engine, backend.address, { host: "::1" });
  using client = new UdpPeer("::1");
  using other = new UdpPeer("::1");
  for (const word of ["one", "two"]) {
    for (const it of [client, other]) await it.send(word, { host: "::1", port: rig.port });
    for (const it of [client, other]) assert.equal(await it.nextText(), word);
  }
  assert.equal(rig.sessions.length, 2);
  assert.equal(formatEndpoint(rig.sessions[0]?.client.peer ?? assert.fail()), `[::1]:${client.address.port}`);
});

onEachEngine("a flow that another thread has is passed on, and not begun", async (engine) => {
  using backend = startUdpEcho();
  const passed: string[] = [];
  await using rig = await startFlowRig(engine, backend.address, {
    passOn: (client, datagram) => {
      if (text(datagram) !== "another's") return false;
      passed.push(`${formatEndpoint(client)} ${client.transport}`);
      return true;
    },
  });
  using client = new UdpPeer();
  await client.send("another's", rig);
  await client.send("own", rig);
  assert.equal(await client.nextText(), "own");
  // It has a flow now, and is not asked about any more.
  await client.send("another's", rig);
  assert.equal(await client.nextText(), "another's");
  assert.deepEqual(passed, [`127.0.0.1:${client.address.port} udp`]);
});

onEachEngine(
  "one that was replaced reads nothing more, and serves what is delivered to its flows",
  async (engine) => {
    using backend = startUdpEcho();
    for (const [host, at] of [["127.0.0.1", "127.0.0.1"], ["::", "127.0.0.1"], ["::1", "::1"]] as const) {
      await using rig = await startFlowRig(engine, backend.address, { host, isReplaced: () => true });
      using client = new UdpPeer(at);
      const address = { host: at, port: rig.port };
      await client.send("before", address);
      assert.equal(await client.nextText(), "before");
      rig.stop();
      await rig.accepting;
      await client.send("to its successor", address);
      rig.listener.deliver?.(client.address, new TextEncoder().encode("delivered"));
      assert.equal(await client.nextText(), "delivered");
      rig.listener.deliver?.({ ...client.address, port: 9 }, new Uint8Array(3));
      assert.equal(rig.sessions.length, 1, "no flow begins any more");
    }
  },
);

onEachEngine("one that was not replaced goes on to read for its flows, and begins none", async (engine) => {
  using backend = startUdpEcho();
  using client = new UdpPeer();
  using other = new UdpPeer();
  await using rig = await startFlowRig(engine, backend.address, { isReplaced: () => false });
  await client.send("before", rig);
  assert.equal(await client.nextText(), "before");
  rig.stop();
  await rig.accepting;
  await other.send("too late", rig);
  await client.send("after", rig);
  assert.equal(await client.nextText(), "after");
  assert.equal(rig.sessions.length, 1);
  // With its last flow it is over.
  rig.sessions[0]?.end();
  await client.send("and now", rig);
  assert.equal(rig.sessions.length, 1);
});

onEachEngine("a flow that is delivered begins where it may", async (engine) => {
  using backend = startUdpEcho();
  using client = new UdpPeer();
  await using rig = await startFlowRig(engine, backend.address);
  rig.listener.deliver?.(client.address, new TextEncoder().encode("begin"));
  assert.equal(await client.nextText(), "begin");
  await client.send("go on", rig);
  assert.equal(await client.nextText(), "go on");
  assert.equal(rig.sessions.length, 1);
});

onEachEngine("a flood of new sources does not stop a flow", async (engine) => {
  using backend = startUdpEcho();
  using client = new UdpPeer();
  const max = 100;
  const open: RigSession[] = [];
  await using rig = await startFlowRig(engine, backend.address, {
    limiter: {
      // The oldest but the first makes room, as the data plane does it.
      enter: () => {
        if (open.length === max) open.splice(1, 1)[0]?.end();
        return open.length < max;
      },
      leave: () => {},
      freed: () => Promise.resolve(),
    },
    begin: (session) => {
      open.push(session);
      session.begin(rig.engine, backend.address);
    },
  });
  await client.send("first", rig);
  assert.equal(await client.nextText(), "first");
  let isFlooding = true;
  const flood = (async () => {
    while (isFlooding) {
      const sources = Array.from({ length: 50 }, () => new UdpPeer());
      await Promise.all(sources.map((it) => it.send("flood", rig)));
      for (const source of sources) source[Symbol.dispose]();
    }
  })();
  for (let i = 0; i < 80; i++) {
    await client.send(`${i}`, rig);
    assert.equal(await client.nextText(), `${i}`);
  }
  isFlooding = false;
  await flood;
  assert.ok(rig.sessions.length > 100, `${rig.sessions.length} flows began`);
  assert.ok(!rig.sessions[0]?.isOver);
});

onEachEngine("a flow may be closed at any moment, and leaves nothing open", async (engine) => {
  using backend = startUdpEcho();
  using client = new UdpPeer();
  const moments: ((session: RigSession, rig: { readonly engine: Engine }) => void)[] = [
    (session) => session.end(),
    (session, { engine: it }) => {
      const cancel = it.dial([backend.address], {
        connected: () => assert.fail("was given up"),
        dialFailed: () => assert.fail("was given up"),
        fault: (fault) => assert.fail(`${fault}`),
      });
      cancel();
      session.end();
    },
    (session, { engine: it }) => {
      session.begin(it, backend.address);
      session.end();
    },
    (session, { engine: it }) => {
      it.dial([backend.address], {
        connected: (socket) => {
          session.backend = socket;
          it.relay(session.client, socket, session);
          session.end();
        },
        dialFailed: () => assert.fail("cannot fail"),
        fault: (fault) => assert.fail(`${fault}`),
      });
    },
    (session, { engine: it }) => {
      session.begin(it, backend.address);
      session.moved = (direction) => direction === "in" && session.end();
    },
    (session, { engine: it }) => {
      session.begin(it, backend.address);
      session.moved = (direction) => direction === "out" && session.end();
    },
  ];
  let next = 0;
  await using rig = await startFlowRig(engine, backend.address, {
    begin: (session) => moments[next++ % moments.length]?.(session, rig),
  });
  for (let i = 0; i < 60; i++) {
    await client.send("hello", rig);
    await until(() => rig.sessions.length > i, "it began");
    await rig.sessions[i]?.finishedOnce;
  }
  assert.ok(rig.sessions.every((it) => it.isOver));
});

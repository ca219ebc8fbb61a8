// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** A balancer that has no file descriptor left. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { startBackend, type TestBackend } from "../support/backend.ts";
import { bytes, readAll, readExactly, text } from "../support/bytes.ts";
import { onEachEngine } from "../support/engines.ts";
import { RunningCommand, SOCKBAL, SOCKBAL_EPOLL } from "../support/command.ts";
import { within } from "../pool/within.ts";
import { freePort, refusedPort } from "../support/ports.ts";
import { startNamedUdpBackend, udpAt, UdpClient } from "../support/udp.ts";

function limited(engine: EngineName, files: number, ...args: string[]): RunningCommand {
  const program = engine === "epoll" ? SOCKBAL_EPOLL : SOCKBAL;
  return new RunningCommand(["sh", "-c", `ulimit -n ${files} && exec "$@"`, "sh", ...program, ...args]);
}

/** User and system time of a process so far, in clock ticks (proc(5)). */
async function cpuTicks(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** Greets, and answers to the end. */
function greeter(): TestBackend {
  return startBackend(async (conn) => {
    await writeAll(conn, bytes("hello"));
    await writeAll(conn, await readAll(conn));
  });
}

/** Connects one after the other until one is not greeted any more; that one waits to be accepted. */
async function fill(port: number): Promise<{ inside: Deno.TcpConn[]; greeting: Promise<string> }> {
  const inside: Deno.TcpConn[] = [];
  for (;;) {
    const client = await Deno.connect({ hostname: "127.0.0.1", port });
    inside.push(client);
    const greeting = readExactly(client, 5).then(text, () => "closed");
    const isLate = await Promise.race([
      greeting.then(() => false),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 1_000)),
    ]);
    if (isLate) return { inside, greeting };
  }
}

onEachEngine(
  "before descriptors run out accepting pauses, no session is lost, and all who wait come in later",
  async (engine) => {
    const backend = greeter();
    await using balancer = limited(
      engine,
      128,
      ...["--role", "balancer", "--listen", "127.0.0.1:0", "--backend", backend.address, "--workers", "2"],
    );
    const [, port = ""] = await balancer.sees(/listening address=127.0.0.1:(\d+)/);
    await balancer.sees(/ ready /);
    const connect = (): Promise<Deno.TcpConn> => Deno.connect({ hostname: "127.0.0.1", port: Number(port) });

    const inside = await Promise.all(Array.from({ length: 20 }, connect));
    for (const client of inside) assert.equal(text(await readExactly(client, 5)), "hello");
    const crowd = await Promise.all(Array.from({ length: 80 }, connect));
    await balancer.sees(/ open_files_short sessions=\d+ reason="connections wait/);

    // It waits without spinning: far less than the half second of two busy threads.
    const before = await cpuTicks(balancer.pid);
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.ok(await cpuTicks(balancer.pid) - before < 25, "the processor spins");

    for (const client of inside) {
      await writeAll(client, bytes("mine"));
      await client.closeWrite();
      assert.equal(text(await readAll(client)), "mine");
      client.close();
    }
    const greetings = await Promise.all(crowd.map(async (client) => {
      const greeting = text(await readExactly(client, 5));
      client.close();
      return greeting;
    }));
    assert.deepEqual(greetings, Array(80).fill("hello"));

    const late = await connect();
    assert.equal(text(await readExactly(late, 5)), "hello");
    late.close();
    balancer.kill("SIGTERM");
    await backend.stop();
    const { stderr } = await balancer.finished;
    // The runtime itself never had to refuse a descriptor.
    assert.doesNotMatch(stderr, /Too many open files|accept_failing/);
  },
);

onEachEngine(
  "a flood of new flows leaves open files to connections, and room to the flows of another listener",
  async (engine) => {
    using datagrams = startNamedUdpBackend("a");
    const backend = greeter();
    const file = await Deno.makeTempFile({ suffix: ".yaml" });
    const [flooded, quiet, port] = [freePort(), freePort(), refusedPort()];
    await Deno.writeTextFile(
      file,
      `listeners:
  - { name: flooded, listen: "udp:127.0.0.1:${flooded}", pool: datagrams }
  - { name: quiet, listen: "udp:127.0.0.1:${quiet}", pool: datagrams }
  - { name: tcp, listen: "127.0.0.1:${port}", pool: connections }
pools:
  datagrams: { backends: ["${datagrams.address}"] }
  connections: { backends: ["${backend.address}"] }
workers: 2
`,
    );
    await using balancer = limited(engine, 256, "--role", "balancer", "--config", file);
    await balancer.sees(/ ready /);
    for (let i = 0; i < 300; i++) {
      using stranger = new UdpClient(udpAt(flooded));
      assert.equal(await stranger.ask("?"), "a:?");
    }
    await balancer.sees(/ open_files_short sessions=\d+ reason="connections wait, or flows end for others/);
    const inside: Deno.TcpConn[] = [];
    for (let i = 0; i < 6; i++) {
      const client = await Deno.connect({ hostname: "127.0.0.1", port });
      inside.push(client);
      assert.equal(text(await within(readExactly(client, 5), "a greeting")), "hello");
    }
    const clients = Array.from({ length: 6 }, () => new UdpClient(udpAt(quiet)));
    for (const client of clients) assert.equal(await client.ask("1"), "a:1");
    // The flood, which has most flows, has made room for all of them.
    for (const client of clients) assert.equal(await client.ask("2"), "a:2");
    const asked = datagrams.received.slice(-12).map(({ from }) => from);
    assert.deepEqual(asked.slice(6), asked.slice(0, 6), "each is one flow");
    for (const client of [...inside, ...clients]) client[Symbol.dispose]();
    await backend.stop();
    await Deno.remove(file);
  },
);

onEachEngine(
  "reloads near the limit of open files start new workers or say why not, and lose no session",
  async (engine) => {
    const backend = greeter();
    const file = await Deno.makeTempFile({ suffix: ".yaml" });
    const port = refusedPort();
    const write = (idle: number): Promise<void> =>
      Deno.writeTextFile(
        file,
        `listeners: [{ listen: "127.0.0.1:${port}", pool: p, idle_timeout: ${idle}s }]
pools: { p: { backends: ["${backend.address}"] } }
workers: 2
`,
      );
    await write(600);
    await using balancer = limited(engine, 256, "--role", "balancer", "--config", file);
    await balancer.sees(/ ready /);
    let changes = 0;
    const reload = async (): Promise<void> => {
      await write(601 + ++changes);
      balancer.kill("SIGHUP");
    };
    // Which of the two comes first depends on what is open anyway.
    const isFull = Promise.race([
      balancer.sees(
        / reload_failed reason="not enough open files to start 2 workers: \d+ are needed, \d+ are free"/,
      ),
      balancer.sees(/ open_files_short /),
    ]).then(() => false);
    const sessions: { client: Deno.TcpConn; greeting: Promise<string> }[] = [];
    let generation = 1;
    const reloads = (): Promise<boolean> => {
      return balancer.sees(new RegExp(` reloaded .* generation=${generation + 1}\n`)).then(() => true);
    };
    // Each generation stays as long as its session, until there is no room for another one.
    for (;;) {
      const client = await Deno.connect({ hostname: "127.0.0.1", port });
      const greeting = readExactly(client, 5).then(text);
      sessions.push({ client, greeting });
      if (!await Promise.race([greeting, isFull])) break;
      await reload();
      if (!await Promise.race([reloads(), isFull])) break;
      generation++;
      assert.ok(generation < 40);
    }
    assert.ok(generation > 5, `${generation} generations`);
    for (const { client, greeting } of sessions) {
      assert.equal(await greeting, "hello");
      await writeAll(client, bytes("still here"));
      await client.closeWrite();
      assert.equal(text(await readAll(client)), "still here");
      client.close();
    }
    // Their workers go with them, and then there is room again.
    let isReloaded = false;
    const reloaded = reloads().then(() => isReloaded = true);
    while (!isReloaded) {
      await reload();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await reloaded;
    using late = await Deno.connect({ hostname: "127.0.0.1", port });
    assert.equal(text(await readExactly(late, 5)), "hello");
    await backend.stop();
    await Deno.remove(file);
  },
);

onEachEngine("idle connections to the admin side cost no session, and it still answers", async (engine) => {
  const backend = greeter();
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  const [port, adminPort] = [refusedPort(), refusedPort()];
  await Deno.writeTextFile(
    file,
    `listeners: [{ listen: "127.0.0.1:${port}", pool: p }]
pools: { p: { backends: ["${backend.address}"], health_check: { interval: 100ms } } }
admin: { listen: "127.0.0.1:${adminPort}" }
`,
  );
  await using balancer = limited(engine, 256, "--role", "balancer", "--config", file);
  await balancer.sees(/ ready /);
  const idle: Deno.TcpConn[] = [];
  for (let i = 0; i < 300; i++) idle.push(await Deno.connect({ hostname: "127.0.0.1", port: adminPort }));
  const { inside, greeting } = await fill(port);
  assert.ok(inside.length > 30, `${inside.length} sessions`);
  const status = await (await fetch(`http://127.0.0.1:${adminPort}/api/status`)).json();
  assert.equal(status.pools[0].backends[0].state, "up");
  for (const conn of [...idle, ...inside.splice(0, 10)]) conn.close();
  assert.equal(await greeting, "hello");
  for (const conn of inside) conn.close();
  balancer.kill("SIGTERM");
  const { status: exit, stderr } = await balancer.finished;
  assert.equal(exit, 0);
  assert.doesNotMatch(stderr, /Too many open files|unexpected|backend_down/);
  await backend.stop();
  await Deno.remove(file);
});

onEachEngine(
  "a burst of connections to the admin side while sessions have all that they may does not silence it",
  async (engine) => {
    const backend = greeter();
    const file = await Deno.makeTempFile({ suffix: ".yaml" });
    const [port, adminPort] = [refusedPort(), refusedPort()];
    await Deno.writeTextFile(
      file,
      `listeners: [{ listen: "127.0.0.1:${port}", pool: p }]
pools: { p: { backends: ["${backend.address}"] } }
admin: { listen: "127.0.0.1:${adminPort}" }
`,
    );
    await using balancer = limited(engine, 256, "--role", "balancer", "--config", file);
    await balancer.sees(/ ready /);
    const { inside, greeting } = await fill(port);
    // So that all of them are there to be accepted at once.
    balancer.kill("SIGSTOP");
    const burst = Array.from({ length: 100 }, () => Deno.connect({ hostname: "127.0.0.1", port: adminPort }));
    await Promise.race(burst);
    await new Promise((resolve) => setTimeout(resolve, 200));
    balancer.kill("SIGCONT");
    for (const settled of await Promise.allSettled(burst)) {
      if (settled.status === "fulfilled") settled.value.close();
    }
    const { status } = await fetch(`http://127.0.0.1:${adminPort}/healthz`, {
      signal: AbortSignal.timeout(60_000),
    })
      .then(async (answer) => ({ status: answer.status, body: await answer.text() }));
    assert.equal(status, 200);
    for (const conn of inside) conn.close();
    await greeting;
    await backend.stop();
    await Deno.remove(file);
  },
);

onEachEngine(
  "a limit of open files that cannot carry max_connections is said at the start",
  async (engine) => {
    const file = await Deno.makeTempFile({ suffix: ".yaml" });
    const config = (connections: number): string => {
      return `listeners: [{ listen: "127.0.0.1:0", pool: p, max_connections: ${connections} }]
pools: { p: { backends: ["127.0.0.1:9"] } }
`;
    };
    await Deno.writeTextFile(file, config(1_000));
    await using tooFew = limited(engine, 256, "--role", "balancer", "--config", file);
    await tooFew.sees(
      / warn {2}open_files_too_few max_connections=1000 needed_files=\d+ possible_files=\d+ /,
    );
    await tooFew.sees(/ ready /);

    await Deno.writeTextFile(file, config(50));
    await using enough = limited(engine, 256, "--role", "balancer", "--config", file);
    await enough.sees(/ ready /);
    enough.kill("SIGTERM");
    assert.doesNotMatch((await enough.finished).stderr, /open_files/);
    await Deno.remove(file);
  },
);

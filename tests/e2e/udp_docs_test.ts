// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The configurations and the command of docs/udp.md do what the text beside them says. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import { startBalancer } from "../../lib/control/balancer.ts";
import { until } from "../support/balancer.ts";
import { ask, bytes, text } from "../support/bytes.ts";
import { RunningCommand, sockbalOn } from "../support/command.ts";
import { onEachEngine } from "../support/engines.ts";
import { type LoggedEvent, type MemoryLog, memoryLog } from "../support/memory_log.ts";
import { refusedPort } from "../support/ports.ts";
import { startNamedUdpBackend, startUdpBackend, udpAt, type UdpBackend, UdpClient } from "../support/udp.ts";

const markdown = await Deno.readTextFile(new URL("../../docs/udp.md", import.meta.url));
const CONFIGURATIONS = [...markdown.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, yaml = ""]) => yaml);

/** What stands in for the two backends of a configuration. */
const HOSTS = ["127.1.0.1", "127.1.0.2"] as const;

/** What answers a check over TCP. */
interface Checked {
  close(): Promise<void>;
}

interface Running extends AsyncDisposable {
  /** Of all listeners. */
  readonly port: number;
  readonly backends: readonly UdpBackend[];
  readonly checked: readonly Checked[];
  readonly log: MemoryLog;
  /** Flows and connections that there are. */
  active(): Promise<number>;
}

/** Serves TCP: HTTP with 200, which will do for a check that only connects as well. */
function startChecked(hostname: string, port: number): Checked {
  const server = Deno.serve({ hostname, port, onListen: () => {} }, () => new Response("well"));
  return { close: () => server.shutdown() };
}

/**
 * Runs the configuration that has this listener, on ports of this machine.
 *
 * @param checkPort What its checks ask over TCP.
 * @param shortened Times that the test does not want to wait for.
 */
async function run(
  engine: string,
  listener: string,
  { checkPort, shortened = {} }: {
    readonly checkPort: string;
    readonly shortened?: Readonly<Record<string, string>>;
  },
): Promise<Running> {
  let yaml = CONFIGURATIONS.find((it) => it.includes(`name: ${listener},`)) ?? assert.fail(listener);
  const ports = new Map<string, number>();
  const portFor = (written: string): number => {
    const port = ports.get(written) ?? refusedPort();
    ports.set(written, port);
    return port;
  };
  yaml = yaml.replaceAll(/10\.0\.([01])\.(\d):(\d+)/g, (_, net, host, port) => {
    return `${net === "0" ? "127.0.0.1" : HOSTS[Number(host) - 1]}:${portFor(port)}`;
  }).replace(/port: (\d+)/g, (_, port) => `port: ${portFor(port)}`);
  for (const [time, short] of Object.entries({ "interval: 2s": "interval: 100ms", ...shortened })) {
    yaml = yaml.replaceAll(time, short);
  }
  const [, served = ""] = /udp:127\.0\.0\.1:(\d+)/.exec(yaml) ?? [];
  const backends = HOSTS.map((hostname, i) => {
    return startUdpBackend((datagram) => [`${text(datagram)} ${i + 1}`], { hostname, port: Number(served) });
  });
  const checked = HOSTS.map((hostname) => startChecked(hostname, portFor(checkPort)));
  const log = memoryLog();
  const config = parseConfig(
    yaml.concat(`workers: 2\nengine: ${engine}\nshutdown_timeout: 0s\n`),
    "docs/udp.md",
  );
  const balancer = await startBalancer({ config, log: log.log });
  return {
    port: Number(served),
    backends,
    checked,
    log,
    active: async () => (await balancer.generations.sessions(100, {})).length,
    [Symbol.asyncDispose]: async () => {
      await balancer.stop();
      for (const backend of backends) backend[Symbol.dispose]();
      await Promise.all(checked.map((it) => it.close()));
    },
  };
}

/** Which backend answers: 1 or 2. */
async function whoAnswers(client: UdpClient): Promise<string> {
  return (await client.ask("who?")).replace("who? ", "");
}

onEachEngine("docs/udp.md: the command in short balances datagrams", async (engine) => {
  const [, command = ""] = /```sh\nsockbal (--role balancer [^\n]*)\n```/.exec(markdown) ?? [];
  using a = startNamedUdpBackend("a");
  using b = startNamedUdpBackend("b");
  const args = command.replace("1234", "0").replace("8001", String(a.port)).replace("8002", String(b.port));
  await using balancer = new RunningCommand([...sockbalOn(engine), ...args.split(" ")]);
  const [, port] = await balancer.sees(/listening address=udp:127\.0\.0\.1:(\d+)[^]* ready .*\n/);
  using one = new UdpClient(udpAt(Number(port)));
  using two = new UdpClient(udpAt(Number(port)));
  assert.deepEqual([await one.ask("1"), await two.ask("1"), await one.ask("2")], ["a:1", "b:1", "a:2"]);
});

onEachEngine(
  "docs/udp.md: DNS is shared question by question, over TCP too, and what is down is left out",
  async (engine) => {
    await using running = await run(engine, "dns", { checkPort: "53" });
    const { port, log } = running;
    using client = new UdpClient(udpAt(port));
    const answers: string[] = [];
    for (let i = 0; i < 6; i++) {
      answers.push(await whoAnswers(client));
    }
    assert.deepEqual(new Set(answers), new Set(["1", "2"]));
    // Two questions at once from one port, as of a resolver.
    await client.send("A");
    await client.send("AAAA");
    const both = [text(await client.receive()), text(await client.receive())];
    assert.deepEqual(both.map((it) => it.replace(/ \d$/, "")), ["A", "AAAA"]);
    assert.match(text(await ask(port, bytes("GET / HTTP/1.0\r\n\r\n"))), /^HTTP\/1\.\d 200 /);
    while (await running.active() > 0);
    assert.deepEqual(log.events.filter(({ event }) => event === "session"), []);

    running.backends[0]?.[Symbol.dispose]();
    await log.waitFor("backend_down", ({ pool }) => pool === "dns");
    for (let i = 0; i < 6; i++) assert.equal(await whoAnswers(client), "2");
  },
);

onEachEngine(
  "docs/udp.md: a sender that never falls silent picks again now and then, and when its backend goes down",
  async (engine) => {
    await using running = await run(engine, "syslog", {
      checkPort: "601",
      shortened: { "max_session_duration: 1m": "max_session_duration: 1s" },
    });
    const { port, log, backends: [one, two] } = running;
    assert.ok(one !== undefined && two !== undefined);
    using sender = new UdpClient(udpAt(port));
    const sendUntil = async (holds: () => boolean): Promise<void> => {
      const stop = AbortSignal.timeout(15_000);
      while (!holds()) {
        stop.throwIfAborted();
        await sender.send("line");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await sendUntil(() => one.received.length > 0 && two.received.length > 0);
    const { fields: record } = await log.waitFor("session");
    assert.equal(record.end, "max_duration");
    assert.ok(Number(record.bytes_in) > 40);

    await running.checked[0]?.close();
    await log.waitFor("backend_down");
    const [before, after] = [one.received.length, two.received.length];
    await sendUntil(() => two.received.length > after + 100);
    assert.ok(one.received.length <= before + 1);
  },
);

onEachEngine(
  "docs/udp.md: a long flow comes back to its backend, and leaves it only when it is down",
  async (engine) => {
    await using running = await run(engine, "wireguard", {
      checkPort: "8080",
      shortened: { "idle_timeout: 3m": "idle_timeout: 300ms" },
    });
    const { port, log } = running;
    using client = new UdpClient(udpAt(port));
    const home = await whoAnswers(client);
    for (let i = 0; i < 3; i++) {
      using moved = new UdpClient(udpAt(port));
      assert.equal(await whoAnswers(moved), home);
    }
    const isOwn = ({ event, fields }: LoggedEvent): boolean => {
      return event === "session" && fields.client === `127.0.0.1:${client.port}`;
    };
    const ended = async (count: number): Promise<LoggedEvent | undefined> => {
      await until(() => log.events.filter(isOwn).length === count, `${count} of its flows are over`);
      return log.events.findLast(isOwn);
    };
    assert.equal((await ended(1))?.fields.end, "done");
    assert.equal(await whoAnswers(client), home);

    await running.checked[Number(home) - 1]?.close();
    await log.waitFor("backend_down");
    // An answer that is on its way when its flow ends is lost.
    await ended(2);
    assert.notEqual(await whoAnswers(client), home);
  },
);

/**
 * Two balancers for one address, each way with the real programs and the files of docs/scale-out.md.
 *
 * The ways have one configuration, so that all of them see the same balancer die and come back.
 */

import assert from "node:assert/strict";
import type { RunningCommand } from "../support/command.ts";
import { skipped } from "../support/namespace.ts";
import { findProgram, type Found, pathOf, skipWithout } from "../support/packages.ts";
import { DNSMASQ } from "../support/dns_servers.ts";
import { HAPROXY } from "../support/peers.ts";
import { shownCommands } from "../support/shown_files.ts";
import { type Balancer, DOCUMENT, Network } from "../support/two_balancers.ts";

const CURL = await findProgram("curl", "curl");
const KEEPALIVED = await findProgram("keepalived", "keepalived");
const BALANCERS: readonly Balancer[] = ["first", "second"];
const CLIENTS = 300;
const MOVED = "http://10.0.0.10/";
const ROUTED = "http://203.0.113.10/";
const NAMED = "http://web.example/";
/** Clients of each way have addresses of their own, by which the log of a balancer tells them apart. */
const [OF_MOVED, OF_ROUTED, OF_CLOUD] = [1, 11, 21];

const { ignore, why } = skipWithout(CURL);

Deno.test({
  name: `clients of one address keep their backends when one of its two balancers dies${skipped}${why}`,
  ignore: ignore || skipped !== "",
  fn: async (t) => {
    const step = async (needs: readonly Found[], name: string, fn: () => Promise<void>): Promise<void> => {
      const { ignore, why } = skipWithout(...needs);
      await t.step({ name: `${name}${why}`, ignore, fn });
    };
    await using network = await Network.make();
    const commands = await shownCommands(DOCUMENT, "ECMP routes");
    const [balancers] = await Promise.all([
      Promise.all(BALANCERS.map((it) => network.balancer(it))),
      ...BALANCERS.map((it) => network.hosts[it].run(commands)),
    ]);
    const [first, second] = balancers as [RunningCommand, RunningCommand];
    const [keepalived] = await Promise.all([
      "path" in KEEPALIVED ? startKeepalived(network) : undefined,
      startRoutes(network),
      "path" in DNSMASQ ? startNameServer(network) : undefined,
    ]);
    const before = {
      moved: await network.backendsOf(CLIENTS, MOVED, OF_MOVED),
      routed: await network.backendsOf(CLIENTS, ROUTED, OF_ROUTED),
    };
    await step([DNSMASQ], "with DNS round robin clients come to both", async () => {
      assert.deepEqual([...new Set(await addressesAsked(network))].sort(), ["10.0.0.11", "10.0.0.12"]);
    });

    first.kill("SIGKILL");
    const { stderr } = await first.finished;
    await step([KEEPALIVED], "keepalived moves the address within three seconds", async () => {
      const ms = await network.untilServed(MOVED);
      assert.ok(ms < 3000, `${ms} ms`);
      assert.deepEqual(await holders(network), ["second"]);
      staysAsIs(before.moved, await network.backendsOf(CLIENTS, MOVED, OF_MOVED));
    });
    await step([], "ECMP routes lead to the other one", async () => {
      await network.router.run("until ip nexthop show id 10 | grep -q 'group 12 '; do sleep 0.05; done");
      staysAsIs(before.routed, await network.backendsOf(CLIENTS, ROUTED, OF_ROUTED));
      // Both had their share of the clients before.
      const served = stderr.split("\n").filter((line) => / client=10\.1\.1[1-9]\./.test(line)).length;
      assert.ok(served > CLIENTS / 4 && served < CLIENTS * 3 / 4, `${served} of ${CLIENTS}`);
    });
    await step([DNSMASQ], "with DNS round robin clients go on by the other address", async () => {
      assert.deepEqual(await addressesAsked(network), Array(20).fill("10.0.0.12"));
    });

    const again = await network.balancer("first");
    await step([KEEPALIVED], "a balancer that comes back does not take the address back", async () => {
      await keepalived?.sees(/FAULT STATE[^]*Entering BACKUP STATE/);
      assert.deepEqual(await holders(network), ["second"]);
    });
    await network.router.run("ip link set second down");
    await step([KEEPALIVED], "keepalived moves it within three seconds when a machine is gone", async () => {
      const ms = await network.untilServed(MOVED);
      assert.ok(ms < 3000, `${ms} ms`);
    });
    await step([], "ECMP routes lead to the one that has come back when a machine is gone", async () => {
      await network.untilServed(ROUTED);
    });
    await network.router.run("ip link set second up");

    await Promise.all([again, second].map((it) => it[Symbol.asyncDispose]()));
    await step([HAPROXY], "behind a balancer that sends the PROXY protocol, too", async () => {
      await using stack = new AsyncDisposableStack();
      const [first] = await Promise.all(BALANCERS.map(async (it) => {
        return stack.use(await network.balancer(it, "/etc/sockbal/behind-cloud.yaml"));
      }));
      const config = await network.write("/etc/haproxy/haproxy.cfg");
      stack.use(network.hosts.front.start([pathOf(HAPROXY), "-db", "-f", config]));
      const url = "http://10.0.0.30/";
      await network.untilServed(url);
      const before = await network.backendsOf(CLIENTS, url, OF_CLOUD);
      await first?.[Symbol.asyncDispose]();
      staysAsIs(before, await network.backendsOf(CLIENTS, url, OF_CLOUD));
    });
  },
});

/** The first balancer has the address; gives the program beside it. */
async function startKeepalived(network: Network): Promise<RunningCommand> {
  const config = await network.write("/etc/keepalived/keepalived.conf");
  const start = (host: Balancer): RunningCommand => {
    const pids = ["-p", `${network.folder}/${host}.pid`, "-r", `${network.folder}/${host}-vrrp.pid`];
    const daemon = network.hosts[host].start([pathOf(KEEPALIVED), "-n", "-l", "-P", "-f", config, ...pids]);
    // It ends its child and takes the address away, which SIGKILL would not let it do.
    network.use({
      [Symbol.asyncDispose]: async () => {
        daemon.kill("SIGTERM");
        await daemon.finished;
      },
    });
    return daemon;
  };
  const first = start("first");
  await network.untilServed(MOVED);
  await start("second").sees(/Entering BACKUP STATE/);
  assert.deepEqual(await holders(network), ["first"]);
  return first;
}

/** Which machines have the address that moves. */
async function holders(network: Network): Promise<Balancer[]> {
  const shown = await Promise.all(
    BALANCERS.map((it) => network.hosts[it].run("ip -o addr show dev eth0")),
  );
  return BALANCERS.filter((_, i) => shown[i]?.stdout.includes("10.0.0.10/"));
}

async function startRoutes(network: Network): Promise<void> {
  const script = await network.write("/usr/local/sbin/sockbal-routes", 0o755);
  network.use(network.router.start(["sh", script]));
  await network.untilServed(ROUTED);
}

async function startNameServer(network: Network): Promise<void> {
  const { client } = network;
  const config = await network.write("/etc/dnsmasq.d/sockbal.conf");
  const flags = ["--no-daemon", "--pid-file", "--user=", "--group=", "--no-resolv", "--no-hosts"];
  network.use(client.start([pathOf(DNSMASQ), `--conf-file=${config}`, ...flags]));
  await Deno.writeTextFile(`${network.folder}/resolv.conf`, "nameserver 127.0.0.1\n");
  await client.run(`mount --bind ${network.folder}/resolv.conf /etc/resolv.conf`);
  await network.untilServed(NAMED);
}

/** Which balancer each of twenty requests comes to. */
async function addressesAsked({ client }: Network): Promise<string[]> {
  const script = `for i in $(seq 20); do curl -sf -o /dev/null -w '%{remote_ip}\\n' ${NAMED}; done`;
  return (await client.run(script)).stdout.trim().split("\n");
}

/** Clients have the backends that they had. */
function staysAsIs(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): void {
  assert.equal(before.size, CLIENTS);
  const unmoved = [...before].filter(([client, backend]) => after.get(client) === backend).length;
  assert.ok(unmoved >= 0.95 * CLIENTS, `${unmoved} of ${CLIENTS}`);
}

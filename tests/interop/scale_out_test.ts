/** Two balancers for one address, each way with the real programs and the files of docs/scale-out.md. */

import assert from "node:assert/strict";
import { skipped } from "../support/namespace.ts";
import { findProgram, type Found, pathOf, skipWithout } from "../support/packages.ts";
import { DNSMASQ } from "../support/dns_servers.ts";
import { HAPROXY } from "../support/peers.ts";
import { shownCommands } from "../support/shown_files.ts";
import { type Balancer, DOCUMENT, Network } from "../support/two_balancers.ts";

const CURL = await findProgram("curl", "curl");
const KEEPALIVED = await findProgram("keepalived", "keepalived");
const CLIENTS = 300;
const BALANCERS: readonly Balancer[] = ["first", "second"];

function inNetwork(
  needs: readonly Found[],
  sentence: string,
  test: (network: Network) => Promise<void>,
): void {
  const { ignore, why } = skipWithout(CURL, ...needs);
  Deno.test({
    name: `${sentence}${skipped}${why}`,
    ignore: ignore || skipped !== "",
    fn: async () => {
      await using network = await Network.make();
      await test(network);
    },
  });
}

/** How many of the clients have the backend that they had. */
function unmoved(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): number {
  return [...before].filter(([client, backend]) => after.get(client) === backend).length;
}

inNetwork(
  [KEEPALIVED],
  "keepalived moves the address in three seconds when the active balancer dies, and when its machine does",
  async (network) => {
    const url = "http://10.0.0.10/";
    const config = await network.write("/etc/keepalived/keepalived.conf");
    const [first] = await Promise.all(BALANCERS.map((it) => network.balancer(it)));
    const start = (host: Balancer): void => {
      const pids = ["-p", `${network.folder}/${host}.pid`, "-r", `${network.folder}/${host}-vrrp.pid`];
      const daemon = network.hosts[host].start([pathOf(KEEPALIVED), "-n", "-l", "-P", "-f", config, ...pids]);
      // It ends its child and takes the address away, which SIGKILL would not let it do.
      network.use({
        [Symbol.asyncDispose]: async () => {
          daemon.kill("SIGTERM");
          await daemon.finished;
        },
      });
    };
    start("first");
    await network.untilServed(url);
    start("second");
    const holds = async (host: Balancer): Promise<boolean> =>
      (await network.hosts[host].run("ip -o addr show dev eth0")).stdout.includes("10.0.0.10/");
    assert.ok(await holds("first"));
    const before = await network.backendsOf(CLIENTS, url);
    assert.equal(before.size, CLIENTS);

    first?.kill("SIGKILL");
    await first?.finished;
    const afterBalancer = await network.untilServed(url);
    assert.ok(afterBalancer < 3000, `${afterBalancer} ms`);
    assert.ok(await holds("second"));
    assert.ok(unmoved(before, await network.backendsOf(CLIENTS, url)) >= 0.95 * CLIENTS);

    await network.balancer("first");
    // Two checks in a row have to pass before it may have the address again; it does not take it back.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    assert.deepEqual([await holds("first"), await holds("second")], [false, true]);
    await network.hosts.second.run("ip link set eth0 down");
    const afterMachine = await network.untilServed(url);
    assert.ok(afterMachine < 3000, `${afterMachine} ms`);
  },
);

inNetwork([], "with ECMP routes a balancer that dies moves no client to another backend", async (network) => {
  const url = "http://203.0.113.10/";
  const script = await network.write("/usr/local/sbin/sockbal-routes", 0o755);
  const commands = await shownCommands(DOCUMENT, "ECMP routes");
  const [first, second] = await Promise.all(BALANCERS.map(async (it) => {
    await network.hosts[it].run(commands);
    return await network.balancer(it);
  }));
  network.use(network.router.start(["sh", script]));
  await network.untilServed(url);
  const before = await network.backendsOf(CLIENTS, url);
  assert.equal(before.size, CLIENTS);

  first?.kill("SIGKILL");
  const { stderr } = await first?.finished ?? { stderr: "" };
  await network.router.run("until ip nexthop show id 10 | grep -q 'group 12 '; do sleep 0.05; done");
  const after = await network.backendsOf(CLIENTS, url);
  assert.ok(unmoved(before, after) >= 0.95 * CLIENTS, `${unmoved(before, after)} of ${CLIENTS}`);
  second?.kill("SIGTERM");
  // Both had their share of the clients before.
  const served = stderr.split("\n").filter((line) => / client=10\.1\./.test(line)).length;
  assert.ok(served > CLIENTS / 4 && served < CLIENTS * 3 / 4, `${served} of ${CLIENTS}`);
});

inNetwork(
  [DNSMASQ],
  "with DNS round robin clients go on by the other address when a balancer dies",
  async (network) => {
    const config = await network.write("/etc/dnsmasq.d/sockbal.conf");
    const [first] = await Promise.all(BALANCERS.map((it) => network.balancer(it)));
    const { client } = network;
    network.use(client.start([
      pathOf(DNSMASQ),
      ...[
        "--no-daemon",
        `--conf-file=${config}`,
        "--pid-file",
        "--user=",
        "--group=",
        "--no-resolv",
        "--no-hosts",
      ],
    ]));
    await Deno.writeTextFile(`${network.folder}/resolv.conf`, "nameserver 127.0.0.1\n");
    await client.run(`mount --bind ${network.folder}/resolv.conf /etc/resolv.conf`);
    await network.untilServed("http://web.example/");
    const ask = async (): Promise<string[]> => {
      const script =
        `for i in $(seq 20); do curl -sf -o /dev/null -w '%{remote_ip}\\n' http://web.example/; done`;
      return (await client.run(script)).stdout.trim().split("\n");
    };
    assert.deepEqual([...new Set(await ask())].sort(), ["10.0.0.11", "10.0.0.12"]);
    first?.kill("SIGKILL");
    await first?.finished;
    assert.deepEqual(await ask(), Array(20).fill("10.0.0.12"));
  },
);

inNetwork(
  [HAPROXY],
  "behind a balancer that sends the PROXY protocol a client keeps its backend when one of the two dies",
  async (network) => {
    const url = "http://10.0.0.30/";
    const [first] = await Promise.all(
      BALANCERS.map((it) => network.balancer(it, "/etc/sockbal/behind-cloud.yaml")),
    );
    const config = await network.write("/etc/haproxy/haproxy.cfg");
    network.use(network.hosts.front.start([pathOf(HAPROXY), "-db", "-f", config]));
    await network.untilServed(url);
    const before = await network.backendsOf(CLIENTS, url);
    assert.equal(before.size, CLIENTS);
    first?.kill("SIGKILL");
    await first?.finished;
    const after = await network.backendsOf(CLIENTS, url);
    assert.ok(unmoved(before, after) >= 0.95 * CLIENTS, `${unmoved(before, after)} of ${CLIENTS}`);
  },
);

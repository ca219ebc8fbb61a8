/** The network of docs/scale-out.md in namespaces: clients, a router, two balancers, three backends. */

import { type RunningCommand, sockbalOn } from "./command.ts";
import { ENGINES } from "./engines.ts";
import { Namespace } from "./namespace.ts";
import { shownFile } from "./shown_files.ts";

export const DOCUMENT = "scale-out.md";
const HOSTS = ["first", "second", "backends", "front"] as const;
export type Balancer = "first" | "second";

export class Network implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly router: Namespace;
  readonly client: Namespace;
  readonly hosts: Readonly<Record<(typeof HOSTS)[number], Namespace>>;
  readonly folder: string;

  private constructor(stack: AsyncDisposableStack, spaces: readonly Namespace[], folder: string) {
    const [router, client, first, second, backends, front] = spaces as [
      Namespace,
      Namespace,
      Namespace,
      Namespace,
      Namespace,
      Namespace,
    ];
    this.#stack = stack;
    this.router = router;
    this.client = client;
    this.hosts = { first, second, backends, front };
    this.folder = folder;
  }

  /** Any address in 10.1.0.0/16 is one of the client's. */
  static async make(): Promise<Network> {
    await using stack = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir();
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    const made = await Promise.allSettled(Array.from({ length: 6 }, () => Namespace.make()));
    for (const it of made) if (it.status === "fulfilled") stack.use(it.value);
    const spaces = made.map((it) => {
      if (it.status === "rejected") throw it.reason;
      return it.value;
    });
    const network = new Network(stack, spaces, folder);
    const { router, client, hosts } = network;
    // The router's side of the balancers is called eth1, as in the document.
    await succeeds(router.run(`
echo 1 > /proc/sys/net/ipv4/ip_forward
ip link add eth1 type bridge; ip addr add 10.0.0.1/24 dev eth1; ip link set eth1 up
ip link add eth0 type veth peer name eth0 netns ${client.pid}
ip addr add 10.9.0.1/30 dev eth0; ip link set eth0 up; ip route add 10.1.0.0/16 via 10.9.0.2
${
      HOSTS.map((name) =>
        `ip link add ${name} type veth peer name eth0 netns ${hosts[name].pid}; ` +
        `ip link set ${name} master eth1; ip link set ${name} up`
      ).join("\n")
    }`));
    const inside = (addresses: readonly string[], gateway: string): string =>
      `${
        addresses.map((it) => `ip addr add ${it} dev eth0; `).join("")
      }ip link set eth0 up; ip route add default via ${gateway}`;
    await Promise.all([
      succeeds(client.run(`${inside(["10.9.0.2/30"], "10.9.0.1")}; ip route add local 10.1.0.0/16 dev lo`)),
      succeeds(hosts.first.run(inside(["10.0.0.11/24"], "10.0.0.1"))),
      succeeds(hosts.second.run(inside(["10.0.0.12/24"], "10.0.0.1"))),
      succeeds(hosts.front.run(inside(["10.0.0.30/24"], "10.0.0.1"))),
      succeeds(hosts.backends.run(inside(["10.0.0.21/24", "10.0.0.22/24", "10.0.0.23/24"], "10.0.0.1"))),
    ]);
    await Deno.writeTextFile(`${folder}/token`, "0123456789abcdef", { mode: 0o600 });
    const servers = ["one", "two", "three"].map((name, i) => {
      const listen = `10.0.0.${21 + i}:8080`;
      return stack.use(
        hosts.backends.sockbal("--role", "server", "--listen", listen, "--handler", "http", "--name", name),
      );
    });
    await Promise.all(servers.map((it) => it.sees(/ ready /)));
    const kept = stack.move();
    return new Network(kept, spaces, folder);
  }

  /** Writes a file of the document into the folder, and says where. */
  async write(name: string, mode = 0o644): Promise<string> {
    const path = `${this.folder}/${name.slice(name.lastIndexOf("/") + 1)}`;
    await Deno.writeTextFile(path, await shownFile(DOCUMENT, name), { mode });
    return path;
  }

  /** Starts a balancer, each with an engine of its own where there are two, and waits until it is ready. */
  async balancer(host: Balancer, name = "/etc/sockbal/balancer.yaml"): Promise<RunningCommand> {
    const engine = ENGINES.at(host === "first" ? 0 : -1) ?? "runtime";
    const config = await this.write(name);
    const balancer = this.use(
      this.hosts[host].start([...sockbalOn(engine), "--role", "balancer", "--config", config]),
    );
    await balancer.sees(/ ready /);
    return balancer;
  }

  /** What is ended before the network is. */
  use<T extends AsyncDisposable>(running: T): T {
    return this.#stack.use(running);
  }

  /** Which backend answers each of so many addresses of the client, from 10.1.SUBNET.1 on. */
  async backendsOf(clients: number, url: string, subnet: number): Promise<Map<string, string>> {
    const asked = Array.from({ length: clients }, (_, i) => {
      const source = `10.1.${subnet + Math.floor(i / 250)}.${1 + (i % 250)}`;
      return `url = "${url}"\ninterface = "host!${source}"\nmax-time = 5\nwrite-out = " %{local_ip}\\n"\n`;
    });
    const input = new TextEncoder().encode(`${asked.join("next\n")}`);
    const { stdout } = await this.client.start(["curl", "-s", "-K", "-"], { input }).finished;
    return new Map(
      [...stdout.matchAll(/(one|two|three)\s+(10\.1\.\d+\.\d+)/g)].map((m) => [m[2] ?? "", m[1] ?? ""]),
    );
  }

  /** Milliseconds until a new session is served. */
  async untilServed(url: string): Promise<number> {
    const began = performance.now();
    const script =
      `for i in $(seq 200); do curl -sf -m 0.3 -o /dev/null ${url} && exit 0; sleep 0.05; done; exit 1`;
    await succeeds(this.client.run(script));
    return performance.now() - began;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

async function succeeds(running: ReturnType<Namespace["run"]>): Promise<void> {
  const { status, stdout, stderr } = await running;
  if (status !== 0) throw new Error(`Cannot go on in a namespace: ${stdout}${stderr}`);
}

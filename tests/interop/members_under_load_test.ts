// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Ten members come and go in real sources, while clients come and stay. */

import assert from "node:assert/strict";
import { enter, type Guest, type NamedBackend, startNamedBackend, visit } from "../support/backend.ts";
import { startTestBalancer, type TestBalancer, until } from "../support/balancer.ts";
import { readAll, text } from "../support/bytes.ts";
import { RunningCommand } from "../support/command.ts";
import { DNSMASQ } from "../support/dns_servers.ts";
import { ETCD, Etcd } from "../support/etcd.ts";
import { pathOf } from "../support/packages.ts";
import { onEachEngineWith, whenAccepting } from "../support/peers.ts";
import { refusedPort } from "../support/ports.ts";

const ALL = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const WITHIN = ["127.0.0.0/8"];

/** Clients that come one after the other, and clients that stay to the end. */
class SteadyLoad implements AsyncDisposable {
  readonly #port: number;
  readonly #guests: Guest[] = [];
  readonly #visits: Promise<void>[];
  #isOver = false;
  /** Sessions so far. */
  count = 0;
  /** Of those that were closed without a backend. */
  lost = 0;

  constructor(port: number) {
    this.#port = port;
    this.#visits = Array.from({ length: 4 }, async () => {
      while (!this.#isOver) {
        this.#note(await visit(port));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    });
  }

  /** Ten more clients stay; resolves when they do, and twenty more have come and gone. */
  async grow(): Promise<void> {
    const wanted = this.count + 30;
    const guests = await Promise.all(ALL.map(() => enter(this.#port)));
    this.#guests.push(...guests);
    for (const { name } of guests) this.#note(name);
    await until(() => this.count >= wanted, "clients come");
  }

  /** All end, those that stayed by themselves. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#visits);
    for (const { conn } of this.#guests) {
      await conn.closeWrite();
      assert.equal(text(await readAll(conn)), "");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#visits);
    for (const guest of this.#guests) guest[Symbol.dispose]();
  }

  #note(name: string): void {
    this.count++;
    if (name === "") this.lost++;
  }
}

async function has(balancer: TestBalancer, servers: readonly NamedBackend[]): Promise<void> {
  const wanted = servers.map(({ member }) => member.address).sort().join();
  const names = (): string =>
    balancer.balancer.plan.pools.flatMap(({ backends }) => backends.map(({ name }) => name)).sort().join();
  await until(() => names() === wanted, `the members are ${wanted}; they are ${names()}`);
}

/** Not one session had another end than its own, by the same workers from the first to the last. */
async function lostNothing(load: SteadyLoad, balancer: TestBalancer): Promise<void> {
  await load.end();
  assert.equal(load.lost, 0);
  const records = await balancer.waitForRecords(load.count);
  assert.deepEqual([...new Set(records.map(({ end }) => end))], ["done"]);
  assert.equal(balancer.balancer.generations.started, 1);
}

onEachEngineWith(
  [ETCD],
  "ten members that come and go in etcd, which is killed and restarted, lose no session under steady load",
  async (engine) => {
    await using stack = new AsyncDisposableStack();
    const servers = ALL.map((i) => stack.use(startNamedBackend(`s${i}`)));
    await using etcd = new Etcd();
    await etcd.start();
    const become = async (...members: number[]): Promise<NamedBackend[]> => {
      await Promise.all(servers.map(({ member }, i) => {
        return members.includes(i) ? etcd.put(`/web/${i}`, member.address) : etcd.delete(`/web/${i}`);
      }));
      return servers.filter((_, i) => members.includes(i));
    };
    await become(0);
    const discover = { etcd: { endpoints: [etcd.endpoint], prefix: "/web/" } };
    await using balancer = await startTestBalancer({
      engine,
      backends: [],
      pool: { within: WITHIN, discover },
    });
    await using load = new SteadyLoad(balancer.port);
    for (const members of [ALL, [1], ALL, [8]]) {
      await has(balancer, await become(...members));
      await load.grow();
    }
    await etcd.stop();
    await balancer.log.waitFor("discovery_failed");
    await load.grow();
    await Promise.all([etcd.start(), load.grow()]);
    await has(balancer, servers.slice(8, 9));
    await has(balancer, await become(1, 2, 3));
    await load.grow();
    await lostNothing(load, balancer);
  },
);

onEachEngineWith(
  [DNSMASQ],
  "ten members that come and go in DNS, whose records live for a second, lose no session under steady load",
  async (engine) => {
    await using stack = new AsyncDisposableStack();
    const port = refusedPort();
    const servers = ALL.map((i) =>
      stack.use(startNamedBackend(`s${i}`, { hostname: `127.0.0.${10 + i}`, port }))
    );
    const folder = await Deno.makeTempDir();
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    const write = async (...members: number[]): Promise<NamedBackend[]> => {
      const lines = members.map((i) => `127.0.0.${10 + i} web.internal\n`);
      await Deno.writeTextFile(`${folder}/hosts`, lines.join(""));
      return servers.filter((_, i) => members.includes(i));
    };
    await write(0);
    const resolver = refusedPort();
    const dnsmasq = new RunningCommand([
      pathOf(DNSMASQ),
      ...["--keep-in-foreground", "--no-resolv", "--no-hosts", "--pid-file", "--conf-file=/dev/null"],
      ...["--user=", "--group=", "--local=/internal/", `--port=${resolver}`, "--listen-address=127.0.0.1"],
      ...["--bind-interfaces", `--addn-hosts=${folder}/hosts`, "--local-ttl=1"],
    ]);
    stack.use(await whenAccepting(dnsmasq, resolver));
    const discover = { dns: "web.internal", port, resolver: `127.0.0.1:${resolver}` };
    await using balancer = await startTestBalancer({
      engine,
      backends: [],
      pool: { within: WITHIN, discover },
    });
    await using load = new SteadyLoad(balancer.port);
    for (const members of [ALL, [1], [2, 3, 4, 5, 6]]) {
      const wanted = await write(...members);
      dnsmasq.kill("SIGHUP");
      await has(balancer, wanted);
      await load.grow();
    }
    await lostNothing(load, balancer);
  },
);

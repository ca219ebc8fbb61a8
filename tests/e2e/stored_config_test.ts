/** A configuration that is in etcd, as the program runs it. */

import assert from "node:assert/strict";
import { startNamedBackend, visit } from "../support/backend.ts";
import {
  runCommand,
  RunningCommand,
  SOCKBAL,
  sockbal,
  sockbalWith,
  startSockbal,
} from "../support/command.ts";
import { ETCD, Etcd } from "../support/etcd.ts";
import { skipWithout } from "../support/packages.ts";
import { refusedPort } from "../support/ports.ts";

const { ignore, why } = skipWithout(ETCD);
const KEY = "/sockbal/balancer.yaml";

function testWithEtcd(sentence: string, run: (etcd: Etcd, url: string) => Promise<void>): void {
  Deno.test({
    name: `${sentence}${why}`,
    ignore,
    fn: async () => {
      await using etcd = new Etcd();
      await run(etcd, `etcd://127.0.0.1:${etcd.port}${KEY}`);
    },
  });
}

function yaml(port: number, backend: string, more = ""): string {
  return `listeners: [{ listen: "127.0.0.1:${port}", pool: web }]
pools: { web: { backends: ["${backend}"] } }
workers: 1
${more}`;
}

testWithEtcd(
  "--check says what is under the key, its faults with their places, and that etcd does not answer",
  async (etcd, url) => {
    const check = async (config = url): Promise<string> => {
      const { status, stdout, stderr } = await sockbal("--role", "balancer", "--check", "--config", config);
      return `${status} ${stdout}${stderr}`.trimEnd();
    };
    assert.equal(
      await check(),
      `1 sockbal: ${url}: cannot be read: cannot ask http://127.0.0.1:${etcd.port}: connection refused`,
    );
    await etcd.start();
    await etcd.put(`${KEY}.bak`, "nonsense");
    assert.equal(await check(), `2 sockbal: ${url}: there is no such key`);
    await etcd.put(KEY, yaml(5678, "127.0.0.1:1", "include: [a.yaml]\nworker: 2\n"));
    assert.equal(
      await check(),
      `2 ${url}:4:1 include: a configuration in etcd is one key; write here what was to be included\n` +
        `${url}:5:1 worker: unknown key "worker"; did you mean workers?`,
    );
    await etcd.put(KEY, yaml(5678, "127.0.0.1:1"));
    // The first of two servers is down.
    const both = url.replace("//", `//127.0.0.1:${refusedPort()},`);
    assert.equal(await check(both), `0 ${both}: ok (1 listener, 1 pool, 1 backend)`);
  },
);

Deno.test("--status says how to ask without the configuration while etcd does not answer", async () => {
  const url = `etcd://127.0.0.1:${refusedPort()}${KEY}`;
  const { status, stderr } = await sockbal("--role", "balancer", "--status", "--config", url);
  assert.equal(status, 1);
  assert.match(
    stderr,
    /: cannot be read: .*connection refused; to ask without it, write --admin ADDR in place of --config\n$/,
  );
});

testWithEtcd(
  "a balancer waits for etcd at its start, reloads from it by SIGHUP, and serves on without it",
  async (etcd, url) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    const port = refusedPort();
    await using balancer = startSockbal("--role", "balancer", "--config", url);
    await balancer.sees(/ config_not_reached reason=".*connection refused" advice=".*--config FILE"/);
    await etcd.start();
    await etcd.put(KEY, yaml(port, a.member.address));
    await balancer.sees(/ ready /);
    assert.equal(await visit(port), "a");
    await etcd.put(KEY, yaml(port, b.member.address));
    balancer.kill("SIGHUP");
    await balancer.sees(/ reloaded config=etcd:\S+balancer\.yaml /);
    assert.equal(await visit(port), "b");
    await etcd.put(KEY, "nonsense");
    balancer.kill("SIGHUP");
    await balancer.sees(/ reload_failed reason="etcd:\S+balancer\.yaml:1:1 /);
    await etcd.stop();
    balancer.kill("SIGHUP");
    await balancer.sees(
      / reload_failed reason="etcd:\S+balancer\.yaml: cannot be read: .*connection refused"/,
    );
    assert.equal(await visit(port), "b");
  },
);

testWithEtcd(
  "--watch follows it, and --status says what is in force, and since when etcd is away",
  async (etcd, url) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    const [port, admin] = [refusedPort(), refusedPort()];
    const config = (backend: string): string =>
      yaml(port, backend, `admin: { listen: "127.0.0.1:${admin}" }\n`);
    await etcd.start();
    await etcd.put(KEY, config(a.member.address));
    await using balancer = startSockbal("--role", "balancer", "--config", url, "--watch");
    await balancer.sees(/ ready /);
    await etcd.put(KEY, config(b.member.address));
    await balancer.sees(/ reloaded config=etcd:/);
    assert.equal(await visit(port), "b");
    const status = async (): Promise<string> =>
      (await sockbal("--role", "balancer", "--status", "--admin", `127.0.0.1:${admin}`)).stdout;
    assert.match(await status(), /\ndigest [0-9a-f]{16}, revision \d+ in etcd: in force\n/);
    await etcd.put(KEY, "nonsense");
    await balancer.sees(/ rollout_failed revision=\d+ reason="etcd:\S+balancer\.yaml:1:1 /);
    assert.match(await status(), /\nNOT IN FORCE here:\s+etcd:/);
    await etcd.stop();
    await balancer.sees(/ config_store_failed reason="cannot ask /);
    assert.match(await status(), /\nETCD FAILING for \d+ s: cannot ask /);
    assert.equal(await visit(port), "b");
    await etcd.start();
    await etcd.put(KEY, config(a.member.address));
    await balancer.sees(/ config_store_works_again\n/);
    await balancer.sees(/ reloaded [^]* reloaded /);
    assert.equal(await visit(port), "a");
  },
);

testWithEtcd("a balancer that is stopped while it waits for etcd ends with status 0", async (_etcd, url) => {
  await using balancer = startSockbal("--role", "balancer", "--config", url);
  await balancer.sees(/ config_not_reached /);
  balancer.kill("SIGTERM");
  assert.equal((await balancer.finished).status, 0);
});

testWithEtcd("a balancer that follows an etcd that hangs ends at once", async (etcd, url) => {
  await etcd.start();
  const fleet = `fleet:
  etcd: { endpoints: ["${etcd.endpoint}"], prefix: /fleet/ }
  name: lb1
  advertise: 10.0.0.1:9901
  rollout: { canary: 1, wait: 30s }
`;
  await etcd.put(KEY, yaml(refusedPort(), "127.0.0.1:1", fleet));
  await using balancer = startSockbal("--role", "balancer", "--config", url);
  await balancer.sees(/ ready /);
  // It is in the middle of a trial.
  await etcd.put(KEY, yaml(refusedPort(), "127.0.0.1:2", fleet));
  await balancer.sees(/ reloaded /);
  etcd.signal("SIGSTOP");
  const startMs = performance.now();
  balancer.kill("SIGTERM");
  const { status, stderr } = await balancer.finished;
  etcd.signal("SIGCONT");
  assert.equal(status, 0, stderr);
  assert.ok(performance.now() - startMs < 4_000, stderr);
});

testWithEtcd("the permissions that are printed are enough to read it again", async (etcd, url) => {
  await etcd.start();
  const port = refusedPort();
  await etcd.put(KEY, yaml(port, "127.0.0.1:1"));
  const args = ["--role", "balancer", "--config", url];
  const printed = await runCommand([...SOCKBAL, ...args, "--print-permissions"]);
  const flags = printed.stdout.trim().split(" ");
  assert.match(printed.stdout, new RegExp(`--allow-net=\\S*127\\.0\\.0\\.1:${etcd.port}\\b`));
  await using balancer = new RunningCommand([...sockbalWith(flags), ...args]);
  await balancer.sees(/ ready /);
  balancer.kill("SIGHUP");
  await balancer.sees(/ reloaded /);
});

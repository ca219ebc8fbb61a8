// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The examples of docs/fleet.md: two balancers and a real etcd; addresses alone are changed to those of the test. */

import assert from "node:assert/strict";
import type { Status } from "../../lib/admin/status.ts";
import { startNamedBackend, visit } from "../support/backend.ts";
import { runCommand, type RunningCommand, sockbal, startSockbal } from "../support/command.ts";
import { ETCD, Etcd } from "../support/etcd.ts";
import { skipWithout } from "../support/packages.ts";
import { refusedPort } from "../support/ports.ts";

const text = await Deno.readTextFile(new URL("../../docs/fleet.md", import.meta.url));
const { ignore, why } = skipWithout(ETCD);

function example(language: string): string {
  return new RegExp(`\n\`\`\`${language}\n([^]*?)\`\`\``).exec(text)?.[1] ?? assert.fail(`no ${language}`);
}

/** A balancer with the configuration of the document. */
class Balancer {
  readonly port = refusedPort();
  readonly admin = refusedPort();
  readonly file: string;

  constructor(folder: string, name: string, etcd: Etcd, members: readonly string[]) {
    this.file = `${folder}/${name}.yaml`;
    const [first = "", second = ""] = members;
    const config = example("yaml")
      .replace("127.0.0.1:5678", `127.0.0.1:${this.port}`)
      .replace("127.0.0.1:8001", first).replace("127.0.0.1:8002", second)
      .replace("127.0.0.1:9901", `127.0.0.1:${this.admin}`)
      .replace("http://10.0.0.5:2379", `http://127.0.0.1:${refusedPort()}`)
      .replace("http://10.0.0.6:2379", etcd.endpoint)
      .replace("name: lb1", `name: ${name}`)
      .replace("10.0.0.2:9901", `127.0.0.1:${this.admin}`);
    Deno.writeTextFileSync(this.file, `${config}workers: 1\n`);
  }

  async start(): Promise<RunningCommand> {
    const running = startSockbal("--role", "balancer", "--config", this.file);
    await running.sees(/ fleet_joined /);
    await running.sees(/ ready /);
    return running;
  }

  async status(): Promise<Status> {
    return await (await fetch(`http://127.0.0.1:${this.admin}/api/status`)).json();
  }

  /** Waits until the backends are in these states. */
  async has(...states: string[]): Promise<void> {
    let seen = "";
    for (let tries = 0; tries < 400; tries++) {
      const { pools } = await this.status();
      seen = pools.flatMap(({ backends }) => backends.map(({ state }) => state)).join();
      if (seen === states.join()) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    assert.fail(`${states} never came; it is ${seen}`);
  }
}

Deno.test({
  name:
    `docs/fleet.md: what one balancer is told holds for the other, for etcdctl, and after restarts of both${why}`,
  ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using etcd = new Etcd();
    await etcd.start();
    const members = [a.member.address, b.member.address];
    const [lb1, lb2] = ["lb1", "lb2"].map((name) => new Balancer(folder, name, etcd, members)) as [
      Balancer,
      Balancer,
    ];
    const [drain = "", enable = ""] = example("sh").trim().split("\n").map((line) => {
      return line.replace("127.0.0.1:9901", `127.0.0.1:${lb1.admin}`).replace(
        "127.0.0.1:8001",
        members[0] ?? "",
      );
    });
    const key = `/sockbal/fleet/wishes/web/${encodeURIComponent(members[1] ?? "")}/state`;
    assert.ok(
      example("etcd").includes(`/sockbal/fleet/wishes/web/${encodeURIComponent("127.0.0.1:8002")}/state`),
    );
    const [, put = ""] = /put \S+ '(.*)'/.exec(example("etcd")) ?? [];
    {
      await using one = await lb1.start();
      await using two = await lb2.start();
      await one.sees(/ fleet_member_joined member=lb2 /);
      await runCommand(["sh", "-c", drain]);
      await lb2.has("draining", "up");
      await two.sees(/ backend_draining .*by=lb1/);
      assert.equal(await visit(lb2.port), "b");
      const { stdout } = await sockbal("--role", "balancer", "--config", lb2.file, "--status");
      // On one machine they listen at two ports.
      assert.match(stdout, /\nFLEET, this is lb2: etcd answers for \d+ s\n.*\nlb1 .* other configuration\n/);
      for (const it of [one, two]) {
        it.kill("SIGTERM");
        assert.equal((await it.finished).status, 0);
      }
    }
    await using one = await lb1.start();
    await using _ = await lb2.start();
    await lb1.has("draining", "up");
    await runCommand(["sh", "-c", enable]);
    await lb2.has("up", "up");
    await etcd.put(key, put);
    await lb1.has("up", "draining");
    await etcd.delete(key);
    await lb1.has("up", "up");
    await lb2.has("up", "up");
    // With etcd away the end is as quick as ever.
    await etcd.stop();
    await one.sees(/ fleet_not_connected /);
    const startedMs = performance.now();
    one.kill("SIGTERM");
    assert.equal((await one.finished).status, 0);
    assert.ok(performance.now() - startedMs < 3_000);
    await Deno.remove(folder, { recursive: true });
  },
});

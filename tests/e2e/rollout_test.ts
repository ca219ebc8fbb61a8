/** A changed configuration in etcd comes to two balancers, one after the other, or to none. */

import assert from "node:assert/strict";
import { startNamedBackend, visit } from "../support/backend.ts";
import { RunningCommand, SOCKBAL, sockbal } from "../support/command.ts";
import { ETCD, Etcd } from "../support/etcd.ts";
import { skipWithout } from "../support/packages.ts";
import { refusedPort } from "../support/ports.ts";

const { ignore, why } = skipWithout(ETCD);
const KEY = "/sockbal/balancer.yaml";

const text = await Deno.readTextFile(new URL("../../docs/configuration-in-etcd.md", import.meta.url));
const [, EXAMPLE = ""] = /\n```yaml\n([^]*?)```/.exec(text) ?? [];

/** The example of the document, with the addresses of the test; what differs from one balancer to the next comes from the environment. */
function yaml(backend: string, etcd: Etcd, wait = "1s"): string {
  return EXAMPLE.replace("127.0.0.1:5678", '"127.0.0.1:${PORT}"').replace("127.0.0.1:8001", backend)
    .replace("http://10.0.0.5:2379", etcd.endpoint).replace("wait: 30s", `wait: ${wait}`) + "workers: 1\n";
}

class Member {
  readonly name: string;
  readonly port = refusedPort();
  readonly #admin = refusedPort();
  readonly #url: string;

  constructor(name: string, etcd: Etcd) {
    this.name = name;
    this.#url = `etcd://127.0.0.1:${etcd.port}${KEY}`;
  }

  start(): RunningCommand {
    return new RunningCommand([...SOCKBAL, "--role", "balancer", "--config", this.#url], {
      env: { NAME: this.name, PORT: String(this.port), ADMIN: String(this.#admin) },
    });
  }

  async status(): Promise<string> {
    return (await sockbal("--role", "balancer", "--status", "--admin", `127.0.0.1:${this.#admin}`)).stdout;
  }
}

Deno.test({
  name:
    `a change is in force at one balancer first, and stops where it cannot be, or sessions fail, or etcd is away${why}`,
  ignore,
  fn: async () => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using etcd = new Etcd();
    await etcd.start();
    const change = async (text: string): Promise<string> => {
      await etcd.put(KEY, text);
      const { kvs } = await etcd.call("kv/range", { key: btoa(KEY) }) as { kvs: { mod_revision: string }[] };
      return `revision=${kvs[0]?.mod_revision}\\b`;
    };
    await change(yaml(a.member.address, etcd));
    const members = ["lb1", "lb2"].map((name) => new Member(name, etcd));
    await using stack = new AsyncDisposableStack();
    const running = members.map((it) => stack.use(it.start()));
    const allSee = async (pattern: RegExp): Promise<void> => {
      await Promise.all(running.map((it) => it.sees(pattern)));
    };
    const answers = async (): Promise<string> => {
      return (await Promise.all(members.map(({ port }) => visit(port)))).join("");
    };
    await allSee(/ ready /);
    assert.equal(await answers(), "aa");

    // The next ones are tried for as long as it says: what fails is counted a second later, or two on a busy machine.
    const good = await change(yaml(b.member.address, etcd, "5s"));
    await allSee(new RegExp(`rollout_(trying|waiting) ${good}`));
    await allSee(new RegExp(`rollout_passed ${good}`));
    assert.equal(await answers(), "bb");

    const bad = await change("nonsense");
    await allSee(new RegExp(`rollout_stopped ${bad} reason="lb[12]: etcd:\\S+balancer.yaml:1:1 `));
    assert.match(
      await members[0]?.status() ?? "",
      /\nSTOPPED, the one before is in force: lb[12]:\s+etcd:/,
    );

    const failing = await change(yaml(`127.0.0.1:${refusedPort()}`, etcd));
    await allSee(new RegExp(`rollout_(trying|waiting) ${failing}`));
    let isStopped = false;
    const stopped = allSee(
      new RegExp(`rollout_stopped ${failing} reason="lb[12]: \\d+ of \\d+ sessions have failed`),
    );
    const visits = Promise.all(members.map(async ({ port }) => {
      // deno-lint-ignore no-await-in-loop -- one visit after the other
      while (!isStopped) await visit(port);
    }));
    await stopped.finally(() => isStopped = true);
    await visits;
    assert.equal(await answers(), "bb");

    // One that starts now begins with what has passed, not with what is under the key.
    running[0]?.kill("SIGTERM");
    await running[0]?.finished;
    const again = stack.use(members[0]?.start() ?? assert.fail());
    running[0] = again;
    await again.sees(new RegExp(`rollout_stopped ${failing}`));
    assert.equal(await answers(), "bb");

    const last = await change(yaml(a.member.address, etcd));
    await allSee(new RegExp(`rollout_(trying|waiting) ${last}`));
    await etcd.stop();
    await allSee(/ config_store_failed /);
    // The canary says that it tries it before it does.
    let now = "";
    // deno-lint-ignore no-await-in-loop -- until it does
    while (!/^(ab|ba)$/.test(now)) now = await answers();
    assert.match(await members[1]?.status() ?? "", /\nETCD FAILING for \d+ s: /);
    await etcd.start();
    await allSee(new RegExp(`rollout_passed ${last}`));
    assert.equal(await answers(), "aa");
  },
});

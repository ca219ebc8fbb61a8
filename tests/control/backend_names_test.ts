import assert from "node:assert/strict";
import { BackendNames } from "../../lib/control/backend_names.ts";
import { Journal } from "../../lib/control/journal.ts";
import { Names } from "../../lib/control/names.ts";
import type { Plan } from "../../lib/control/plan.ts";
import { NameError } from "../../lib/core/lookup.ts";
import { formatAddress } from "../../lib/core/address.ts";
import { testConfig, until } from "../support/balancer.ts";
import { Workshop } from "../support/generation.ts";
import type { LoggedEvent } from "../support/memory_log.ts";

const OPTIONS = { backends: [{ name: "one", address: "a.test:1" }, { name: "two", address: "b.test:1" }] };
const CONFIG = testConfig(OPTIONS);

/** A balancer that has only names, whose pause before a retry ends when the test says so. */
class Setting extends Workshop {
  /** What name servers say: addresses, that there is no such name, or nothing. */
  readonly servers = new Map<string, string | "unknown">();
  plan: Plan | undefined;
  apply = async (): Promise<void> => {
    this.plan = await this.planOf(OPTIONS, this.names.names);
  };
  /** It is time to ask whether names have moved. */
  lookAgain: () => void = () => {};
  lookAgains = 0;
  readonly #pauses: (() => void)[] = [];

  readonly names = new BackendNames({
    names: new Names({
      lookUp: (name) => {
        const found = this.servers.get(name);
        if (found !== undefined && found !== "unknown") return Promise.resolve([found]);
        return Promise.reject(new NameError(name, found ?? "no server answered", found === "unknown"));
      },
      isAllowed: () => true,
    }),
    journal: new Journal(this.log.log),
    plan: () => this.plan ?? assert.fail("there is no plan"),
    apply: () => this.apply(),
    followPause: (_, stop) => {
      return new Promise((resolve) => {
        this.lookAgain = resolve;
        this.lookAgains++;
        stop?.addEventListener("abort", () => resolve(), { once: true });
      });
    },
    sleep: (_, stop) => {
      return new Promise((resolve) => {
        this.#pauses.push(resolve);
        stop.addEventListener("abort", () => resolve(), { once: true });
      });
    },
  });

  async begin(): Promise<void> {
    await this.names.lookUp(CONFIG);
    this.plan = await this.planOf(OPTIONS, this.names.names);
    this.names.follow(CONFIG);
    // The retries begin a turn later.
    await new Promise((resolve) => setTimeout(resolve));
  }

  /** The pause before the next retry is over. */
  retry(): void {
    (this.#pauses.pop() ?? assert.fail("nothing is to be tried again"))();
  }

  said(event: string): LoggedEvent["fields"][] {
    return this.log.events.filter((it) => it.event === event).map(({ fields }) => fields);
  }
}

Deno.test("a name that no server answers for keeps its last address, which is said once for each reload", async () => {
  const it = new Setting();
  it.servers.set("a.test", "10.0.0.1").set("b.test", "10.0.0.2");
  await it.begin();
  assert.deepEqual(it.said("name_stale"), []);
  it.servers.delete("b.test");
  await it.names.lookUp(CONFIG);
  const [{ reason } = assert.fail("nothing is said"), ...others] = it.said("name_stale");
  assert.deepEqual([others, /"b\.test".*no server answered/.test(String(reason))], [[], true]);
  const plan = await it.planOf(OPTIONS, it.names.names);
  const addresses = plan.pools[0]?.backends.map(({ address }) => address.transport === "tcp" && address.host);
  assert.deepEqual(addresses, ["10.0.0.1", "10.0.0.2"]);
  it.names.stop();
});

Deno.test("a name that stands for the same address has not moved, also where it is dialled over UDP", async () => {
  const it = new Setting();
  const options = { ...OPTIONS, listener: { listen: "udp:127.0.0.1:0" } };
  let applied = 0;
  it.apply = () => Promise.resolve(void applied++);
  it.servers.set("a.test", "10.0.0.1").set("b.test", "10.0.0.2");
  await it.names.lookUp(testConfig(options));
  it.plan = await it.planOf(options, it.names.names);
  assert.equal(it.plan.pools[0]?.backends[0]?.address.transport, "udp");
  it.names.follow(testConfig(options));
  await until(() => it.lookAgains === 1, "it waits");
  it.lookAgain();
  await until(() => it.lookAgains === 2, "it has looked");
  assert.deepEqual([applied, it.said("name_moved")], [0, []]);
  it.names.stop();
});

Deno.test("a name that is resolved later comes into force, and its backend is named", async () => {
  const it = new Setting();
  it.servers.set("a.test", "10.0.0.1").set("b.test", "unknown");
  await it.begin();
  it.servers.set("b.test", "10.0.0.2");
  it.retry();
  const { fields } = await it.log.waitFor("name_resolved");
  assert.deepEqual(fields, { pool: "web", backend: "two" });
  assert.deepEqual(it.plan?.pools[0]?.backends.map(({ unresolved }) => unresolved), [undefined, undefined]);
  it.names.stop();
});

Deno.test("a resolved name that cannot be applied is said with its reason", async () => {
  const it = new Setting();
  it.servers.set("a.test", "unknown").set("b.test", "10.0.0.2");
  await it.begin();
  it.apply = () => Promise.reject(new Error("no worker could be started"));
  it.servers.set("a.test", "10.0.0.1");
  it.retry();
  const { fields } = await it.log.waitFor("name_not_applied");
  assert.deepEqual([fields.reason, it.said("name_resolved")], ["no worker could be started", []]);
  it.names.stop();
});

Deno.test("what fails because the balancer ends is no fault", async () => {
  const it = new Setting();
  it.servers.set("a.test", "unknown").set("b.test", "10.0.0.2");
  await it.begin();
  const applied = Promise.withResolvers<void>();
  it.apply = () => {
    it.names.stop();
    applied.resolve();
    return Promise.reject(new Error("the balancer is being stopped"));
  };
  it.servers.set("a.test", "10.0.0.1");
  it.retry();
  await applied.promise;
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(it.said("name_not_applied"), []);
});

Deno.test("names that no configuration has any more are forgotten", async () => {
  const it = new Setting();
  it.servers.set("a.test", "10.0.0.1").set("b.test", "10.0.0.2");
  await it.begin();
  it.names.follow(testConfig({ backends: ["a.test:1"] }));
  it.servers.delete("b.test");
  await it.names.lookUp(CONFIG);
  assert.deepEqual(it.said("name_stale"), [], "the last address of b.test is not known any more");
  it.names.stop();
});

Deno.test("a name that moves is followed, and one that stays or is not answered for changes nothing", async () => {
  const it = new Setting();
  it.servers.set("a.test", "10.0.0.1").set("b.test", "10.0.0.2");
  await it.begin();
  const { plan } = it;
  it.lookAgain();
  it.servers.delete("b.test");
  await until(() => it.lookAgains === 2, "it has asked");
  assert.equal(it.plan, plan);
  it.servers.set("a.test", "10.0.0.9");
  it.lookAgain();
  await until(() => it.said("name_moved").length > 0, "it has moved");
  assert.deepEqual(it.said("name_moved"), [{ pool: "web", backend: "one", address: "10.0.0.9:1" }]);
  const [one, two] = it.plan?.pools[0]?.backends.map(({ address }) => formatAddress(address)) ?? [];
  assert.deepEqual([one, two], ["10.0.0.9:1", "10.0.0.2:1"]);
  it.names.stop();
});

/** Reloads of a balancer that is none: what is read when, what each requester is told, and what is said. */

import assert from "node:assert/strict";
import { Journal } from "../../lib/control/journal.ts";
import { Reloader, type ReloaderOptions } from "../../lib/control/reload.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import type { Config } from "../../lib/config/schema.ts";
import { until } from "../support/balancer.ts";
import { type MemoryLog, memoryLog } from "../support/memory_log.ts";

class FakeBalancer {
  readonly log: MemoryLog = memoryLog();
  readonly journal = new Journal(this.log.log);
  config: Config;
  readonly engine = {
    name: "runtime",
    whyNoEpoll: "it needs Linux",
    book: undefined,
    monotonicUs: () => undefined,
  } as const;
  readonly confinement = { confined: "permissions" };
  readonly generations = { started: 1 };
  /** Weights of the backend, in the order in which they came into force. */
  readonly weights: number[] = [];
  /** A reload waits for it. */
  pace: Promise<void> = Promise.resolve();

  constructor(config: Config) {
    this.config = config;
  }

  async reload(config: Config, told: Promise<void>): Promise<"kept" | "replaced"> {
    await this.pace;
    void told.then(() => this.journal.info("generation_drained", {}));
    this.config = config;
    this.generations.started++;
    this.weights.push(config.pools.web?.backends[0]?.weight ?? -1);
    return "replaced";
  }
}

function yaml(weight: number, more = ""): string {
  return `listeners: [{ listen: 127.0.0.1:5678, pool: web }]
pools: { web: { backends: [{ address: 127.0.0.1:1, weight: ${weight} }] } }
engine: runtime
${more}`;
}

interface Setting extends AsyncDisposable {
  readonly file: string;
  readonly balancer: FakeBalancer;
  readonly reloader: Reloader;
  write(weight: number, more?: string): Promise<void>;
}

async function setUp(options: Partial<ReloaderOptions> = {}): Promise<Setting> {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/balancer.yaml`;
  const read = parseConfig(yaml(0), file);
  const balancer = new FakeBalancer(read);
  return {
    file,
    balancer,
    reloader: new Reloader({
      balancer,
      file,
      name: file,
      read,
      overrides: { workers: undefined, engine: undefined, logLevel: undefined, logFormat: undefined },
      log: { adjust: () => {} },
      prepareAdmin: () => Promise.resolve(() => Promise.resolve(undefined)),
      ...options,
    }),
    // As an editor does it: a reload that reads meanwhile has the one or the other.
    write: async (weight, more) => {
      await Deno.writeTextFile(`${file}.new`, yaml(weight, more));
      await Deno.rename(`${file}.new`, file);
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test("each reload reads the file when its turn comes, and each requester hears of the one that served it", async () => {
  await using it = await setUp();
  const pace = Promise.withResolvers<void>();
  it.balancer.pace = pace.promise;
  await it.write(1);
  const first = it.reloader.request();
  // Large, so that reading it takes longer than reading what follows.
  await it.write(2, `#${"x".repeat(1_000_000)}\n`);
  const second = it.reloader.request();
  await it.write(3);
  const third = it.reloader.request();
  pace.resolve();
  const answers = await Promise.all([first, second, third]);
  assert.deepEqual(answers.map(({ ok }) => ok), [true, true, true]);
  assert.match(answers[0]?.message ?? "", /balancer\.yaml is in force; workers replaced, generation 2$/);
  assert.match(answers[1]?.message ?? "", /generation 3$/);
  assert.equal(answers[2], answers[1]);
  assert.equal(it.balancer.weights.at(-1), 3);
  assert.equal(it.balancer.weights.length, 2);
  assert.deepEqual(it.reloader.counts, { ok: 2, failed: 0 });
});

Deno.test("that workers have drained is said after the reload that has replaced them", async () => {
  await using it = await setUp();
  await it.write(1);
  await it.reloader.request();
  await it.balancer.log.waitFor("generation_drained");
  const said = it.balancer.log.events.map(({ event }) => event);
  assert.deepEqual(said.slice(-2), ["reloaded", "generation_drained"]);
});

Deno.test("seven hundred requests while one is served are one more", async () => {
  await using it = await setUp();
  const pace = Promise.withResolvers<void>();
  it.balancer.pace = pace.promise;
  await it.write(1);
  const requests = Array.from({ length: 703 }, () => it.reloader.request());
  pace.resolve();
  assert.ok((await Promise.all(requests)).every(({ ok }) => ok));
  assert.deepEqual(it.balancer.weights, [1, 1]);
  assert.equal(it.balancer.log.events.filter(({ event }) => event === "reloaded").length, 2);
});

Deno.test("a bad file in the middle of a burst is told to those it was read for, and the next one is served", async () => {
  await using it = await setUp();
  await it.write(1);
  assert.ok((await it.reloader.request()).ok);
  await Deno.writeTextFile(it.file, "listeners: []\npools: { web: { backends: [nonsense] } }\n");
  const bad = it.reloader.request();
  // Read by now, or not yet: what is asked from here on is served by a later read.
  await it.balancer.log.waitFor("reload_failed");
  await it.write(2);
  const good = it.reloader.request();
  const refused = await bad;
  assert.ok(!refused.ok && refused.faults.length >= 2, JSON.stringify(refused));
  assert.equal(refused.message, "nothing has changed");
  assert.ok((await good).ok);
  assert.deepEqual(it.balancer.weights, [1, 2]);
  assert.deepEqual(it.reloader.counts, { ok: 2, failed: 1 });
});

Deno.test({
  name: "a file that cannot be read, as a pipe without a writer, holds up no other reload",
  // The system waits for a writer in a thread of its own, which ends a little after the test.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using it = await setUp({ readPatienceMs: 300 });
    await new Deno.Command("mkfifo", { args: [it.file] }).output();
    const stuck = it.reloader.request();
    const waiting = it.reloader.request();
    const refused = await stuck;
    assert.match(
      refused.ok ? "" : refused.faults[0] ?? "",
      /balancer\.yaml: .* could not be read within 300ms$/,
    );
    (await Deno.open(it.file, { read: true, write: true })).close();
    await waiting;
    await Deno.remove(it.file);
    await it.write(4);
    assert.ok((await it.reloader.request()).ok);
    assert.deepEqual(it.balancer.weights, [4]);
  },
});

Deno.test("what of a file is not in force is said in the answer, in records and in the configuration in force", async () => {
  const adjusted: unknown[] = [];
  await using it = await setUp({
    overrides: { workers: 2, engine: undefined, logLevel: undefined, logFormat: undefined },
    log: { adjust: ({ level, format }) => void adjusted.push([level, format]) },
    prepareAdmin: () => Promise.resolve(() => Promise.resolve("port 9901 is in use; there is none")),
  });
  await it.write(1, "workers: 7\nlog: { level: warn, format: json, file: sessions.log }\n");
  const done = await it.reloader.request();
  assert.ok(done.ok);
  assert.deepEqual(done.notes?.map((note) => note.split(":")[0]), ["workers", "log.file", "admin"]);
  for (const note of done.notes ?? []) assert.ok(done.message.includes(note), done.message);
  assert.match(done.message, /is in force, but not all of it: .*generation 2$/);
  assert.deepEqual(adjusted, [["warn", "json"]]);
  const { log, workers } = it.balancer.config;
  assert.deepEqual([workers, log.level, log.format, log.file], [2, "warn", "json", undefined]);
  const { fields } = await it.balancer.log.waitFor("reloaded");
  assert.deepEqual(fields.not_in_force, ["workers", "log.file", "admin"]);
  assert.equal(fields.confined, "permissions");
  const noted = it.balancer.log.events.filter(({ event }) => event === "config_note");
  assert.equal(noted.length, 3);
  assert.match(String(noted[1]?.fields.note), /balancer\.yaml log\.file: .*sessions\.log needs a restart; /);
  // As long as it needs a restart, that is said; what was said about the command line is known.
  const again = await it.reloader.request();
  assert.deepEqual(again.ok && again.notes?.map((note) => note.split(":")[0]), ["log.file", "admin"]);
});

Deno.test("without a file there is nothing to read again, which is an answer", async () => {
  await using it = await setUp({ file: undefined, name: "stdin" });
  const refused = await it.reloader.request();
  assert.match(
    refused.ok ? "" : refused.faults[0] ?? "",
    /^there is no configuration file to read again: this one came from stdin$/,
  );
  assert.deepEqual(it.balancer.weights, []);
  await until(() => it.balancer.log.events.length === 1, "it is logged");
});

Deno.test("a token that cannot be read fails the reload before anything has changed", async () => {
  let level: unknown;
  await using it = await setUp({
    log: { adjust: (next) => void (level = next.level) },
    prepareAdmin: () => Promise.reject(new Error("token: no such file")),
  });
  await it.write(1, "log: { level: debug }\n");
  assert.deepEqual(await it.reloader.request(), {
    ok: false,
    message: "nothing has changed",
    faults: ["token: no such file"],
  });
  assert.deepEqual([it.balancer.weights, level], [[], undefined]);
});

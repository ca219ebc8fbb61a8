/** Plans as they are written: what is read, and what is said about those that are wrong. */

import assert from "node:assert/strict";
import type { Config } from "../../lib/config/schema.ts";
import { formatAddress } from "../../lib/core/address.ts";
import { InputError } from "../../lib/core/errors.ts";
import { type ReadPlan, readPlan } from "../../lib/rehearsal/read_plan.ts";

const PLAN = `servers: [one, two]
balancer:
  listeners: [{ name: web, listen: 127.0.0.1:0, pool: web }]
  pools: { web: { backends: [one, { address: two, weight: 2 }] } }
load: { duration: 2s }
expect: { errors: 0 }
`;

/** Reads a plan from a file of a folder of its own, beside these others. */
async function read(text: string, files: Record<string, string> = {}): Promise<ReadPlan> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, content] of Object.entries({ ...files, "plan.yaml": text })) {
      // deno-lint-ignore no-await-in-loop -- a few small files
      await Deno.writeTextFile(`${folder}/${name}`, content);
    }
    return await readPlan(`${folder}/plan.yaml`, () => "runtime");
  } catch (error) {
    if (error instanceof InputError) error.message = error.message.replaceAll(`${folder}/`, "");
    throw error;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function faults(text: string, files: Record<string, string> = {}): Promise<string[]> {
  try {
    await read(text, files);
    return [];
  } catch (error) {
    assert.ok(error instanceof InputError, `${error instanceof Error ? error.stack : error}`);
    return error.message.split("\n");
  }
}

/** The same plan with one part of it written in another way. */
function changed(part: string, other: string): string {
  assert.ok(PLAN.includes(part));
  return PLAN.replace(part, other);
}

function backends({ pools }: Config, pool = "web"): string[] {
  return (pools[pool]?.backends ?? []).map(({ name, address, weight }) => {
    return `${name} ${formatAddress(address)} ${weight}`;
  });
}

Deno.test("backends that are named by servers have their addresses, once they have any", async () => {
  const plan = await read(PLAN);
  const [variant] = plan.variants;
  assert.ok(variant !== undefined);
  const addresses = new Map([["one", "127.0.0.1:4001"], ["two", "127.0.0.1:4002"]]);
  const config = await plan.read(variant.balancer, addresses);
  assert.deepEqual(backends(config), ["one 127.0.0.1:4001 1", "two 127.0.0.1:4002 2"]);
});

Deno.test("a reload changes what stands there, and the next one what is left of that", async () => {
  const plan = await read(`${PLAN}events:
  - { at: 1500ms, reload: { pools: { other: { backends: [one] } } } }
  - { at: 1s, reload: { pools: { web: { algorithm: random } } } }
`);
  const [first, second] = plan.configs.slice(1);
  assert.deepEqual(plan.variants[0]?.events.map(({ atMs }) => atMs), [1_000, 1_500]);
  assert.deepEqual([first?.pools.web?.algorithm, Object.keys(first?.pools ?? {})], ["random", ["web"]]);
  assert.deepEqual([second?.pools.web?.algorithm, Object.keys(second?.pools ?? {})], [
    "random",
    ["web", "other"],
  ]);
});

Deno.test("each variant begins with the configuration that it changes", async () => {
  const plan = await read(`${PLAN}variants:
  in_turn: {}
  at_random: { pools: { web: { algorithm: random } } }
`);
  assert.deepEqual(plan.variants.map(({ name }) => name), ["in_turn", "at_random"]);
  assert.deepEqual(plan.configs.map(({ pools }) => pools.web?.algorithm), ["round_robin", "random"]);
});

Deno.test("a configuration can be a file beside the plan", async () => {
  const file =
    "listeners: [{ listen: 127.0.0.1:0, pool: p }]\npools: { p: { backends: [127.0.0.1:4001] } }\n";
  const text = PLAN.replace(/^balancer:\n.*\n.*\n/m, "balancer: mine.yaml\n");
  const plan = await read(text, { "mine.yaml": file });
  assert.deepEqual(plan.configs.map((config) => backends(config, "p")), [[
    "127.0.0.1:4001 127.0.0.1:4001 1",
  ]]);
  assert.deepEqual(await faults(text), ["plan.yaml:2:11 balancer: mine.yaml: no such file"]);
  assert.deepEqual(await faults(text, { "mine.yaml": file.replace("pool: p", "pool: q") }), [
    'mine.yaml:1:42 listeners[0].pool: there is no pool "q"; use p',
  ]);
  const change = `${text}events: [{ at: 1s, reload: { pools: {} } }]\n`;
  assert.deepEqual(await faults(change, { "mine.yaml": file }), [
    "plan.yaml:5:28 events[0].reload: the balancer's configuration is in a file, of which a plan can change no part; " +
    "name another file",
  ]);
});

Deno.test("a server of a plan misbehaves as the flags of the server role say it", async () => {
  const plan = await read(changed(
    "[one, two]",
    "[one, { name: two, delay: 1ms..5ms, fail_rate: 0.1, fail_how: hang, limit_rate: 1KiB, close_after: 3, " +
      "flap: { up: 1s, down: 2s }, seed: 7 }]",
  ));
  assert.deepEqual(plan.servers.map(({ misbehaviour }) => misbehaviour), [{}, {
    delay: { kind: "range", fromMs: 1, toMs: 5 },
    failRate: 0.1,
    failHow: "hang",
    bytesPerSecond: 1_024,
    closeAfter: 3,
    flap: { upMs: 1_000, downMs: 2_000 },
    seed: 7,
  }]);
});

Deno.test("even shares are those of all servers", async () => {
  const { bounds } = await read(changed("errors: 0", "share: even"));
  assert.deepEqual([...bounds.shares], [
    ["one", { is: "near", part: 0.5 }],
    ["two", { is: "near", part: 0.5 }],
  ]);
});

Deno.test("what is wrong with a plan is said with its place and what to write", async () => {
  const wrong: [text: string, fault: string][] = [
    ["", "plan.yaml:1:1 the file is empty; a plan has servers, balancer, load and expect"],
    [changed("servers:", "server:"), 'plan.yaml:1:1 server: unknown key "server"; did you mean servers?'],
    [
      changed("duration: 2s", "duration: 2"),
      "plan.yaml:5:19 load.duration: 2 is not a duration; add the unit, as 2s or 2ms",
    ],
    [
      changed("[one, two]", "[one, { name: two, flap: { up: 1s } }]"),
      "plan.yaml:1:35 servers[1].flap.down: missing; write it as 250ms, 30s, 1m30s or 2h",
    ],
    [
      changed("[one, two]", "[one, { name: two, flap: up=1s }]"),
      'plan.yaml:1:35 servers[1].flap: "up=1s" is not how a server flaps; write { up: 1s, down: 500ms }, or off',
    ],
    [
      changed("[one, two]", "[one, { name: two, close_after: 0 }]"),
      "plan.yaml:1:42 servers[1].close_after: 0 is too small; write 1 to 999999999",
    ],
    [
      changed("[one, two]", "[one, { name: two, close_after: one }]"),
      'plan.yaml:1:42 servers[1].close_after: "one" is not a number of answers; write 1 or more, or off',
    ],
    [
      changed("errors: 0", "share: { one: half }"),
      'plan.yaml:6:25 expect.share.one: "half" is not a share; write 50%, <30% or ">5%"',
    ],
    [
      changed("errors: 0", "share: evn"),
      'plan.yaml:6:18 expect.share: "evn" is not a share; write even, or the share of servers, as { one: 50%, two: 50% }',
    ],
    [changed("errors: 0", "p99: 50ms"), 'plan.yaml:6:16 expect.p99: "50ms" is not a bound; write <50ms'],
    [changed("[one, two]", "[one, two, one]"), 'plan.yaml:1:21 servers[2]: there is a server "one" already'],
    [
      changed("[one, two]", "[one, two, a/b]"),
      'plan.yaml:1:21 servers[2]: "a/b" is not the name of a server; leave : and / out',
    ],
    [
      changed("[one, two]", "[one, { name: two, delay: soon }]"),
      'plan.yaml:1:36 servers[1].delay: "soon" is not a duration; write it as 250ms, 30s, 1m30s or 2h',
    ],
    [
      changed("backends: [one,", "backends: [onee,"),
      'plan.yaml:4:30 balancer.pools.web.backends[0]: there is no server "onee"; did you mean one?',
    ],
    [
      changed("address: two", "address: zwei"),
      'plan.yaml:4:46 balancer.pools.web.backends[1].address: there is no server "zwei"; use one, two',
    ],
    [
      changed("pool: web", "pool: wbe"),
      'plan.yaml:3:55 balancer.listeners[0].pool: there is no pool "wbe"; did you mean web?',
    ],
    [
      changed("duration: 2s", "duration: 2s, listener: wbe"),
      'plan.yaml:5:33 load.listener: there is no listener "wbe"; did you mean web?',
    ],
    [
      `${PLAN}events: [{ at: 2s, down: one }]\n`,
      "plan.yaml:7:16 events[0].at: the load is over after 2s; write an earlier time",
    ],
    [
      `${PLAN}events: [{ at: 1s }]\n`,
      "plan.yaml:7:10 events[0]: nothing happens; write one of down, up, drain, enable, set, reload",
    ],
    [
      `${PLAN}events: [{ at: 1s, down: one, up: two }]\n`,
      "plan.yaml:7:31 events[0].up: an event does one thing; write another event for up",
    ],
    [
      `${PLAN}events: [{ at: 1s, down: tow }]\n`,
      'plan.yaml:7:26 events[0].down: there is no server "tow"; did you mean two?',
    ],
    [
      `${PLAN}events: [{ at: 1s, set: one }]\n`,
      "plan.yaml:7:25 events[0].set: nothing is set; write what is wrong from then on, as delay: 50ms",
    ],
    [
      `${PLAN}events: [{ at: 1s, down: one, delay: 1s }]\n`,
      "plan.yaml:7:10 events[0]: what is wrong with a server is changed by set; write set with its name",
    ],
    [
      `${PLAN}events: [{ at: 1s, reload: { pools: { web: { algorithm: rand } } } }]\n`,
      'plan.yaml:7:57 events[0].reload.pools.web.algorithm: unknown algorithm "rand"; did you mean random?',
    ],
    [
      changed("errors: 0", "share: { three: 5% }"),
      'plan.yaml:6:20 expect.share.three: there is no server "three"; use one, two',
    ],
    [
      changed("errors: 0", "compare: [p99 of a < p99 of a]"),
      'plan.yaml:6:21 expect.compare[0]: there is no variant "a"; write variants',
    ],
    [
      changed("errors: 0", "compare: [requests of a < p99 of b]"),
      'plan.yaml:6:21 expect.compare[0]: "requests of a < p99 of b" compares a count (requests) with a time (p99); ' +
      "compare two counts or two times",
    ],
    [
      changed("errors: 0", "tolerance: 1%"),
      "plan.yaml:6:9 expect: nothing must hold; write what must, as errors: 0",
    ],
    [
      changed("errors: 0", "noticed: <1s"),
      "plan.yaml:6:11 expect.noticed: no event has down, so that there is nothing to measure; leave it out",
    ],
    [
      `${PLAN}variants: { a: {} }\n`,
      "plan.yaml:7:11 variants: one variant has no other to be compared with; write two or more, or what it says in balancer",
    ],
    [
      changed("  listeners:", "  include: [a.yaml]\n  listeners:"),
      "plan.yaml:3:3 balancer.include: a plan includes nothing; write what the file says",
    ],
    [
      changed("listen: 127.0.0.1:0", "listen: udp:127.0.0.1:0"),
      "plan.yaml:5:7 load: the listener web takes datagrams, and the load of a rehearsal is plain HTTP; load another one, with listener",
    ],
  ];
  for (const [text, fault] of wrong) {
    // deno-lint-ignore no-await-in-loop -- one folder after the other
    const found = await faults(text);
    assert.ok(found.includes(fault), `${fault}\n\n${found.join("\n")}`);
  }
});

Deno.test("all that is wrong with the configuration and with the names of a plan is said at once, in order", async () => {
  const text = changed("pool: web", "pool: wbe").replace("errors: 0", "share: { three: 5% }");
  assert.deepEqual((await faults(`${text}events: [{ at: 3s, down: one }]\n`)).map((it) => it.split(" ")[0]), [
    "plan.yaml:3:55",
    "plan.yaml:6:20",
    "plan.yaml:7:16",
  ]);
});

Deno.test("what has not its form hides nothing that is wrong with the rest of a plan", async () => {
  const text = changed(
    "errors: 0",
    "p99: 50ms, share: { four: 5% }, noticed: <1s, compare: [p99 of c < p99 of a]",
  )
    .replace("backends: [one,", "backends: [onee,")
    .replace("duration: 2s", "duration: 2s, duration: 3s, listener: wbe, rate: many");
  const found = await faults(`${text}events:
  - { at: 300ms, down: twoo }
  - { at: 3s, up: one, down: two }
  - { at: 1s, down: one, delay: soon }
  - { at: 1s, reload: other.yaml }
variants:
  a: { pools: { web: { algorithm: rand } } }
  b: { pools: { web: { backends: [one] } } }
`);
  assert.deepEqual(found.map((it) => it.replace(/^plan.yaml:/, "").replace(/;.*/, "")), [
    '4:30 balancer.pools.web.backends[0]: there is no server "onee"',
    '5:23 load.duration: the key "duration" stands here a second time',
    '5:47 load.listener: there is no listener "wbe"',
    '5:58 load.rate: "many" is not a whole number',
    '6:16 expect.p99: "50ms" is not a bound',
    '6:31 expect.share.four: there is no server "four"',
    '6:67 expect.compare[0]: there is no variant "c"',
    '8:24 events[0].down: there is no server "twoo"',
    "9:11 events[1].at: the load is over after 2s",
    "9:15 events[1].up: an event does one thing",
    "10:5 events[2]: what is wrong with a server is changed by set",
    '10:33 events[2].delay: "soon" is not a duration',
    "11:23 events[3].reload: other.yaml: no such file",
    '13:35 variants.a.pools.web.algorithm: unknown algorithm "rand"',
  ]);
});

Deno.test("what is to be noticed needs a pool under load that takes something out, in each run at some time", async () => {
  const text = changed("errors: 0", "noticed: <1s, recovered: <1s") +
    "events: [{ at: 1s, down: one }, { at: 1s, up: one }";
  const why =
    "the pool web, to which the load goes, has neither health_check nor outlier_detection, so that it takes " +
    "nothing out; give it one, or leave this out";
  const refused = [`plan.yaml:6:11 expect.noticed: ${why}`, `plan.yaml:6:25 expect.recovered: ${why}`];
  assert.deepEqual(await faults(`${text}]`), refused);
  const checked = (pool: string): string =>
    `{ pools: { ${pool}: { backends: [one], health_check: { type: tcp } } } }`;
  const other = `${text}, { at: 500ms, reload: ${checked("other")} }]`;
  assert.deepEqual(await faults(other), refused);
  assert.deepEqual(await faults(`${text}, { at: 500ms, reload: ${checked("web")} }]`), []);
  assert.deepEqual(await faults(`${text}]\nvariants: { a: {}, b: ${checked("web")} }`), refused);
  const ejected = text.replace(
    "weight: 2 }]",
    "weight: 2 }], outlier_detection: { consecutive_failures: 1 }",
  );
  assert.deepEqual(await faults(`${ejected}]`), []);
});

Deno.test("what is misspelt is not said to be missing, too", async () => {
  const text = changed("errors: 0", "noticed: <1s").replace("[one, two]", "[a/b, two]");
  const found = await faults(`${text}events:
  - { at: 1s, dwon: two }
  - { at: 1s, set: two, dealy: 1s }
  - { at: 1s, down: a/b }
`);
  assert.deepEqual(found.map((it) => it.replace(/^plan.yaml:/, "").replace(/;.*/, "")), [
    '1:11 servers[0]: "a/b" is not the name of a server',
    '4:30 balancer.pools.web.backends[0]: there is no server "one"',
    '8:15 events[0].dwon: unknown key "dwon"',
    '9:25 events[1].dealy: unknown key "dealy"',
    '10:21 events[2].down: "a/b" is not the name of a server',
  ]);
});

Deno.test("a plan of which nothing has its form is refused", async () => {
  assert.deepEqual(await faults("servers: 5\nbalancer: 5\nload: 5\nevents: 5\nexpect: 5\nvariants: 5\n"), [
    "plan.yaml:1:10 servers: 5 is not a list; list the servers, as [one, two]",
    "plan.yaml:2:11 balancer: 5 is not a configuration; write it as in balancer.yaml, or the path of its file",
    "plan.yaml:3:7 load: 5 is not a map; the load is a map of listener, duration, connections, …",
    "plan.yaml:4:9 events: 5 is not a list; list the events, as - { at: 1s, down: one }",
    "plan.yaml:5:9 expect: 5 is not a map; what must hold is a map of errors, requests, mean, …",
    "plan.yaml:6:11 variants: 5 is not a map; write variants by name",
  ]);
  assert.deepEqual(await faults("nothing\n"), [
    'plan.yaml:1:1 "nothing" is not a map; a plan is a map of servers, balancer, variants, …',
  ]);
});

Deno.test("a fault of a part that several variants have is said once", async () => {
  const text = `${
    changed("pool: web", "pool: wbe")
  }variants: { a: {}, b: { pools: { web: { retries: 0 } } } }\n`;
  assert.equal((await faults(text)).length, 1);
});

Deno.test("a folder is no plan, and a name that is there twice is offered once", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await assert.rejects(readPlan(folder, () => "runtime"), {
      message: `${folder}: is a directory; name one plan in it`,
    });
  } finally {
    await Deno.remove(folder);
  }
  const text = changed("servers: [one, two]", "servers: [one, one]") + "events: [{ at: 1s, down: spare }]\n";
  assert.deepEqual((await faults(text)).filter((it) => it.includes("spare")), [
    'plan.yaml:7:26 events[0].down: there is no server "spare"; use one',
  ]);
});

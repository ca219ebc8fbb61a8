/** Rehearsals as a user runs them: the plans that ship, what is printed, and how the command ends. */

import assert from "node:assert/strict";
import {
  type Finished,
  runCommand,
  RunningCommand,
  SOCKBAL,
  sockbal,
  sockbalOn,
} from "../support/command.ts";
import { onEachEngine } from "../support/engines.ts";
import { findProgram, pathOf, skipWithout } from "../support/packages.ts";

const root = new URL("../../", import.meta.url).pathname;

function shipped(name: string): string {
  return `${root}rehearsals/${name}.yaml`;
}

/** The times of lines of a timeline that match, in seconds. */
function timesOf(stdout: string, line: RegExp): number[] {
  return stdout.split("\n").flatMap((it) => {
    const [, time, said = ""] = /^ +([\d.]+) s {2}(.*)$/.exec(it) ?? [];
    return line.test(said) ? [Number(time)] : [];
  });
}

function assertHolds({ status, stdout, stderr }: Finished): void {
  assert.deepEqual([status, stderr], [0, ""], stdout);
  assert.ok(!stdout.includes("FAILS"), stdout);
}

const PLAN = `servers: [one, two]
balancer:
  workers: 1
  listeners: [{ listen: 127.0.0.1:0, pool: web }]
  pools: { web: { backends: [one, two] } }
load: { duration: 500ms, rate: 40 }
expect: { errors: 0, share: even, tolerance: 10% }
`;

/** Runs a plan that a test has written. */
async function rehearse(text: string, command: readonly string[] = sockbalOn("runtime")): Promise<Finished> {
  const input = new TextEncoder().encode(text);
  return await runCommand([...command, "--rehearse", "-"], { input });
}

onEachEngine(
  "a rehearsal of which everything holds ends with 0, and says what was measured",
  async (engine) => {
    const finished = await rehearse(PLAN, sockbalOn(engine));
    assertHolds(finished);
    const { stdout } = finished;
    assert.match(
      stdout,
      /^stdin\n {2}one, two; 10 connections at once, one a request; 40 requests a second; for 500ms\n/,
    );
    assert.match(stdout, /^ +0\.000 s {2}the load begins$/m);
    assert.match(stdout, /^ +[\d.]+ s {2}the load is over: 20 answers, no error$/m);
    assert.match(stdout, /^errors +0 +0 +holds$/m);
    assert.match(stdout, /^share of one +50% ± 10% +50\.0 % +holds$/m);
  },
);

Deno.test("a rehearsal of which something does not hold ends with 1, after its table", async () => {
  const { status, stdout, stderr } = await rehearse(PLAN.replace("share: even", "share: { one: <10% }"));
  assert.equal(status, 1);
  assert.match(stdout, /^share of one +<10% +50\.0 % +FAILS$/m);
  assert.equal(stderr, "sockbal: stdin: of 2 things that must hold, 1 does not\n");
});

Deno.test("a plan that is wrong ends with 2, and nothing is started", async () => {
  const { status, stdout, stderr } = await rehearse(PLAN.replace("errors: 0", "errors: none"));
  assert.deepEqual([status, stdout], [2, ""]);
  assert.match(stderr, /^stdin:7:19 expect\.errors: /);
  const missing = await sockbal("--rehearse", "/nowhere/plan.yaml");
  assert.deepEqual([missing.status, missing.stderr], [2, "sockbal: /nowhere/plan.yaml: no such file\n"]);
});

const SCRIPT = await findProgram("script", "bsdutils");
const noScript = skipWithout(SCRIPT);

Deno.test(`at a terminal a rehearsal has colours, and none with NO_COLOR${noScript.why}`, {
  ignore: noScript.ignore,
}, async () => {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(file, PLAN.replace("500ms", "100ms"));
  const line = [...SOCKBAL, "--rehearse", file].join(" ");
  const colours = async (env: Record<string, string>): Promise<boolean> => {
    const { status, stdout } = await runCommand([pathOf(SCRIPT), "-qec", line, "/dev/null"], { env });
    assert.equal(status, 0, stdout);
    return stdout.includes("\x1b[32mholds\x1b[0m");
  };
  assert.deepEqual([await colours({ NO_COLOR: "" }), await colours({ NO_COLOR: "1" })], [true, false]);
  await Deno.remove(file);
});

Deno.test("Ctrl-C ends a rehearsal with the report so far, and status 1", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/plan.yaml`, PLAN.replace("500ms", "1m"));
  await using running = new RunningCommand([...sockbalOn("runtime"), "--rehearse", `${folder}/plan.yaml`]);
  await running.sees(/the load begins/, "stdout");
  running.kill("SIGINT");
  const { status, stdout, stderr } = await running.finished;
  assert.equal(status, 1);
  assert.match(stdout, /^errors +0 +0 +holds$/m);
  assert.match(stderr, /plan\.yaml: stopped after [\dms]+, before its end\n$/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a rehearsal whose reader has gone ends with 1 as well: it was cut short", async () => {
  const folder = await Deno.makeTempDir();
  const events = "events: [{ at: 1s, drain: one }, { at: 2s, enable: one }]\n";
  await Deno.writeTextFile(`${folder}/plan.yaml`, PLAN.replace("500ms", "1m") + events);
  const line = [...sockbalOn("runtime"), "--rehearse", `${folder}/plan.yaml`].join(" ");
  const { stdout, stderr } = await runCommand(["sh", "-c", `{ ${line}; echo $? >&2; } | head -1`]);
  assert.equal(stdout, `${folder}/plan.yaml\n`);
  assert.match(stderr, /plan\.yaml: stopped after [\w.]+, before its end\n1\n$/);
  await Deno.remove(folder, { recursive: true });
});

onEachEngine(
  "a configuration of its own file is rehearsed as it is, with servers at its addresses",
  async (engine) => {
    const folder = await Deno.makeTempDir();
    const at = (name: string): string => `"unix:${name}.sock"`;
    await Deno.writeTextFile(
      `${folder}/balancer.yaml`,
      `workers: 1
listeners: [{ listen: ${at("web")}, pool: web }]
pools:
  web: { backends: [${at("one")}, ${
        at("two")
      }], health_check: { type: http, interval: 100ms, timeout: 1s, fall: 1 } }
`,
    );
    await Deno.writeTextFile(
      `${folder}/plan.yaml`,
      `servers: [{ name: one, listen: ${at("one")} }, { name: two, listen: ${at("two")} }]
balancer: balancer.yaml
load: { duration: 1s, rate: 50 }
events: [{ at: 200ms, set: two, delay: 5ms }, { at: 300ms, down: one }, { at: 600ms, reload: balancer.yaml }]
expect: { errors: <20%, noticed: <1s, share: { two: ">50%" } }
`,
    );
    const finished = await runCommand([...sockbalOn(engine), "--rehearse", `${folder}/plan.yaml`]);
    assertHolds(finished);
    assert.match(finished.stdout, /s {2}two: delay 5ms\n/);
    // Its socket is gone, or it dies while it is checked.
    assert.match(
      finished.stdout,
      /balancer: one is down: (no such file or directory|connection reset by peer)\n/,
    );
    assert.match(finished.stdout, /s {2}reload balancer\.yaml\n/);
    await Deno.remove(folder, { recursive: true });
  },
);

Deno.test("what an event cannot do is a failure of the rehearsal", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const reload = `{ listeners: [{ listen: 127.0.0.1:${taken.addr.port}, pool: web }] }`;
  const events = `[{ at: 50ms, drain: lonely }, { at: 100ms, reload: ${reload} }]`;
  const servers = PLAN.replace("[one, two]", "[one, two, lonely]");
  const { status, stdout } = await rehearse(`${servers}events: ${events}\n`);
  assert.equal(status, 1);
  assert.match(stdout, /^drain lonely +done +lonely is a backend of no pool +FAILS$/m);
  assert.match(stdout, /^ +[\d.]+ s {2}reload has failed: .+$/m);
  assert.match(stdout, /^reload +done +.+ +FAILS$/m);
});

Deno.test("the plan of a backend that dies and returns holds, and the balancer reacts in between", async () => {
  const finished = await sockbal("--rehearse", shipped("backend-dies"));
  assertHolds(finished);
  const [down = NaN] = timesOf(finished.stdout, /^two goes down$/);
  const [noticed = NaN] = timesOf(finished.stdout, /^ {2}balancer: two is down: /);
  const [up = NaN] = timesOf(finished.stdout, /^two comes up$/);
  const [recovered = NaN] = timesOf(finished.stdout, /^ {2}balancer: two is up: HTTP 200$/);
  assert.ok(down >= 1 && down <= noticed && noticed < up && up <= recovered, finished.stdout);
});

onEachEngine("the plan of a reload under load loses no request", async (engine) => {
  const finished = await runCommand([...sockbalOn(engine), "--rehearse", shipped("reload-under-load")]);
  assertHolds(finished);
  assert.match(finished.stdout, /balancer: reloaded; workers replaced, generation 2\n/);
  assert.match(finished.stdout, /balancer: one is drained\n/);
  assert.match(finished.stdout, /balancer: reloaded; workers kept, generation 2\n/);
});

Deno.test("the plan of a slow backend shows what least_connections is for", async () => {
  const finished = await sockbal("--rehearse", shipped("slow-backend"));
  assertHolds(finished);
  assert.match(finished.stdout, /^round_robin\n +0\.000 s {2}the load begins$/m);
  assert.match(finished.stdout, /^least_connections\n +0\.000 s {2}the load begins$/m);
  assert.match(finished.stdout, /^p90 of least_connections +< p90 of round_robin +.+ holds$/m);
});

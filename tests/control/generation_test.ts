import assert from "node:assert/strict";
import { enter, startNamedBackend, visit } from "../support/backend.ts";
import { portOf, Workshop } from "../support/generation.ts";
import { refusedPort } from "../support/ports.ts";

const NOWHERE = { backends: [`127.0.0.1:${refusedPort()}`] };

Deno.test("facts are there before a worker accepts, and from then on clients are served", async () => {
  await using a = startNamedBackend("a");
  const it = new Workshop();
  const plan = await it.planOf({ backends: [a.member], workers: 2 });
  let calls = 0;
  const generation = await it.start({ backends: [a.member], workers: 2 }, {
    plan,
    beforeAccept: () => {
      calls++;
      for (const { row } of plan.listeners) assert.equal(it.scoreboard.count(row), 0, "a worker accepts");
      it.introduce(plan, { backends: [a.member] });
    },
  });
  assert.equal(calls, 1);
  assert.equal(await visit(portOf(plan)), "a");
  assert.deepEqual(generation.lags().map(({ id }) => id), [0, 1]);
  await generation.drain(0);
});

Deno.test("a generation that cannot begin changes no fact and leaves no worker behind", async () => {
  const it = new Workshop();
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/file`, "");
  // Only the first worker listens there, and the runtime finds out.
  await Deno.writeTextFile(`${folder}/web.sock.new`, "");
  for (const name of ["file", "web.sock"]) {
    const options = { ...NOWHERE, workers: 2, listener: { listen: `unix:${folder}/${name}` } };
    // deno-lint-ignore no-await-in-loop -- the steps of a test follow one another
    await assert.rejects(
      it.start(options, { beforeAccept: () => assert.fail("not all listen") }),
      /^RunError: .*cannot listen on unix:.*: the path is in use: /,
    );
    assert.equal(it.numbers.take(), 0, "no worker has a number");
    it.numbers.giveBack(0);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("nothing is started once the balancer is to stop", async () => {
  const it = new Workshop();
  it.stop.abort();
  await assert.rejects(it.start(NOWHERE), /^RunError: the balancer is being stopped$/);
  assert.equal(it.numbers.take(), 0);
});

Deno.test("a drain says how many sessions it had to end, and a second one does not prolong it", async () => {
  await using a = startNamedBackend("a");
  const it = new Workshop();
  const generation = await it.start({ backends: [a.member] });
  const port = portOf(generation.plan);
  using _one = await enter(port);
  using _two = await enter(port);
  assert.deepEqual(await Promise.all([generation.drain(100), generation.drain(60_000)]), [2, 2]);
  await assert.rejects(enter(port), Deno.errors.ConnectionRefused);
  const ends = it.log.events.filter(({ event }) => event === "session").map(({ fields }) => fields.end);
  assert.deepEqual(ends, ["shutdown", "shutdown"]);
});

Deno.test("one session of a generation is found and ended by its id, and no other", async () => {
  await using a = startNamedBackend("a");
  const it = new Workshop();
  const generation = await it.start({ backends: [a.member], workers: 2 });
  using _one = await enter(portOf(generation.plan));
  using _two = await enter(portOf(generation.plan));
  const [first = assert.fail("no session"), second] = await generation.sessions(10, {});
  assert.equal(await generation.endSession(first.id, "killed"), true);
  const { fields } = await it.log.waitFor("session", ({ id }) => id === first.id);
  assert.equal(fields.end, "killed");
  assert.equal(await generation.endSession(first.id, "killed"), false);
  assert.deepEqual((await generation.sessions(10, {})).map(({ id }) => id), [second?.id]);
  assert.equal(await generation.drain(0), 1);
});

Deno.test("the end of the balancer waits for no answer of a worker that hangs", async () => {
  const it = new Workshop("silent");
  const generation = await it.start(NOWHERE);
  const startedMs = performance.now();
  const answers = Promise.all([generation.confirm(), generation.adjust(generation.plan)]);
  it.stop.abort();
  assert.deepEqual(await answers, [false, false]);
  assert.ok(performance.now() - startedMs < 1_000, "it was not waited for");
  await generation.drain(0);
});

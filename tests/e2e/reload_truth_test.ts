// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What a running program says about a reload, and what is really in force afterwards. */

import assert from "node:assert/strict";
import { startNamedBackend } from "../support/backend.ts";
import { readAll, text } from "../support/bytes.ts";
import { type RunningCommand, sockbal, startSockbal } from "../support/command.ts";
import { refusedPort } from "../support/ports.ts";

interface Setting extends AsyncDisposable {
  readonly folder: string;
  readonly file: string;
  readonly port: number;
  readonly admin: string;
  readonly balancer: RunningCommand;
  /** Puts a file there that says this besides. */
  write(more: string, listener?: string): Promise<void>;
  reload(
    headers?: HeadersInit,
  ): Promise<{ status: number; message: string; notes: string[]; faults: string[] }>;
  config(headers?: HeadersInit): Promise<Record<string, Record<string, unknown>>>;
  ask(): Promise<string>;
}

async function setUp(more: string, ...flags: string[]): Promise<Setting> {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/balancer.yaml`;
  const [port, adminPort] = [refusedPort(), refusedPort()];
  const admin = `127.0.0.1:${adminPort}`;
  const backend = startNamedBackend("a");
  const write = async (more: string, listener = ""): Promise<void> => {
    const adminSection = /^admin:/m.test(more) ? "" : `admin: { listen: ${admin} }\n`;
    await Deno.writeTextFile(
      `${file}.new`,
      `listeners: [{ name: web, listen: 127.0.0.1:${port}, pool: web${listener} }]
pools: { web: { backends: [{ address: ${backend.member.address}, name: a }] } }
${adminSection}${/^workers:/m.test(more) ? "" : "workers: 1\n"}${more}`,
    );
    await Deno.rename(`${file}.new`, file);
  };
  await write(more);
  const balancer = startSockbal("--role", "balancer", "--config", file, ...flags);
  await untilReady(admin);
  return {
    ...{ folder, file, port, admin, balancer, write },
    reload: async (headers = {}) => {
      const answer = await fetch(`http://${admin}/api/reload`, { method: "POST", headers });
      const { message, detail, notes = [], faults = [] } = await answer.json();
      return { status: answer.status, message: message ?? detail, notes, faults };
    },
    config: async (headers = {}) => await (await fetch(`http://${admin}/api/config`, { headers })).json(),
    ask: async () => {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await conn.closeWrite();
      return text(await readAll(conn)).trim();
    },
    [Symbol.asyncDispose]: async () => {
      await balancer[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function untilReady(admin: string): Promise<void> {
  for (let i = 0; i < 1_000; i++) {
    try {
      const answer = await fetch(`http://${admin}/readyz`);
      await answer.body?.cancel();
      if (answer.ok) return;
    } catch {
      // It does not listen yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail("it does not become ready");
}

Deno.test("the level and the format of the log follow the file at once, and so do the records of sessions", async () => {
  await using it = await setUp("log: { level: error }\n");
  assert.equal(await it.ask(), "a");
  await it.write("log: { format: json }\n");
  it.balancer.kill("SIGHUP");
  await it.balancer.sees(/^\{.*"event":"reloaded".*"workers":"replaced"/m);
  assert.equal((await it.config()).log?.format, "json");
  assert.equal(await it.ask(), "a");
  await it.balancer.sees(/^\{.*"event":"session".*"end":"done"/m);
  await it.write("log: { level: warn }\n");
  assert.equal((await it.reload()).status, 200);
  assert.equal((await it.config()).log?.level, "warn");
  assert.equal(await it.ask(), "a");
  it.balancer.kill("SIGTERM");
  const { stderr } = await it.balancer.finished;
  assert.equal(stderr.match(/"event":"session"/g)?.length, 1, stderr);
  assert.doesNotMatch(stderr, /stopped/);
});

Deno.test("what needs a restart, or is overridden by the command line, is said and is not in force", async () => {
  await using it = await setUp("log: { file: one.log }\n", "--log-level", "info", "--workers", "1");
  await it.write("log: { file: two.log, level: debug }\nworkers: 2\nshutdown_timeout: 1s\n", ", backlog: 77");
  const { status, message, notes } = await it.reload();
  assert.equal(status, 200);
  assert.deepEqual(notes.map((note) => note.replace(/:.*/, "")), [
    "workers",
    "log.level",
    "log.file",
    "listeners[0].backlog",
  ]);
  assert.match(message, /is in force, but not all of it: workers: 2 is not in force/);
  await it.balancer.sees(
    / config_note note=".*log\.file: .*two\.log needs a restart; until then they go to .*one\.log"/,
  );
  await it.balancer.sees(
    / reloaded .*not_in_force="workers, log\.level, log\.file, listeners\[0\]\.backlog"/,
  );
  const { log, listeners, workers } = await it.config() as unknown as {
    log: Record<string, unknown>;
    listeners: { backlog: number }[];
    workers: number;
  };
  assert.deepEqual([log.level, log.file, workers], ["info", `${it.folder}/one.log`, 1]);
  assert.equal(listeners[0]?.backlog, 4096);
  await it.ask();
  it.balancer.kill("SIGTERM");
  await it.balancer.finished;
  assert.match(await Deno.readTextFile(`${it.folder}/one.log`), / session .*end=done\n$/);
  await assert.rejects(Deno.stat(`${it.folder}/two.log`), Deno.errors.NotFound);
});

Deno.test("the configuration that is shown is accepted by --check, wherever it is saved", async () => {
  await using it = await setUp("log: { sessions: served, file: sessions.log }\nshutdown_delay: 10ms\n");
  const shown = await (await fetch(`http://${it.admin}/api/config`)).text();
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/saved.yaml`, shown);
  const checked = await sockbal("--role", "balancer", "--config", `${folder}/saved.yaml`, "--check");
  assert.equal(checked.stderr, "");
  assert.equal(checked.stdout, `${folder}/saved.yaml: ok (1 listener, 1 pool, 1 backend)\n`);
  // In the place of the file it changes nothing.
  await Deno.copyFile(`${folder}/saved.yaml`, it.file);
  const { message, notes } = await it.reload();
  assert.match(message, /workers kept, generation 1$/);
  assert.deepEqual(notes, []);
  assert.equal(await (await fetch(`http://${it.admin}/api/config`)).text(), shown);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("an admin side that cannot move stays where it is, and the reload says so", async () => {
  await using it = await setUp("");
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const where = `127.0.0.1:${taken.addr.port}`;
  await it.write(`admin: { listen: "${where}" }\nshutdown_timeout: 7s\n`);
  const { status, notes } = await it.reload();
  assert.equal(status, 200);
  assert.equal(notes.length, 1);
  assert.match(notes[0] ?? "", new RegExp(`^admin: .*${where}: .*in use.*; it remains on ${it.admin}$`));
  await it.balancer.sees(/ admin_failed /);
  await it.balancer.sees(/ reloaded .*not_in_force=admin\n/);
  const shown = await it.config();
  assert.deepEqual([shown.admin?.listen, shown.shutdown_timeout], [it.admin, "7s"]);
  // As soon as the port is free, the next reload moves it.
  taken.close();
  assert.deepEqual((await it.reload()).notes, []);
  assert.equal((await (await fetch(`http://${where}/api/config`)).json()).admin.listen, where);
  await assert.rejects(fetch(`http://${it.admin}/healthz`));
  assert.equal(await it.ask(), "a");
});

Deno.test("an admin side can move to another host with the same port, be turned off and on again", async () => {
  await using it = await setUp("");
  const moved = it.admin.replace("127.0.0.1", "127.0.0.2");
  const all = it.admin.replace("127.0.0.1", "0.0.0.0");
  await Deno.writeTextFile(`${it.folder}/token`, "0123456789abcdef\n");
  await it.write(`admin: { listen: "${all}", token_file: token }\n`);
  const { notes } = await it.reload();
  assert.match(notes.join(), /^admin: it moves from 127\.0\.0\.1:\d+ to 0\.0\.0\.0:\d+ in a moment/);
  await it.balancer.sees(/admin_listening address=0\.0\.0\.0:/);
  assert.equal(await (await fetch(`http://${moved}/healthz`)).text(), "ok");
  await it.write(`# no admin:\n`.replace("# no admin:", "shutdown_timeout: 3s"));
  const file = await Deno.readTextFile(it.file);
  await Deno.writeTextFile(it.file, file.replace(/^admin: .*\n/m, ""));
  const off = await it.reload({ authorization: "Bearer 0123456789abcdef" });
  assert.deepEqual([off.status, off.notes], [200, []]);
  it.balancer.kill("SIGHUP");
  await it.balancer.sees(/(?: reloaded [^]*){3}/);
  await assert.rejects(fetch(`http://${it.admin}/healthz`));
  await Deno.writeTextFile(it.file, file);
  it.balancer.kill("SIGHUP");
  await it.balancer.sees(new RegExp(`(?:admin_listening address=${it.admin}[^]*){2}`));
  assert.equal(await (await fetch(`http://${it.admin}/healthz`)).text(), "ok");
});

Deno.test("another token is asked for from the reload on, which is answered", async () => {
  await using it = await setUp("");
  for (const token of ["first-token-of-many", "second-token-of-many"]) {
    await Deno.writeTextFile(`${it.folder}/token`, `${token}\n`);
    await it.write(`admin: { listen: "${it.admin}", token_file: token }\n`);
    const headers: HeadersInit = token.startsWith("first")
      ? {}
      : { authorization: "Bearer first-token-of-many" };
    const stream = await fetch(`http://${it.admin}/api/events`, { headers });
    assert.equal((await it.reload(headers)).status, 200);
    // The old token is of no use any longer.
    await stream.text();
    const refused = await fetch(`http://${it.admin}/api/status`, { headers });
    assert.equal(refused.status, 401);
    await refused.body?.cancel();
    const config = await it.config({ authorization: `Bearer ${token}` });
    assert.equal(config.admin?.token_file, `${it.folder}/token`);
    assert.doesNotMatch(JSON.stringify(config), /token-of-many/);
  }
});

Deno.test("a configuration from the command line has no file to read again, and says so", async () => {
  await using backend = startNamedBackend("a");
  const args = ["--listen", "127.0.0.1:0", "--backend", backend.member.address];
  await using balancer = startSockbal("--role", "balancer", ...args);
  await balancer.sees(/ ready /);
  balancer.kill("SIGHUP");
  await balancer.sees(/ reload_failed reason="there is no configuration file to read again/);
  balancer.kill("SIGTERM");
  assert.equal((await balancer.finished).status, 0);
});

Deno.test("a balancer that is being stopped takes no new configuration, and says so", async () => {
  await using it = await setUp("shutdown_delay: 1m\n");
  await it.write("shutdown_delay: 0s\n", ", idle_timeout: 1s");
  it.balancer.kill("SIGTERM");
  await it.balancer.sees(/ stopping /);
  const { status, message, faults } = await it.reload();
  assert.deepEqual([status, message, faults], [422, "nothing has changed", [
    "the balancer is being stopped",
  ]]);
  assert.equal(await it.ask(), "a");
});

Deno.test("a hundred requests and as many signals at once are a few reloads, and each is answered", async () => {
  await using it = await setUp("");
  await it.write("", ", idle_timeout: 3s");
  // No more connections than the admin side takes.
  const loops = Array.from({ length: 20 }, async () => {
    for (let i = 0; i < 5; i++) {
      it.balancer.kill("SIGHUP");
      const { status, message } = await it.reload();
      assert.equal(status, 200, message);
      assert.match(message, /is in force; workers (?:kept|replaced), generation 2$/);
    }
  });
  await Promise.all(loops);
  const metrics = await (await fetch(`http://${it.admin}/metrics`)).text();
  const [, count = ""] = /^sockbal_reloads_total\{[^}]*ok[^}]*\} (\d+)$/m.exec(metrics) ?? [];
  assert.ok(Number(count) >= 1 && Number(count) <= 20, `${count} reloads`);
});

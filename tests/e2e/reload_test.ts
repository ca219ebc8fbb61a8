// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** New configurations for a running program: by signal, by request and by themselves; and what it tells about itself. */

import assert from "node:assert/strict";
import { startNamedBackend } from "../support/backend.ts";
import { until } from "../support/balancer.ts";
import { readAll, text } from "../support/bytes.ts";
import { RunningCommand, SOCKBAL, sockbal, startSockbal } from "../support/command.ts";
import { refusedPort } from "../support/ports.ts";

interface Setting {
  readonly folder: string;
  readonly file: string;
  readonly port: number;
  readonly admin: string;
  /** Writes the configuration with this in the pool. */
  write(
    backends: readonly { readonly address: string; readonly name: string }[],
    more?: string,
  ): Promise<void>;
  /** Who answers. */
  ask(): Promise<string>;
  [Symbol.asyncDispose](): Promise<void>;
}

async function setUp(): Promise<Setting> {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/balancer.yaml`;
  const [port, adminPort] = [refusedPort(), refusedPort()];
  const admin = `127.0.0.1:${adminPort}`;
  return {
    folder,
    file,
    port,
    admin,
    write: async (backends, more = "") => {
      const list = backends.map(({ address, name }) => `{ address: ${address}, name: ${name} }`).join(", ");
      await Deno.writeTextFile(
        file,
        `listeners: [{ name: web, listen: 127.0.0.1:${port}, pool: web }]
pools: { web: { backends: [${list}] } }
admin: { listen: ${admin} }
workers: 1
${more}`,
      );
    },
    ask: async () => {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await conn.closeWrite();
      return text(await readAll(conn)).trim();
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test("SIGHUP, a request and --watch put a new file into force; a bad one changes nothing and is explained", async () => {
  await using it = await setUp();
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await it.write([a.member]);
  await using balancer = startSockbal("--role", "balancer", "--config", it.file, "--watch");
  await balancer.sees(/ ready /);
  assert.equal(await it.ask(), "a");

  // Written and heard of by both: the file's change and the signal.
  await it.write([b.member]);
  balancer.kill("SIGHUP");
  await balancer.sees(/ reloaded .*workers=replaced/);
  assert.equal(await it.ask(), "b");

  await Deno.writeTextFile(it.file, "listeners: []\npools: { web: { backends: [nonsense] } }\n");
  await balancer.sees(/ reload_failed reason=".*balancer\.yaml:1:12 listeners: empty/);
  const refused = await fetch(`http://${it.admin}/api/reload`, { method: "POST" });
  assert.equal(refused.status, 422);
  const { title, faults } = await refused.json();
  assert.equal(title, "Unprocessable Content");
  assert.ok(faults.length >= 2 && faults[0].includes("balancer.yaml:1:12"), JSON.stringify(faults));
  assert.equal(await it.ask(), "b");

  // An editor writes beside the file and renames.
  await Deno.writeTextFile(`${it.folder}/new`, (await goodText(it, [a.member])) + "shutdown_timeout: 1s\n");
  await Deno.rename(`${it.folder}/new`, it.file);
  for (let i = 0; i < 200 && await it.ask() !== "a"; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(await it.ask(), "a");
  balancer.kill("SIGTERM");
  assert.equal((await balancer.finished).status, 0);
});

async function goodText(it: Setting, backends: Parameters<Setting["write"]>[0]): Promise<string> {
  const before = await Deno.readTextFile(it.file);
  await it.write(backends);
  const written = await Deno.readTextFile(it.file);
  await Deno.writeTextFile(it.file, before);
  return written;
}

Deno.test("--status shows the state as a table, and says in one sentence when nobody answers", async () => {
  await using it = await setUp();
  await using a = startNamedBackend("a");
  await it.write([a.member]);
  {
    await using balancer = startSockbal("--role", "balancer", "--config", it.file);
    await balancer.sees(/ ready /);
    await it.ask();
    await until(() => a.active === 0, "the session is over");
    for (const where of [["--admin", it.admin], ["--config", it.file]]) {
      const { status, stdout, stderr } = await sockbal("--role", "balancer", "--status", ...where);
      assert.equal(stderr, "");
      assert.equal(status, 0);
      assert.match(
        stdout,
        /^sockbal \d\S+, engine runtime, up for \d+ s, generation 1, ready\nworkers confined by permissions\n.*balancer\.yaml\n\nLISTENER +ADDRESS/,
      );
      assert.match(stdout, /\n\nPOOL web: 1 of 1 available, round_robin\nBACKEND +STATE/);
      assert.match(stdout, /\na +up +1 +0 /);
      const json = await sockbal("--role", "balancer", "--status", "--json", ...where);
      assert.deepEqual([json.status, json.stderr], [0, ""]);
      assert.equal(JSON.parse(json.stdout).pools[0].backends[0].name, "a");
    }
    // Only a running balancer tells whether the pool has a backend.
    await fetch(`http://${it.admin}/api/pools/web/backends/a/drain`, { method: "POST" })
      .then((answer) => answer.body?.cancel());
    for (const more of [[], ["--json"]]) {
      const { status, stdout, stderr } = await sockbal(
        "--role",
        "balancer",
        "--status",
        "--admin",
        it.admin,
        ...more,
      );
      assert.equal(status, 1);
      assert.equal(stderr, `sockbal: ${it.admin}: not ready: pool web has no backend that may be picked\n`);
      assert.match(stdout, more.length === 0 ? /\nNOT READY: pool web has no backend/ : /"ready": false/);
    }
    await using watching = startSockbal("--role", "balancer", "--status", "--admin", it.admin, "--watch");
    await watching.sees(/(?:sockbal \d[^]*){2}/, "stdout");
    watching.kill("SIGINT");
    assert.equal((await watching.finished).status, 0);
  }
  const { status, stdout, stderr } = await sockbal("--role", "balancer", "--status", "--admin", it.admin);
  assert.equal(status, 1);
  assert.equal(stdout, "");
  assert.equal(stderr, `sockbal: ${it.admin}: no balancer answers there; is its admin side on?\n`);
});

Deno.test("session records go to a file of their own, which SIGUSR1 and SIGUSR2 open again", async () => {
  await using it = await setUp();
  await using a = startNamedBackend("a");
  await it.write([a.member], "log: { format: json, file: sessions.log }\n");
  await using balancer = startSockbal("--role", "balancer", "--config", it.file);
  await balancer.sees(/"event":"ready"/);
  const lines = async (name: string): Promise<string[]> => {
    const found = await Deno.readTextFile(`${it.folder}/${name}`).catch(() => "");
    return found.split("\n").filter((line) => line !== "");
  };
  const untilLines = async (name: string, count: number): Promise<void> => {
    for (let i = 0; i < 500 && (await lines(name)).length < count; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal((await lines(name)).length, count, name);
  };
  await it.ask();
  await untilLines("sessions.log", 1);
  await Deno.rename(`${it.folder}/sessions.log`, `${it.folder}/old.log`);
  balancer.kill("SIGUSR1");
  await balancer.sees(/"event":"log_reopened"/);
  await it.ask();
  await it.ask();
  await untilLines("sessions.log", 2);
  await untilLines("old.log", 1);
  await Deno.rename(`${it.folder}/sessions.log`, `${it.folder}/older.log`);
  balancer.kill("SIGUSR2");
  await balancer.sees(/(?:"event":"log_reopened"[^]*){2}/);
  await it.ask();
  await untilLines("sessions.log", 1);
  const record = JSON.parse((await lines("sessions.log"))[0] ?? "");
  assert.deepEqual([record.event, record.pool, record.backend, record.end], ["session", "web", "a", "done"]);
  balancer.kill("SIGTERM");
  const { stderr } = await balancer.finished;
  assert.doesNotMatch(stderr, /"event":"session"/);
});

Deno.test("whatever becomes of the admin side while it runs, traffic goes on", async () => {
  await using it = await setUp();
  await using a = startNamedBackend("a");
  await it.write([a.member]);
  await using balancer = startSockbal("--role", "balancer", "--config", it.file);
  await balancer.sees(/ ready /);
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const config = await Deno.readTextFile(it.file);
  await Deno.writeTextFile(it.file, config.replace(it.admin, `127.0.0.1:${taken.addr.port}`));
  balancer.kill("SIGHUP");
  await balancer.sees(/admin_failed .*in use/);
  assert.equal(await it.ask(), "a");
});

Deno.test("the permissions that are printed are enough for the admin side, a token and a file of sessions", async () => {
  await using it = await setUp();
  await using a = startNamedBackend("a");
  await Deno.writeTextFile(`${it.folder}/secret`, "0123456789abcdef0123\n");
  await it.write([a.member], "log: { file: sessions.log }\n");
  await Deno.writeTextFile(
    it.file,
    (await Deno.readTextFile(it.file)).replace(
      `listen: ${it.admin}`,
      `listen: ${it.admin}, token_file: secret`,
    ),
  );
  const printed = await sockbal("--role", "balancer", "--config", it.file, "--print-permissions");
  const flags = printed.stdout.trim().split(" ");
  const command = SOCKBAL.flatMap((part) => part.startsWith("--allow-") ? [] : [part]);
  const at = command.findIndex((part) => part.endsWith("main.ts"));
  command.splice(at, 0, ...flags);
  await using balancer = new RunningCommand([...command, "--role", "balancer", "--config", it.file]);
  await balancer.sees(/ ready /);
  assert.equal(await it.ask(), "a");
  const refused = await fetch(`http://${it.admin}/api/status`);
  assert.equal(refused.status, 401);
  await refused.body?.cancel();
  const headers = { authorization: "Bearer 0123456789abcdef0123" };
  const answer = await fetch(`http://${it.admin}/api/status`, { headers });
  assert.equal((await answer.json()).ready, true);
  const table = await sockbal("--role", "balancer", "--config", it.file, "--status");
  assert.match(table.stdout, /\na +up/);
});

Deno.test("a request for a reload that moves the admin side is answered, and the balancer goes on", async () => {
  await using it = await setUp();
  await using a = startNamedBackend("a");
  await it.write([a.member]);
  await using balancer = startSockbal("--role", "balancer", "--config", it.file);
  await balancer.sees(/ ready /);
  const moved = `127.0.0.1:${refusedPort()}`;
  const before = await Deno.readTextFile(it.file);
  await Deno.writeTextFile(it.file, before.replace(it.admin, moved));
  const answer = await fetch(`http://${it.admin}/api/reload`, { method: "POST" });
  assert.equal(answer.status, 200);
  assert.match((await answer.json()).message, /is in force/);
  await balancer.sees(new RegExp(`admin_listening address=${moved}`));
  assert.equal(await (await fetch(`http://${moved}/healthz`)).text(), "ok");

  // A token that cannot be read is a fault like any other, found before anything has changed.
  await Deno.writeTextFile(
    it.file,
    before.replace(`listen: ${it.admin}`, `listen: ${moved}, token_file: nowhere`),
  );
  const refused = await fetch(`http://${moved}/api/reload`, { method: "POST" });
  assert.equal(refused.status, 422);
  assert.match(
    (await refused.json()).faults[0],
    /balancer\.yaml:3:\d+ admin\.token_file: \S+nowhere: no such file; make one with: /,
  );
  assert.equal(await it.ask(), "a");
  balancer.kill("SIGTERM");
  assert.equal((await balancer.finished).status, 0);
});

Deno.test("a request that does not end delays the end of the balancer by little, and does not fail it", async () => {
  await using it = await setUp();
  await using a = startNamedBackend("a");
  await it.write([a.member]);
  await using balancer = startSockbal("--role", "balancer", "--config", it.file);
  await balancer.sees(/ ready /);
  const [hostname = "", port = ""] = it.admin.split(":");
  using stalled = await Deno.connect({ hostname, port: Number(port) });
  const head =
    `POST /api/reload HTTP/1.1\r\nHost: ${it.admin}\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n`;
  await stalled.write(new TextEncoder().encode(head));
  await it.ask();
  balancer.kill("SIGTERM");
  const { status, stderr } = await balancer.finished;
  assert.equal(status, 0, stderr);
  assert.match(stderr, / stopped closed_sessions=0\n$/);
});

Deno.test("SIGHUP while the balancer starts ends nothing", async () => {
  await using it = await setUp();
  await using a = startNamedBackend("a");
  await it.write([a.member]);
  await using balancer = startSockbal("--role", "balancer", "--config", it.file);
  await balancer.sees(/ starting /);
  balancer.kill("SIGHUP");
  await balancer.sees(/ reloaded /);
  assert.equal(await it.ask(), "a");
});

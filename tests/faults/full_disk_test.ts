// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** A balancer whose file of sessions cannot grow any more, as on a full disk. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend } from "../support/backend.ts";
import { until } from "../support/balancer.ts";
import { ask, bytes, readAll, text } from "../support/bytes.ts";
import { RunningCommand, SOCKBAL } from "../support/command.ts";

/** Sets how large a file of the process may become; a write beyond that fails as on a full disk. */
async function limitFiles(pid: number, size: string): Promise<void> {
  const { code } = await new Deno.Command("prlimit", { args: [`--pid=${pid}`, `--fsize=${size}:`] }).output();
  assert.equal(code, 0);
}

Deno.test("a full disk loses no session record that fits into memory, glues no lines, and is said once", async () => {
  const folder = await Deno.makeTempDir();
  const backend = startBackend(async (conn) => {
    await writeAll(conn, await readAll(conn));
  });
  const config = join(folder, "balancer.yaml");
  const sessions = join(folder, "sessions.log");
  await Deno.writeTextFile(
    config,
    `listeners: [{ listen: "127.0.0.1:0", pool: p }]
pools: { p: { backends: ["${backend.address}"] } }
admin: { listen: "127.0.0.1:0" }
log: { file: sessions.log }
`,
  );
  // The signal that comes with the limit would end the program; on a full disk there is none.
  const shell = ["sh", "-c", 'trap "" XFSZ; exec "$@"', "sh"];
  await using balancer = new RunningCommand([...shell, ...SOCKBAL, "--role", "balancer", "--config", config]);
  const [, port = ""] = await balancer.sees(/ listening address=127.0.0.1:(\d+)/);
  const [, admin = ""] = await balancer.sees(/admin_listening address=(\S+)/);
  const serve = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) assert.equal(text(await ask(Number(port), bytes("hello"))), "hello");
  };

  await limitFiles(balancer.pid, "10000");
  await serve(100);
  const [, reason] = await balancer.sees(/ log_failing log=\S+sessions\.log reason="([^"]+)"/);
  assert.notEqual(reason, "");
  assert.equal((await Deno.stat(sessions)).size, 10_000);
  const events = await (await fetch(`http://${admin}/api/status`)).json();
  assert.equal(events.log_records_dropped, 0, "they wait");

  await limitFiles(balancer.pid, "unlimited");
  await balancer.sees(/ log_works_again log=\S+sessions\.log dropped=0 failed_for=/);
  await serve(3);
  const lines = (): string[] => Deno.readTextFileSync(sessions).split("\n").slice(0, -1);
  await until(() => lines().length >= 103, "every record is in the file");
  assert.equal(lines().length, 103);
  for (const line of lines()) assert.match(line, /^\S+Z info {2}session id=\S+ .* end=done$/);
  balancer.kill("SIGTERM");
  const { status, stderr } = await balancer.finished;
  assert.equal(status, 0);
  assert.equal(stderr.match(/log_failing/g)?.length, 1, "said once");
  assert.equal(stderr.match(/log_works_again/g)?.length, 1);
  await backend.stop();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("log.file: /dev/stdout writes the records of sessions to stdout, /dev/stderr beside all others", async () => {
  const backend = startBackend(async (conn) => {
    await writeAll(conn, await readAll(conn));
  });
  const folder = await Deno.makeTempDir();
  const config = join(folder, "balancer.yaml");
  for (const stream of ["stdout", "stderr"] as const) {
    await Deno.writeTextFile(
      config,
      `listeners: [{ listen: "127.0.0.1:0", pool: p }]
pools: { p: { backends: ["${backend.address}"] } }
log: { file: /dev/${stream} }
`,
    );
    await using balancer = new RunningCommand([...SOCKBAL, "--role", "balancer", "--config", config]);
    const [, port = ""] = await balancer.sees(/ listening address=127.0.0.1:(\d+)/);
    assert.equal(text(await ask(Number(port), bytes("hello"))), "hello");
    await balancer.sees(/ session id=\S+ .* end=done\n/, stream);
    balancer.kill("SIGTERM");
    const { status, stdout, stderr } = await balancer.finished;
    assert.equal(status, 0);
    assert.equal(stdout === "", stream === "stderr");
    assert.equal(/ session /.test(stderr), stream === "stderr");
  }
  await backend.stop();
  await Deno.remove(folder, { recursive: true });
});

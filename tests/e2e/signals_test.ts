/** Signals as they reach the program in practice: through `deno task`, from a launcher, from a terminal. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend } from "../support/backend.ts";
import { bytes, readAll, readExactly, text } from "../support/bytes.ts";
import { RunningCommand } from "../support/command.ts";

const root = new URL("../../", import.meta.url).pathname;

Deno.test("one signal that reaches the program twice, from deno task and by itself, is one", async () => {
  const backend = startBackend(async (conn) => {
    await writeAll(conn, bytes("hello"));
    await writeAll(conn, await readAll(conn));
  });
  // A session of its own, so that the whole process group can be signalled, as a terminal does for Ctrl-C.
  const task = [Deno.execPath(), "task", "--quiet", "sockbal", "--role", "balancer"];
  await using balancer = new RunningCommand(
    ["setsid", "-w", ...task, "--listen", "127.0.0.1:0", "--backend", backend.address],
    { cwd: root },
  );
  const [, port = ""] = await balancer.sees(/listening address=127.0.0.1:(\d+)/);
  await balancer.sees(/ ready /);
  using client = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  await readExactly(client, 5);
  const { stdout } = await new Deno.Command("ps", { args: ["-eo", "pid,ppid,pgid"] }).output();
  const rows = new TextDecoder().decode(stdout).trim().split("\n").slice(1).map((row) =>
    row.trim().split(/\s+/)
  );
  const group = rows.find(([pid, parent]) => Number(parent) === balancer.pid || Number(pid) === balancer.pid)
    ?.[2];
  Deno.kill(-Number(group), "SIGINT");
  await balancer.sees(/ stopping /);
  await writeAll(client, bytes("still served"));
  await client.closeWrite();
  assert.equal(text(await readAll(client)), "still served");
  await balancer.sees(/ stopped closed_sessions=0\n/);
  await balancer.finished;
  await backend.stop();
});

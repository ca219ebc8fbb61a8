// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** A balancer that has no file descriptor left. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend } from "../support/backend.ts";
import { bytes, readAll, readExactly, text } from "../support/bytes.ts";
import { RunningCommand, SOCKBAL } from "../support/command.ts";

function limited(files: number, ...args: string[]): RunningCommand {
  return new RunningCommand(["sh", "-c", `ulimit -n ${files} && exec "$@"`, "sh", ...SOCKBAL, ...args]);
}

/** User and system time of a process so far, in clock ticks (proc(5)). */
async function cpuTicks(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

Deno.test("without a free descriptor accepting pauses, nobody who is in is lost, and all who wait come in later", async () => {
  const backend = startBackend(async (conn) => {
    await writeAll(conn, bytes("hello"));
    await writeAll(conn, await readAll(conn));
  });
  await using balancer = limited(
    100,
    ...["--role", "balancer", "--listen", "127.0.0.1:0", "--backend", backend.address, "--workers", "2"],
  );
  const [, port = ""] = await balancer.sees(/listening address=127.0.0.1:(\d+)/);
  await balancer.sees(/ ready /);
  const connect = (): Promise<Deno.TcpConn> => Deno.connect({ hostname: "127.0.0.1", port: Number(port) });

  // Those who come in one by one, until there is room for no more, are greeted by the backend.
  const inside = await Promise.all(Array.from({ length: 20 }, connect));
  for (const client of inside) assert.equal(text(await readExactly(client, 5)), "hello");
  const crowd = await Promise.all(Array.from({ length: 80 }, connect));
  await balancer.sees(/ accept_failing .* reason="Too many open files"\n/);

  // It waits without spinning: far less than the half second of two busy threads.
  const before = await cpuTicks(balancer.pid);
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(await cpuTicks(balancer.pid) - before < 25, "the processor spins");

  for (const client of inside) {
    await writeAll(client, bytes("mine"));
    await client.closeWrite();
    assert.equal(text(await readAll(client)), "mine");
    client.close();
  }
  // Whoever was accepted and found no descriptor for a backend waited for one; all others are served in turn.
  const greetings = await Promise.all(crowd.map(async (client) => {
    const greeting = text(await readExactly(client, 5));
    client.close();
    return greeting;
  }));
  assert.deepEqual(greetings, Array(80).fill("hello"));
  await balancer.sees(/ accept_recovered /);

  using late = await connect();
  assert.equal(text(await readExactly(late, 5)), "hello");
  await backend.stop();
});

Deno.test("a limit of open files that cannot carry max_connections is said at the start", async () => {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  const config = (connections: number): string => {
    return `listeners: [{ listen: "127.0.0.1:0", pool: p, max_connections: ${connections} }]
pools: { p: { backends: ["127.0.0.1:9"] } }
`;
  };
  await Deno.writeTextFile(file, config(1_000));
  await using tooFew = limited(256, "--role", "balancer", "--config", file);
  await tooFew.sees(/ warn {2}open_files_too_few max_connections=1000 needed_files=2064 possible_files=\d+ /);
  await tooFew.sees(/ ready /);

  await Deno.writeTextFile(file, config(50));
  await using enough = limited(256, "--role", "balancer", "--config", file);
  await enough.sees(/ ready /);
  enough.kill("SIGTERM");
  assert.doesNotMatch((await enough.finished).stderr, /open_files/);
  await Deno.remove(file);
});

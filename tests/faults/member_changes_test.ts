// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** A balancer whose backends change all the time while sessions take long. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend } from "../support/backend.ts";
import { bytes, readAll, readExactly, text } from "../support/bytes.ts";
import { RunningCommand, sockbalOn } from "../support/command.ts";
import { onEachEngine } from "../support/engines.ts";
import { refusedPort } from "../support/ports.ts";

const CHANGES = 100;

/** After so many it has all that it needs, but for more sessions. */
const SETTLED = 30;

interface Size {
  readonly memoryMiB: number;
  readonly threads: number;
}

/** Memory in use and threads of a process (proc(5)). */
async function sizeOf(pid: number): Promise<Size> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const [, kib] = /VmRSS:\s+(\d+)/.exec(status) ?? [];
  const [, threads] = /Threads:\s+(\d+)/.exec(status) ?? [];
  return { memoryMiB: Number(kib) / 1_024, threads: Number(threads) };
}

onEachEngine(
  "a hundred changes of members, with a long session at each, cost neither workers nor memory",
  async (engine) => {
    const backend = startBackend(async (conn) => {
      await writeAll(conn, bytes("hello"));
      await writeAll(conn, await readAll(conn));
    });
    const folder = await Deno.makeTempDir();
    const [file, port, adminPort] = [`${folder}/balancer.yaml`, refusedPort(), refusedPort()];
    const write = (change: number): Promise<void> =>
      Deno.writeTextFile(
        file,
        `listeners: [{ listen: 127.0.0.1:${port}, pool: web }]
pools:
  web:
    within: [127.0.0.0/8]
    backends: [{ name: member-${change}, address: ${backend.address} }]
admin: { listen: 127.0.0.1:${adminPort} }
workers: 2
`,
      );
    await write(0);
    await using balancer = new RunningCommand([...sockbalOn(engine), "--role", "balancer", "--config", file]);
    await balancer.sees(/ ready /);
    const clients: Deno.TcpConn[] = [];
    const sizes: Size[] = [];
    for (let change = 1; change <= CHANGES; change++) {
      await write(change);
      const answer = await (await fetch(`http://127.0.0.1:${adminPort}/api/reload`, { method: "POST" }))
        .text();
      assert.match(answer, /workers kept, generation 1/);
      const client = await Deno.connect({ hostname: "127.0.0.1", port });
      assert.equal(text(await readExactly(client, 5)), "hello");
      clients.push(client);
      sizes.push(await sizeOf(balancer.pid));
    }
    const [settled, last] = [sizes[SETTLED], sizes.at(-1)];
    assert.ok(settled !== undefined && last !== undefined);
    assert.equal(last.threads, settled.threads);
    // A generation with a session is twenty; 70 of them would be more than a thousand.
    const grown = last.memoryMiB - settled.memoryMiB;
    assert.ok(grown < 20, `${grown} MiB more`);
    for (const client of clients) {
      await writeAll(client, bytes("still here"));
      await client.closeWrite();
      assert.equal(text(await readAll(client)), "still here");
      client.close();
    }
    balancer.kill("SIGTERM");
    const { status, stderr } = await balancer.finished;
    assert.equal(status, 0);
    const records = [...stderr.matchAll(/ session .* backend=member-(\d+) .* end=(\w+)/g)];
    assert.deepEqual(new Set(records.map(([, member]) => Number(member))).size, CHANGES);
    assert.ok(records.every(([, , end]) => end === "done"));
    await backend.stop();
    await Deno.remove(folder, { recursive: true });
  },
);

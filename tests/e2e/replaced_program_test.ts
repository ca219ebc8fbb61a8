/** The program's own files are replaced, or gone, while it runs: it goes on with what it was started from. */

import assert from "node:assert/strict";
import { startNamedBackend } from "../support/backend.ts";
import { readAll, text } from "../support/bytes.ts";
import { runCommand, RunningCommand } from "../support/command.ts";
import { refusedPort } from "../support/ports.ts";

const root = new URL("../../", import.meta.url).pathname;

/** A copy of the source tree as far as it is the program. */
async function copyTree(folder: string): Promise<string> {
  const names = ["main.ts", "deno.json", "deno.lock", "balancer.yaml", "lib"].map((it) => root + it);
  const { status, stderr } = await runCommand(["cp", "-r", ...names, folder]);
  assert.equal(status, 0, stderr);
  return `${folder}/main.ts`;
}

async function bundle(folder: string): Promise<string> {
  const output = `${folder}/sockbal.js`;
  const args = ["bundle", "--quiet", "--output", output, "main.ts"];
  const { status, stderr } = await runCommand([Deno.execPath(), ...args], { cwd: root });
  assert.equal(status, 0, stderr);
  return output;
}

for (const [form, make] of [["source tree", copyTree], ["bundle", bundle]] as const) {
  Deno.test(`a ${form} that is overwritten and then removed is upgraded by a restart, not by a reload`, async () => {
    const folder = await Deno.makeTempDir();
    const home = await Deno.makeTempDir();
    await using a = startNamedBackend("a");
    const [port, adminPort] = [refusedPort(), refusedPort()];
    const file = `${home}/balancer.yaml`;
    const write = async (idle: string, admin = ""): Promise<void> => {
      await Deno.writeTextFile(
        `${file}.new`,
        `listeners: [{ listen: 127.0.0.1:${port}, pool: web, idle_timeout: ${idle} }]
pools: { web: { backends: [${a.member.address}] } }
workers: 2
${admin}`,
      );
      await Deno.rename(`${file}.new`, file);
    };
    const ask = async (): Promise<string> => {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await conn.closeWrite();
      return text(await readAll(conn)).trim();
    };
    await write("1s");
    const flags = ["--no-prompt", "--unstable-net", "--unstable-worker-options"];
    const permissions = ["--allow-net", "--allow-read", "--allow-write"];
    await using balancer = new RunningCommand([
      ...[Deno.execPath(), "run", ...flags, ...permissions, await make(folder)],
      ...["--role", "balancer", "--config", file],
    ]);
    await balancer.sees(/ ready /);
    assert.equal(await ask(), "a");

    const other = "throw new Error('another version');\n";
    for await (const path of filesBelow(folder)) await Deno.writeTextFile(path, other);
    await write("2s");
    balancer.kill("SIGHUP");
    await balancer.sees(/ reloaded .*workers=replaced generation=2\n/);
    assert.equal(await ask(), "a");

    await Deno.remove(folder, { recursive: true });
    await write("3s", `admin: { listen: 127.0.0.1:${adminPort} }\n`);
    balancer.kill("SIGHUP");
    await balancer.sees(/ reloaded .*workers=replaced generation=3\n/);
    assert.equal(await ask(), "a");
    // It had not been wanted before.
    const page = await (await fetch(`http://127.0.0.1:${adminPort}/`)).text();
    assert.match(page, /<title>/);
    balancer.kill("SIGTERM");
    const { status, stderr } = await balancer.finished;
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stderr, /another version|worker_died|failed/);
    await Deno.remove(home, { recursive: true });
  });
}

async function* filesBelow(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* filesBelow(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { RunningCommand, sockbal } from "../support/command.ts";
import { Namespace, skipped } from "../support/namespace.ts";
import { refusedPort } from "../support/ports.ts";

function config(port: number, backend: number): string {
  return `listeners: [{ name: web, listen: 127.0.0.1:${port}, pool: web }]
pools: { web: { backends: [127.0.0.1:${backend}] } }
workers: 1
`;
}

Deno.test({
  name: `--watch sees what is written behind a bind mount${skipped}`,
  ignore: skipped !== "",
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const [inside, outside] = [`${folder}/inside.yaml`, `${folder}/outside.yaml`];
    await Deno.writeTextFile(inside, "");
    await Deno.writeTextFile(outside, config(9000, 9001));
    {
      await using space = await Namespace.make(`mount --bind ${outside} ${inside}`);
      await using balancer = space.sockbal("--role", "balancer", "--config", inside, "--watch");
      await balancer.sees(/ ready /);
      for (let i = 2; i < 5; i++) {
        await Deno.writeTextFile(outside, config(9000, 9000 + i));
        await balancer.sees(new RegExp(`( reloaded [^]*){${i - 1}}`));
      }
    }
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test("--watch needs no permission but to read the file, behind links as well", async () => {
  const folder = await Deno.makeTempDir();
  const port = refusedPort();
  await Deno.mkdir(`${folder}/1`);
  await Deno.writeTextFile(`${folder}/1/b.yaml`, config(port, 9001));
  await Deno.symlink("1", `${folder}/current`);
  const file = `${folder}/current/b.yaml`;
  const args = ["--role", "balancer", "--config", file, "--watch"];
  const printed = await sockbal(...args, "--print-permissions");
  assert.equal(printed.status, 0);
  const flags = printed.stdout.trim().split(" ");
  const root = new URL("../../", import.meta.url).pathname;
  const command = ["run", "--no-prompt", "--config", `${root}deno.json`, ...flags, `${root}main.ts`, ...args];
  {
    await using balancer = new RunningCommand([Deno.execPath(), ...command]);
    await balancer.sees(/ ready /);
    await Deno.mkdir(`${folder}/2`);
    await Deno.writeTextFile(`${folder}/2/b.yaml`, config(port, 9002));
    await Deno.symlink("2", `${folder}/next`);
    await Deno.rename(`${folder}/next`, `${folder}/current`);
    await balancer.sees(/ reload/);
    balancer.kill("SIGTERM");
    const { stderr } = await balancer.finished;
    // The worker may dial what the program may dial; that another backend needs a new start is another matter.
    assert.match(
      stderr,
      / reload_failed reason=".*\(--allow-net=127\.0\.0\.1:\d+\) that was not given at the start/,
    );
  }
  await Deno.remove(folder, { recursive: true });
});

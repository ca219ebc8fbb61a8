/** Configurations of several files, with values from the environment, as the program runs them. */

import assert from "node:assert/strict";
import { configFolder } from "../config/config_folder.ts";
import {
  runCommand,
  RunningCommand,
  SOCKBAL,
  sockbal,
  sockbalWith,
  startSockbal,
} from "../support/command.ts";
import { refusedPort } from "../support/ports.ts";

const LISTENER = 'listeners: [{ name: web, listen: "127.0.0.1:0", pool: web }]\nworkers: 1\n';

function pool(name: string, ...backends: number[]): string {
  return `pools: { ${name}: { backends: [${backends.map((port) => `127.0.0.1:${port}`).join(", ")}] } }\n`;
}

Deno.test("--check says what is in which file, and all faults with their files", async () => {
  await using it = await configFolder({
    "balancer.yaml": `${LISTENER}include: [d/*.yaml]\n`,
    "d/a.yaml": pool("web", 1, 2),
    "d/b.yaml": "# switched off\n",
  });
  const args = ["--role", "balancer", "--check", "--config", `${it.path}/balancer.yaml`];
  const checked = await sockbal(...args);
  assert.deepEqual([checked.status, checked.stdout.replaceAll(`${it.path}/`, ""), checked.stderr], [
    0,
    "balancer.yaml: 1 listener\nd/a.yaml: 1 pool, 2 backends\nd/b.yaml: no listener, no pool\n" +
    "balancer.yaml: ok (1 listener, 1 pool, 2 backends, in 3 files)\n",
    "",
  ]);
  await it.write({ "d/b.yaml": "pools: { web: {} }\nworkers: 1\n", "d/c.yaml": "a: [\n" });
  const refused = await sockbal(...args);
  assert.equal(refused.status, 2);
  assert.deepEqual(
    refused.stderr.trimEnd().split("\n").map((line) => line.replaceAll(`${it.path}/`, "").split(" ")[0]),
    ["d/b.yaml:1:10", "d/b.yaml:2:1", "d/c.yaml:2:1"],
  );
});

Deno.test("a program that is started with the permissions that are printed reads its files and variables, and no others", async () => {
  const admin = refusedPort();
  await using it = await configFolder({
    "10.yaml":
      `${LISTENER}admin: { listen: "127.0.0.1:\${SOCKBAL_TEST_ADMIN}" }\nlog: { level: \${LEVEL:-info} }\n`,
    "20.yaml": "include: [more/*.yaml, named.yml]\n",
    "more/a.yaml": `pools: { web: { backends: ["127.0.0.1:\${SOCKBAL_TEST_PORT}"],
      health_check: { type: expect, interval: 1h, send: "\${SOCKBAL_TEST_SECRET}", expect: OK } } }\n`,
    "named.yml": pool("other", 9),
  });
  const env = { SOCKBAL_TEST_ADMIN: String(admin), SOCKBAL_TEST_PORT: "9", SOCKBAL_TEST_SECRET: "hunter2" };
  const args = ["--role", "balancer", "--config", it.path];
  const printed = await runCommand([...SOCKBAL, ...args, "--print-permissions"], { env });
  assert.equal(printed.status, 0, printed.stderr);
  const flags = printed.stdout.trim().split(" ");
  assert.ok(flags.includes("--allow-env=LEVEL,SOCKBAL_TEST_ADMIN,SOCKBAL_TEST_PORT,SOCKBAL_TEST_SECRET"));
  const read = flags.find((flag) => flag.startsWith("--allow-read="))?.slice("--allow-read=".length).split(
    ",",
  );
  assert.deepEqual(read?.slice(0, 3), [`${it.path}/named.yml`, it.path, `${it.path}/more`]);

  await using balancer = new RunningCommand([...sockbalWith(flags), ...args], { env });
  await balancer.sees(/ ready /);
  const shown = await (await fetch(`http://127.0.0.1:${admin}/api/config`)).json();
  assert.equal(shown.admin.listen, `127.0.0.1:${admin}`);
  assert.equal(shown.pools.web.backends[0].address, "127.0.0.1:9");
  assert.equal(shown.pools.web.health_check.send, "${SOCKBAL_TEST_SECRET}");
  assert.equal(shown.defaults, undefined);

  await it.write({
    "more/b.yaml": pool("new", 9),
    "more/c.yaml": 'pools: { p: { backends: ["${PATH}:1"] } }\n',
  });
  balancer.kill("SIGHUP");
  await balancer.sees(
    / reload_failed reason=".*\/more\/c\.yaml:1:26 pools\.p\.backends\[0\]: sockbal was started without permission to read PATH of the environment \(--allow-env=PATH\)"/,
  );
  await Deno.remove(`${it.path}/more/c.yaml`);
  balancer.kill("SIGHUP");
  await balancer.sees(/ reloaded /);
  const { pools } = await (await fetch(`http://127.0.0.1:${admin}/api/config`)).json();
  assert.deepEqual(Object.keys(pools), ["web", "new", "other"]);
});

Deno.test("--watch follows a folder, and what its files include", async () => {
  await using it = await configFolder({
    "a.yaml": `${LISTENER}include: [more/*.yaml]\n`,
    "b.yaml": pool("web", 9),
  });
  await using balancer = startSockbal("--role", "balancer", "--config", it.path, "--watch");
  await balancer.sees(/ ready /);
  await it.write({ "c.yaml": pool("c", 9) });
  await balancer.sees(/ reloaded /);
  await it.write({ "more/d.yaml": "pools: { web: { backends: [a] } }\n" });
  await balancer.sees(
    / reload_failed reason=".*\/b\.yaml:1:10 pools\.web: there is a pool of this name already \(pools\.web, .*\/more\/d\.yaml:1:10\)"/,
  );
  await it.write({ "more/d.yaml": pool("d", 9) });
  await balancer.sees(/( reloaded [^]*){2}/);
});

Deno.test("a configuration from stdin cannot be read again, which a reload says in a sentence", async () => {
  await using it = await configFolder({ "web.yaml": pool("web", 9) });
  const input = new TextEncoder().encode(`${LISTENER}include: [${it.path}/*.yaml]\n`);
  await using balancer = new RunningCommand([...SOCKBAL, "--role", "balancer", "--config", "-"], { input });
  await balancer.sees(/ ready /);
  balancer.kill("SIGHUP");
  await balancer.sees(
    / reload_failed reason="there is no configuration file to read again: this one came from stdin"/,
  );
});

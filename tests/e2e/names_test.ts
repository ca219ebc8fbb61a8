// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Names, with a hosts file and a name server of the test's own. */

import assert from "node:assert/strict";
import type { RunningCommand } from "../support/command.ts";
import { Namespace, skipped } from "../support/namespace.ts";

const HOSTS = "::1 localhost\n127.0.0.1 localhost\n127.0.0.1 good\n127.0.0.2 two\n127.0.0.1 two\n";

interface Setting extends AsyncDisposable {
  readonly space: Namespace;
  readonly file: string;
  /** Writes the configuration. */
  write(backends: string, listen?: string, more?: string): Promise<void>;
  /** Makes names known beside those that are. */
  addHosts(lines: string): Promise<void>;
  start(...args: string[]): RunningCommand;
}

/** A server called `a` on 127.0.0.1:9001; names that are not in the hosts file are asked of a server that is silent. */
async function setUp(resolverOptions = ""): Promise<Setting> {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/b.yaml`;
  await Deno.writeTextFile(`${folder}/hosts`, HOSTS);
  await Deno.writeTextFile(`${folder}/resolv.conf`, `nameserver 127.0.0.53\n${resolverOptions}\n`);
  const space = await Namespace.make(
    `mount --bind ${folder}/hosts /etc/hosts; mount --bind ${folder}/resolv.conf /etc/resolv.conf`,
  );
  // It takes what is asked, and says nothing.
  const silent = space.start([
    "python3",
    "-c",
    `import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.53", 53)); print("silent", flush=True); time.sleep(600)`,
  ]);
  await silent.sees(/silent/, "stdout");
  const server = space.sockbal(
    ...["--role", "server", "--listen", "127.0.0.1:9001", "--handler", "whoami", "--name", "a"],
  );
  await server.sees(/ ready /);
  return {
    space,
    file,
    write: (backends, listen = "127.0.0.1:9000", more = "") =>
      Deno.writeTextFile(
        file,
        `listeners: [{ name: web, listen: "${listen}", pool: p }]
pools: { p: { backends: [${backends}] } }
workers: 1
${more}`,
      ),
    addHosts: (lines) => Deno.writeTextFile(`${folder}/hosts`, lines, { append: true }),
    start: (...args) => space.sockbal("--role", "balancer", "--config", file, ...args),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await silent[Symbol.asyncDispose]();
      await space[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test({
  name:
    `a name server that is silent delays neither start nor reload for long, and the name counts when it is known${skipped}`,
  ignore: skipped !== "",
  fn: async () => {
    await using it = await setUp();
    await it.write("good:9001, late.example:9001", undefined, "admin: { listen: 127.0.0.1:9901 }\n");
    const startedMs = performance.now();
    await using balancer = it.start();
    await balancer.sees(/ ready /);
    // A lookup by the system takes ten seconds.
    assert.ok(performance.now() - startedMs < 8_000, `${performance.now() - startedMs} ms`);
    await balancer.sees(
      / backend_down pool=p backend=late\.example:9001 reason="cannot resolve the name \\"late\.example\\": no name server answered/,
    );
    assert.equal(await it.space.ask("127.0.0.1:9000"), "a");
    const status = await it.start("--status").finished;
    assert.match(status.stdout, /late\.example:9001 +down [^]*cannot resolve the name "late\.example"/);

    await it.write("good:9001, late.example:9001, never.example:9001");
    balancer.kill("SIGHUP");
    await balancer.sees(/ reloaded /);
    await balancer.sees(/ backend_down pool=p backend=never\.example:9001 /);

    await it.addHosts("127.0.0.1 late.example\n");
    await balancer.sees(/ backend_up pool=p backend=late\.example:9001 reason="its name is resolved"/);
    await balancer.sees(/ name_resolved pool=p backend=late\.example:9001/);
    for (let i = 0; i < 2; i++) assert.equal(await it.space.ask("127.0.0.1:9000"), "a");
    await balancer.sees(/ session .*backend=late\.example:9001 .*end=done/);
    // One that is still unknown does not delay the end.
    const stoppedMs = performance.now();
    balancer.kill("SIGTERM");
    assert.equal((await balancer.finished).status, 0);
    assert.ok(performance.now() - stoppedMs < 8_000);
  },
});

Deno.test({
  name:
    `a backend is reached at whichever address of its name it listens on, by sessions and by checks${skipped}`,
  ignore: skipped !== "",
  fn: async () => {
    await using it = await setUp();
    for (const name of ["localhost", "two"]) {
      await it.write(`"${name}:9001"`);
      await Deno.writeTextFile(
        it.file,
        (await Deno.readTextFile(it.file)).replace(
          "] } }",
          "], health_check: { interval: 100ms, fall: 1 } } }",
        ),
      );
      await using balancer = it.start();
      await balancer.sees(/ ready /);
      assert.equal(await it.space.ask("127.0.0.1:9000"), "a");
      balancer.kill("SIGTERM");
      const { stderr } = await balancer.finished;
      assert.match(stderr, / session .*attempts=1 end=done/);
      assert.doesNotMatch(stderr, / backend_down /);
    }
  },
});

Deno.test({
  name: `the name of a listener is an error of the start, and in a reload nothing has changed${skipped}`,
  ignore: skipped !== "",
  fn: async () => {
    await using it = await setUp("options timeout:1 attempts:1");
    await it.write("good:9001", "never.example:9000");
    const failed = await it.start().finished;
    assert.equal(failed.status, 1);
    assert.match(
      failed.stderr,
      /\n\S+:1:34 listeners\[0\]\.listen: cannot resolve the name "never\.example": no name server answered\n$/,
    );

    await it.write("good:9001");
    await using balancer = it.start();
    await balancer.sees(/ ready /);
    await it.write("good:9001", "never.example:9000");
    balancer.kill("SIGHUP");
    await balancer.sees(/ reload_failed reason="cannot resolve the name \\"never\.example\\": /);
    assert.equal(await it.space.ask("127.0.0.1:9000"), "a");
  },
});

Deno.test({
  name:
    `the name of the admin side is an error of the start, and in a reload traffic goes on without it${skipped}`,
  ignore: skipped !== "",
  fn: async () => {
    await using it = await setUp("options timeout:1 attempts:1");
    const admin = "admin: { listen: never.example:9901, token_file: token }\n";
    await it.write("good:9001", undefined, admin);
    await Deno.writeTextFile(it.file.replace("b.yaml", "token"), "0123456789abcdef");
    const failed = await it.start().finished;
    assert.equal(failed.status, 1);
    assert.match(
      failed.stderr,
      /:18 admin\.listen: .* cannot resolve the name "never\.example": no name server answered\n$/,
    );

    await it.write("good:9001");
    await using balancer = it.start();
    await balancer.sees(/ ready /);
    await it.write("good:9001", undefined, admin);
    balancer.kill("SIGHUP");
    await balancer.sees(/ admin_failed .*never\.example:9901: cannot resolve the name \\"never\.example\\"/);
    assert.equal(await it.space.ask("127.0.0.1:9000"), "a");
  },
});

Deno.test({
  name: `--check resolves no name, and --print-permissions says which one its list lacks${skipped}`,
  ignore: skipped !== "",
  fn: async () => {
    await using it = await setUp("options timeout:1 attempts:1");
    await it.write("localhost:9001, never.example:9001", "never.example:9000");
    const checked = await it.start("--check").finished;
    assert.deepEqual([checked.status, checked.stderr], [0, ""]);
    const printed = await it.start("--print-permissions").finished;
    assert.equal(printed.status, 0);
    const [net = ""] = printed.stdout.split(" ");
    assert.deepEqual(net.replace("--allow-net=", "").split(",").sort(), [
      "127.0.0.1:0",
      "127.0.0.1:9001",
      "[::1]:9001",
      "localhost",
      "never.example",
    ]);
    assert.match(
      printed.stderr,
      /^\S+ warn +permissions_incomplete reason="cannot resolve the name \\"never\.example\\": [^\n]*\n$/,
    );
  },
});

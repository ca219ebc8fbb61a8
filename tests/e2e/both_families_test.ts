// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** `:port` is all addresses, IPv4 and IPv6, whatever the system makes of a socket on `::`. */

import assert from "node:assert/strict";
import type { RunningCommand } from "../support/command.ts";
import { Namespace, skipped } from "../support/namespace.ts";
import { ENGINES } from "../support/engines.ts";

const CONFIG = (limit: number, admin = ":9901"): string =>
  `listeners: [{ name: web, listen: ":9000", pool: p, max_connections: ${limit} }]
pools: { p: { backends: ["127.0.0.1:9001"] } }
admin: { listen: "${admin}", token_file: token }
workers: 1
`;

const LOOPBACKS = ["127.0.0.1", "[::1]"];

/** A server that answers its name, `s`. */
function startWhoami(space: Namespace, address: string): RunningCommand {
  return space.sockbal("--role", "server", "--listen", address, "--handler", "whoami", "--name", "s");
}

for (const engine of ENGINES) {
  Deno.test({
    name:
      `all addresses are IPv4 and IPv6 for a listener, the admin side and a server, with bindv6only or without (${engine})${skipped}`,
    ignore: skipped !== "",
    fn: async () => {
      const folder = await Deno.makeTempDir();
      await Deno.writeTextFile(`${folder}/token`, "0123456789abcdef");
      await Deno.writeTextFile(`${folder}/b.yaml`, CONFIG(0));
      for (const only of [0, 1]) {
        await using space = await Namespace.make(`echo ${only} > /proc/sys/net/ipv6/bindv6only`);
        await using server = startWhoami(space, ":9001");
        await server.sees(/ ready /);
        await using balancer = space.balancer(engine, `${folder}/b.yaml`);
        await balancer.sees(/ admin_listening /);
        if (only === 1) {
          await balancer.sees(/ listening address=\[::\]:9000 [^]* listening address=0\.0\.0\.0:9000 /);
        }
        const answers = async (): Promise<void> => {
          for (const host of LOOPBACKS) {
            assert.match(await space.ask(`${host}:9001`), /^s$/);
            assert.match(await space.ask(`${host}:9000`), /^s$/);
            const status = await space.sockbal(
              ...[
                "--role",
                "balancer",
                "--status",
                "--config",
                `${folder}/b.yaml`,
                "--admin",
                `${host}:9901`,
              ],
            ).finished;
            assert.equal(status.status, 0, status.stderr);
            assert.match(
              status.stdout,
              only === 1 ? /web +\[::\]:9000, 0\.0\.0\.0:9000 / : /web +\[::\]:9000 +p/,
            );
          }
        };
        await answers();
        // New workers, the same sockets.
        await Deno.writeTextFile(`${folder}/b.yaml`, CONFIG(7));
        balancer.kill("SIGHUP");
        await balancer.sees(/ reloaded .*workers=replaced/);
        await answers();
        await Deno.writeTextFile(`${folder}/b.yaml`, CONFIG(0));
        balancer.kill("SIGTERM");
        const { status, stderr } = await balancer.finished;
        assert.equal(status, 0, stderr);
      }
      await Deno.remove(folder, { recursive: true });
    },
  });
}

for (const engine of ENGINES) {
  Deno.test({
    name: `with bindv6only a reload moves between the families and both of them (${engine})${skipped}`,
    ignore: skipped !== "",
    fn: async () => {
      const folder = await Deno.makeTempDir();
      const write = (listen: string): Promise<void> =>
        Deno.writeTextFile(
          `${folder}/b.yaml`,
          `listeners: [{ name: web, listen: "${listen}", pool: p }]
pools: { p: { backends: ["127.0.0.1:9001"] } }
workers: 1
`,
        );
      {
        await using space = await Namespace.make("echo 1 > /proc/sys/net/ipv6/bindv6only");
        await using server = startWhoami(space, "127.0.0.1:9001");
        await server.sees(/ ready /);
        await write("0.0.0.0:9000");
        await using balancer = space.balancer(engine, `${folder}/b.yaml`);
        await balancer.sees(/ ready /);
        const steps = [":9000", "[::]:9000", ":9000", "0.0.0.0:9000"];
        for (const [i, step] of steps.entries()) {
          await write(step);
          balancer.kill("SIGHUP");
          await balancer.sees(new RegExp(`( reloaded [^]*){${i + 1}}`));
          const answers = await Promise.all(LOOPBACKS.map((host) => space.ask(`${host}:9000`)));
          assert.deepEqual(
            answers.map((it) => it === "s"),
            [step !== "[::]:9000", step !== "0.0.0.0:9000"],
            step,
          );
        }
        balancer.kill("SIGTERM");
        const { stderr } = await balancer.finished;
        assert.doesNotMatch(stderr, /reload_failed/);
      }
      await Deno.remove(folder, { recursive: true });
    },
  });
}

for (const engine of ENGINES) {
  Deno.test({
    name: `at max_connections both families wait, and both are served in the end (${engine})${skipped}`,
    ignore: skipped !== "",
    fn: async () => {
      const folder = await Deno.makeTempDir();
      await Deno.writeTextFile(`${folder}/token`, "0123456789abcdef");
      await Deno.writeTextFile(`${folder}/b.yaml`, CONFIG(1));
      {
        await using space = await Namespace.make("echo 1 > /proc/sys/net/ipv6/bindv6only");
        await using server = startWhoami(space, "127.0.0.1:9001");
        await server.sees(/ ready /);
        await using balancer = space.balancer(engine, `${folder}/b.yaml`);
        await balancer.sees(/ ready /);
        const asked = Array.from({ length: 3 }, () => LOOPBACKS.map((host) => space.ask(`${host}:9000`)))
          .flat();
        for (const answer of await Promise.all(asked)) assert.match(answer, /^s$/);
      }
      await Deno.remove(folder, { recursive: true });
    },
  });
}

Deno.test({
  name: `a port that another program has on IPv4 alone is not half listened on${skipped}`,
  ignore: skipped !== "",
  fn: async () => {
    for (const only of [0, 1]) {
      await using space = await Namespace.make(`echo ${only} > /proc/sys/net/ipv6/bindv6only`);
      await using other = space.sockbal("--role", "server", "--listen", "0.0.0.0:9000");
      await other.sees(/ ready /);
      const { status, stderr } = await space.sockbal("--role", "balancer", "--listen", ":9000").finished;
      assert.equal(status, 1);
      assert.match(
        stderr,
        /cannot listen on :9000: port 9000 is in use, by another program or by another listener\n$/,
      );
    }
  },
});

Deno.test({
  name: `a machine without IPv6 is listened on by IPv4${skipped}`,
  ignore: skipped !== "",
  fn: async () => {
    await using space = await Namespace.make("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6");
    await using server = startWhoami(space, ":9001");
    await server.sees(/ ready /);
    assert.match(await space.ask("127.0.0.1:9001"), /^s$/);
  },
});

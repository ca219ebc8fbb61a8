// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Link-local addresses, which need their network interface, wherever an address may stand. */

import assert from "node:assert/strict";
import { sockbal } from "../support/command.ts";
import { Namespace, skipped } from "../support/namespace.ts";
import { ENGINES } from "../support/engines.ts";

/** Two links on which the same address exists; one with a name that is no word. */
const LINKS = `
for name in v0 tap_0.1; do
  ip link add $name type veth peer name p$name; ip link set $name up; ip link set p$name up
  ip -6 addr add fe80::1/64 dev $name nodad
done
# An interface takes a moment until its address may be used.
for i in $(seq 100); do ip -6 addr show tentative | grep -q fe80::1 || break; sleep 0.05; done
`;

for (const engine of ENGINES) {
  Deno.test({
    name:
      `link-local listeners and backends are told apart by their zone, by name and by number (${engine})${skipped}`,
    ignore: skipped !== "",
    fn: async () => {
      const folder = await Deno.makeTempDir();
      {
        await using space = await Namespace.make(LINKS);
        await using a = space.sockbal(
          "--role",
          "server",
          "--listen",
          "[fe80::1%v0]:9001",
          "--handler",
          "whoami",
          "--name",
          "a",
        );
        await using b = space.sockbal(
          "--role",
          "server",
          "--listen",
          "[fe80::1%tap_0.1]:9001",
          "--handler",
          "whoami",
          "--name",
          "b",
        );
        await a.sees(/ listening address=\[fe80::1%v0\]:9001/);
        await b.sees(/ listening address=\[fe80::1%tap_0\.1\]:9001/);
        const index = (await space.run("cat /sys/class/net/v0/ifindex || ip -o link show v0 | cut -d: -f1"))
          .stdout.trim();
        await Deno.writeTextFile(
          `${folder}/b.yaml`,
          `listeners:
  - { listen: "[fe80::1%v0]:9000", pool: a }
  - { listen: "[fe80::1%tap_0.1]:9000", pool: b }
pools:
  a: { backends: ["[fe80::1%v0]:9001"], health_check: { type: expect, expect: a } }
  b: { backends: [{ address: "[fe80::1%tap_0.1]:9001", name: b }] }
admin: { listen: 127.0.0.1:9901 }
`,
        );
        await using balancer = space.balancer(engine, `${folder}/b.yaml`);
        await balancer.sees(
          / listening address=\[fe80::1%v0\]:9000[^]* listening address=\[fe80::1%tap_0\.1\]:9000/,
        );
        await balancer.sees(/ admin_listening address=127\.0\.0\.1:9901[^]* ready /);
        for (const zone of ["v0", index]) {
          assert.match(await space.ask(`[fe80::1%${zone}]:9000`), /^a$/);
        }
        assert.match(await space.ask("[fe80::1%tap_0.1]:9000"), /^b$/);
        const status = await space.sockbal("--role", "balancer", "--config", `${folder}/b.yaml`, "--status")
          .finished;
        assert.equal(status.status, 0, status.stderr);
        assert.match(status.stdout, /\[fe80::1%v0\]:9000[^]*\[fe80::1%v0\]:9001 +up/);
        // The same again: a reload finds its sockets.
        balancer.kill("SIGHUP");
        await balancer.sees(/ reloaded .*workers=kept/);
        balancer.kill("SIGTERM");
        assert.equal((await balancer.finished).status, 0);
      }
      await Deno.remove(folder, { recursive: true });
    },
  });
}

Deno.test({
  name: `an interface that does not exist is named in one sentence${skipped}`,
  ignore: skipped !== "",
  fn: async () => {
    await using space = await Namespace.make(LINKS);
    const missing = ["v9", "99"];
    for (const zone of missing) {
      const address = `[fe80::1%${zone}]:9000`;
      const server = await space.sockbal("--role", "server", "--listen", address).finished;
      assert.equal(
        server.stderr,
        `sockbal: cannot listen on ${address}: this machine has no network interface "${zone}"\n`,
      );
      const listener = await space.sockbal("--role", "balancer", "--listen", address).finished;
      assert.equal(listener.status, 1);
      assert.match(listener.stderr, new RegExp(`: this machine has no network interface "${zone}"\n$`));
    }
    assert.equal(
      await space.ask("[fe80::1%v9]:9000"),
      `sockbal: [fe80::1%v9]:9000: this machine has no network interface "v9"`,
    );
    await using balancer = space.sockbal(
      ...["--role", "balancer", "--listen", "127.0.0.1:9000", "--backend", "[fe80::1%v9]:9001"],
    );
    await balancer.sees(/ ready /);
    await space.ask("127.0.0.1:9000");
    await balancer.sees(/ failed=.*\[fe80::1%v9\]:9001: this machine has no such network interface/);
  },
});

Deno.test("what cannot be a link-local address is refused with what to write, in every place", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${folder}/b.yaml`,
    `listeners: [{ listen: "[fe80::1]:9000", pool: p }]
pools: { p: { backends: ["[::1%lo]:9001", { address: "[fe80::2]:9001" }] } }
admin: { listen: "[fe80::1%eth0]:9901", token_file: token }
`,
  );
  await Deno.writeTextFile(`${folder}/token`, "0123456789abcdef");
  const checked = await sockbal("--role", "balancer", "--config", `${folder}/b.yaml`, "--check");
  assert.equal(checked.status, 2);
  const needs = "a link-local address needs its network interface; write it as";
  assert.deepEqual(checked.stderr.trim().split("\n").map((line) => line.slice(folder.length + 1)), [
    `b.yaml:1:23 listeners[0].listen: "[fe80::1]:9000": ${needs} [fe80::1%eth0]:9000`,
    'b.yaml:2:26 pools.p.backends[0]: "[::1%lo]:9001": only a link-local address (fe80::…) has a network interface; ' +
    "write [::1]:9001",
    `b.yaml:2:54 pools.p.backends[1].address: "[fe80::2]:9001": ${needs} [fe80::2%eth0]:9001`,
    "b.yaml:3:18 admin.listen: the admin side cannot listen on a link-local address; write another one of this machine",
  ]);
  for (
    const args of [
      ["--role", "server", "--listen", "[fe80::1]:9000"],
      ["--role", "client", "--connect", "[fe80::1]:9000"],
      ["--role", "balancer", "--listen", "[fe80::1]:9000"],
      ["--role", "balancer", "--backend", "[fe80::1]:9000"],
    ]
  ) {
    const { status, stderr } = await sockbal(...args);
    assert.equal(status, 2, args.join(" "));
    assert.match(stderr, /needs its network interface; write it as \[fe80::1%eth0\]:9000\n$/);
  }
  await Deno.remove(folder, { recursive: true });
});

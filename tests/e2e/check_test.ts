// deno-lint-ignore-file no-await-in-loop -- one case after the other

/** What `--check` refuses the start refuses, in the same words, and a reload too; the rest fails the start with its place. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../support/balancer.ts";
import { makeCertificate, noOpenssl } from "../support/certificates.ts";
import {
  runCommand,
  RunningCommand,
  SOCKBAL,
  sockbal,
  sockbalWith,
  startSockbal,
} from "../support/command.ts";
import { refusedPort } from "../support/ports.ts";

const POOLS = "pools: { p: { backends: [127.0.0.1:1] } }\n";

interface Folder extends AsyncDisposable {
  readonly path: string;
  /** The configuration. */
  readonly file: string;
  write(config: string): Promise<void>;
}

async function makeFolder(): Promise<Folder> {
  const path = await Deno.makeTempDir();
  const file = join(path, "balancer.yaml");
  return {
    path,
    file,
    write: (config) => Deno.writeTextFile(file, config),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Configurations that cannot be run whatever the machine is doing, with the place of the fault. */
const REFUSED: readonly (readonly [config: string, place: string])[] = [
  [
    `listeners: [{ listen: "127.0.0.1:7", pool: p }, { listen: ":7", pool: p }]\n${POOLS}`,
    "1:59 listeners[1].listen",
  ],
  [`listeners: [{ listen: ":7", pool: p }]\n${POOLS}admin: { listen: "127.0.0.1:7" }\n`, "3:18 admin.listen"],
  [`listeners: [{ listen: ":0", pool: p }]\n${POOLS}log: { file: gone/s.log }\n`, "3:14 log.file"],
  [
    `listeners: [{ listen: ":0", pool: p }]\n${POOLS}admin: { listen: "127.0.0.1:0", token_file: gone }\n`,
    "3:45 admin.token_file",
  ],
  [`listeners: [{ listen: ":0", pool: p }]\n${POOLS}state_file: balancer.yaml\n`, "3:13 state_file"],
  [`listeners: [{ listen: ":0", pool: p }]\n${POOLS}state_file: gone/s.json\n`, "3:13 state_file"],
  [`listeners: [{ listen: "unix:gone/a.sock", pool: p }]\n${POOLS}`, "1:23 listeners[0].listen"],
];

Deno.test("what --check refuses the start refuses, with the same sentences and status 2", async () => {
  await using it = await makeFolder();
  for (const [config, place] of REFUSED) {
    await it.write(config);
    const check = await sockbal("--role", "balancer", "--config", it.file, "--check");
    const start = await sockbal("--role", "balancer", "--config", it.file);
    assert.equal(check.status, 2, config);
    assert.ok(check.stderr.startsWith(`${it.file}:${place}: `), check.stderr);
    assert.deepEqual(start, check, config);
  }
});

Deno.test("a reload with a configuration that a start would refuse changes nothing and says where", async () => {
  await using it = await makeFolder();
  const good = `listeners: [{ listen: "127.0.0.1:0", pool: p }]\n${POOLS}`;
  await it.write(good);
  await using balancer = startSockbal("--role", "balancer", "--config", it.file);
  await balancer.sees(/ ready /);
  for (const [config, place] of REFUSED) {
    await it.write(config);
    balancer.kill("SIGHUP");
    const where = `${it.file}:${place}: `.replaceAll(/[.[\]]/g, "\\$&");
    await balancer.sees(new RegExp(` reload_failed reason="${where}`));
  }
});

Deno.test("a port that is taken fails the start at its place, with status 1, the admin side's too", async () => {
  await using it = await makeFolder();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  const inUse = `port ${port} is in use, by another program`;
  for (
    const [config, start] of [
      [
        `listeners: [{ listen: "127.0.0.1:0", name: a, pool: p }, { listen: "127.0.0.1:${port}", pool: p }]\n${POOLS}`,
        `1:68 listeners[1].listen: cannot listen on 127.0.0.1:${port}: ${inUse}`,
      ],
      [
        `listeners: [{ listen: "localhost:${port}", pool: p }]\n${POOLS}`,
        `1:23 listeners[0].listen: cannot listen on `,
      ],
      [
        `listeners: [{ listen: ":${port}", pool: p }]\n${POOLS}`,
        `1:23 listeners[0].listen: cannot listen on `,
      ],
      [
        `listeners: [{ listen: ":0", pool: p }]\n${POOLS}admin: { listen: "127.0.0.1:${port}" }\n`,
        `3:18 admin.listen: the admin page cannot listen on 127.0.0.1:${port}: ${inUse}`,
      ],
      [
        `listeners: [{ listen: "192.0.2.1:80", pool: p }]\n${POOLS}`,
        "1:23 listeners[0].listen: cannot listen on 192.0.2.1:80: this machine has no such address",
      ],
    ] as const
  ) {
    await it.write(config);
    const { status, stderr } = await sockbal(
      "--role",
      "balancer",
      "--config",
      it.file,
      "--log-level",
      "error",
    );
    assert.equal(status, 1, stderr);
    assert.ok(stderr.startsWith(`${it.file}:${start}`), stderr);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    assert.equal((await sockbal("--role", "balancer", "--config", it.file, "--check")).status, 0);
  }
});

Deno.test("a permission to write the file of sessions that is missing fails the start at its place", async () => {
  await using it = await makeFolder();
  await it.write(`listeners: [{ listen: "127.0.0.1:0", pool: p }]\n${POOLS}log: { file: s.log }\n`);
  const { status, stderr } = await runCommand([
    ...SOCKBAL.filter((arg) => arg !== "--allow-write"),
    ...["--role", "balancer", "--config", it.file],
  ]);
  assert.equal(status, 1);
  assert.equal(
    stderr,
    `${it.file}:3:14 log.file: ${it.path}/s.log: sockbal was started without permission to write it\n`,
  );
});

Deno.test("--status and --print-permissions do not mind files that are missing here", async () => {
  await using it = await makeFolder();
  await it.write(
    `listeners: [{ listen: "127.0.0.1:1", pool: p }]\n${POOLS}log: { file: gone/s.log }\nadmin: { listen: "127.0.0.1:${refusedPort()}" }\n`,
  );
  const printed = await sockbal("--role", "balancer", "--config", it.file, "--print-permissions");
  assert.deepEqual([printed.status, printed.stderr], [0, ""]);
  const asked = await sockbal("--role", "balancer", "--config", it.file, "--status");
  assert.match(asked.stderr, /no balancer answers there/);
});

Deno.test({
  name:
    `--check tells of certificates and keys, as far as the printed permissions let it read them${noOpenssl.why}`,
  ignore: noOpenssl.ignore,
  fn: async () => {
    await using it = await makeFolder();
    const { cert, key } = await makeCertificate(it.path, "a", { days: 5 });
    const pair = "{ cert: a.pem, key: a.key }";
    await it.write(
      `listeners: [{ listen: "127.0.0.1:2", pool: p, tls: { certificates: [${pair}] } }]\n${POOLS}`,
    );
    const printed = await sockbal("--role", "balancer", "--config", it.file, "--print-permissions");
    assert.deepEqual([printed.status, printed.stderr], [0, ""]);
    const permissions = printed.stdout.trim().split(" ");
    assert.ok(
      permissions.some((flag) => flag.startsWith("--allow-read=") && flag.includes(`${cert},${key}`)),
    );
    const check = async (flags: readonly string[]): Promise<[number, string, string]> => {
      const command = [...sockbalWith(flags), "--role", "balancer", "--config", it.file, "--check"];
      const { status, stdout, stderr } = await runCommand(command);
      return [status, stdout, stderr];
    };
    const [status, stdout, stderr] = await check(permissions);
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(
      stdout,
      /:1:77 listeners\[0\]\.tls\.certificates\[0\]\.cert: note: \S+a\.pem: expires in 4 days, on /,
    );
    assert.match(stdout, /: ok \(1 listener, 1 pool, 1 backend\)\n$/);
    const narrower = permissions.map((flag) => flag.replace(`,${key}`, ""));
    assert.deepEqual(await check(narrower), [
      2,
      "",
      `${it.file}:1:89 listeners[0].tls.certificates[0].key: ${key}: ` +
      `sockbal was started without permission to read it (--allow-read=${key})\n`,
    ]);
  },
});

for (const path of ["-", "/dev/stdin", "/dev/fd/0"]) {
  Deno.test(`--config ${path} reads stdin, for a check and for a start`, async () => {
    const input = new TextEncoder().encode(`listeners: [{ listen: "127.0.0.1:0", pool: p }]\n${POOLS}`);
    const command = [...SOCKBAL, "--role", "balancer", "--config", path];
    const check = await runCommand([...command, "--check"], { input });
    assert.deepEqual([check.status, check.stdout, check.stderr], [
      0,
      "stdin: ok (1 listener, 1 pool, 1 backend)\n",
      "",
    ]);
    const wrong = await runCommand([...command, "--check"], {
      input: new TextEncoder().encode("workers: 0\n"),
    });
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /^stdin:1:10 workers: /m);

    await using balancer = new RunningCommand(command, { input });
    await balancer.sees(/ ready /);
    balancer.kill("SIGHUP");
    await balancer.sees(/ reload_failed .*no configuration file to read again/);
    balancer.kill("SIGTERM");
    assert.equal((await balancer.finished).status, 0);
  });
}

Deno.test("a configuration from a named pipe is read once, and a reload does not wait for it", async () => {
  await using it = await makeFolder();
  const pipe = join(it.path, "pipe");
  assert.equal((await new Deno.Command("mkfifo", { args: [pipe] }).output()).code, 0);
  await using balancer = startSockbal("--role", "balancer", "--config", pipe);
  await Deno.writeTextFile(pipe, `listeners: [{ listen: "127.0.0.1:0", pool: p }]\n${POOLS}`);
  await balancer.sees(/ ready /);
  balancer.kill("SIGHUP");
  await balancer.sees(/ reload_failed .*no configuration file to read again/);
});

Deno.test("--watch says so when there is no file to look at", async () => {
  const { status, stderr } = await sockbal("--role", "balancer", "--listen", "127.0.0.1:0", "--watch");
  assert.deepEqual([status, stderr], [
    2,
    "sockbal: --watch needs a configuration file to look at; there is only the command line\n",
  ]);
  const piped = await runCommand([...SOCKBAL, "--role", "balancer", "--config", "-", "--watch"], {
    input: new TextEncoder().encode(`listeners: [{ listen: "127.0.0.1:0", pool: p }]\n${POOLS}`),
  });
  assert.deepEqual([piped.status, piped.stderr], [
    2,
    "sockbal: --watch needs a configuration file to look at; there is only stdin\n",
  ]);
});

Deno.test("a process substitution, which the runtime cannot open, is refused with what to do instead", async () => {
  const { status, stderr } = await sockbal("--role", "balancer", "--config", "/dev/fd/63", "--check");
  assert.deepEqual([status, stderr], [
    2,
    "sockbal: /dev/fd/63: the runtime lets no program open it; send the configuration to stdin, with --config -\n",
  ]);
});

Deno.test("a reload to an admin address that is taken leaves the admin side where it was", async () => {
  await using it = await makeFolder();
  const head = `listeners: [{ listen: "127.0.0.1:0", pool: p }]\n${POOLS}`;
  await it.write(`${head}admin: { listen: "127.0.0.1:0" }\n`);
  await using balancer = startSockbal("--role", "balancer", "--config", it.file);
  const [, admin = ""] = await balancer.sees(/ admin_listening address=(\S+)/);
  await balancer.sees(/ ready /);
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await it.write(`${head}admin: { listen: "127.0.0.1:${taken.addr.port}" }\n`);
  balancer.kill("SIGHUP");
  await balancer.sees(new RegExp(` admin_failed .*in use.* remains=${admin}`));
  const answers = await fetch(`http://${admin}/healthz`);
  assert.equal(await answers.text(), "ok");

  const next = refusedPort();
  await it.write(`${head}admin: { listen: "127.0.0.1:${next}" }\n`);
  balancer.kill("SIGHUP");
  await balancer.sees(new RegExp(` admin_listening address=127\\.0\\.0\\.1:${next}\n`));
  assert.equal(await (await fetch(`http://127.0.0.1:${next}/healthz`)).text(), "ok");
  let isGone = false;
  await until(() => {
    void fetch(`http://${admin}/healthz`).then((it) => it.body?.cancel(), () => isGone = true);
    return isGone;
  }, "the old address is given up");
});

Deno.test("--check counts the listeners on UDP, and says what the engine runtime leaves to the system", async () => {
  const input = new TextEncoder().encode(
    `listeners: [{ listen: ":0", pool: p }, { listen: "udp::0", pool: q }]
pools: { p: { backends: ["127.0.0.1:1"] }, q: { backends: ["127.0.0.1:1"] } }
engine: runtime
`,
  );
  const { status, stdout } = await runCommand(
    [...SOCKBAL, "--role", "balancer", "--config", "-", "--check"],
    {
      input,
    },
  );
  assert.equal(status, 0);
  assert.match(
    stdout,
    /^stdin:1:50 listeners\[1\]\.listen: note: with the engine runtime the system .*\nstdin: ok \(2 listeners \(1 on UDP\), 2 pools, 2 backends\)\n$/,
  );
});

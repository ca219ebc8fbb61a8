// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The examples of the documents: each is run or read as it stands there. */

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { parseCommandLine } from "../lib/cli/command_line.ts";
import { parseConfig } from "../lib/config/parse.ts";
import { ALGORITHMS } from "../lib/config/pool_schema.ts";
import { configJsonSchema } from "../lib/config/schema.ts";
import { FAIL_WAYS, ORDERS } from "../lib/core/misbehaviour.ts";
import { END_REASONS } from "../lib/dataplane/record.ts";
import { failureOf } from "../lib/respond/chance.ts";
import { withAlgorithmsTable } from "../tools/algorithms_table.ts";
import { writeAll } from "../lib/core/connection.ts";
import { startMirror } from "./support/backend.ts";
import { ask, readAll } from "./support/bytes.ts";
import { runCommand, RunningCommand, SOCKBAL, sockbalOn } from "./support/command.ts";
import { onEachEngine } from "./support/engines.ts";

const root = new URL("../", import.meta.url);
const DOCUMENTS = [
  "README.md",
  "ARCHITECTURE.md",
  "docs/client.md",
  "docs/server.md",
  "docs/rehearsal.md",
  "docs/pools.md",
  "docs/sessions.md",
  "docs/discovery.md",
  "docs/configuration-in-etcd.md",
  "docs/fleet.md",
  "docs/tls.md",
  "docs/guarding.md",
  "docs/configuration.md",
  "docs/short-configurations.md",
  "docs/benchmarks.md",
  "docs/engines.md",
  "docs/udp.md",
  "docs/scale-out.md",
  "docs/upgrading.md",
];

/** Its YAML is of plans; tests/rehearsal/documents_test.ts reads it. */
const REHEARSAL = "docs/rehearsal.md";

/** Its sections have files, whose first line is their name, a command, and what it says. */
const SHORT = "docs/short-configurations.md";

interface Block {
  readonly language: string;
  readonly text: string;
}

async function blocks(document: string): Promise<Block[]> {
  return blocksOf(await Deno.readTextFile(new URL(document, root)));
}

function blocksOf(markdown: string): Block[] {
  const fences = markdown.matchAll(/^( *)```(\w*)\n([^]*?)^ *```$/gm);
  return [...fences].map(([, indent = "", language = "", text = ""]) => {
    return { language, text: text.replaceAll(new RegExp(`^${indent}`, "gm"), "") };
  });
}

async function taskNames(): Promise<string[]> {
  return Object.keys(JSON.parse(await Deno.readTextFile(new URL("deno.json", root))).tasks);
}

Deno.test("every command of the documents has flags that sockbal knows, or is a task", async () => {
  const tasks = await taskNames();
  let commands = 0;
  for (const document of DOCUMENTS) {
    for (const { text } of (await blocks(document)).filter((block) => block.language === "sh")) {
      for (const line of text.trim().split("\n")) {
        commands++;
        const task = /(?:deno|npx -y deno@2\.9\.6) task ([\w:]+)/.exec(line)?.[1];
        const args = /^(?:[A-Z]+=\S+ )*(?:sockbal|deno run .*(?:dist\/sockbal\.js|main\.ts)) (.*)$/.exec(line)
          ?.[1];
        if (task !== undefined) assert.ok(tasks.includes(task), line);
        else if (args !== undefined) {
          const [words = ""] = args.split(/ [<>] /);
          assert.notEqual(parseCommandLine(words.split(" "), "0").run, "show", line);
        } else {assert.match(
            line,
            /^(alias sockbal=|npm install -g dist\/npm\/sockbal-|apt-get install |curl |grep |openssl |ip address )/,
          );}
      }
    }
  }
  assert.ok(commands >= 10);
});

Deno.test("every task that the README names exists, and it names every one that makes a command", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", root));
  const tasks = await taskNames();
  const named = new Set([...readme.matchAll(/`deno task ([\w:]+)`/g)].map((match) => match[1] ?? ""));
  for (const name of named) assert.ok(tasks.includes(name), name);
  for (const name of ["compile", "compile:epoll", "install", "install:epoll", "bundle", "npm", "dev"]) {
    assert.ok(named.has(name), name);
  }
});

Deno.test("the alias of the README works in any folder, with files of that folder", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", root));
  const alias = /^alias sockbal=.*$/m.exec(readme)?.[0].replace("npx -y deno@2.9.6", `'${Deno.execPath()}'`);
  assert.ok(alias?.includes(Deno.execPath()));
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${folder}/mine.yaml`,
    'listeners: [{ listen: ":1", pool: p }]\npools: { p: { backends: [a:1] } }\n',
  );
  const script = [
    "shopt -s expand_aliases",
    `cd '${root.pathname}'`,
    alias,
    `cd '${folder}'`,
    "sockbal --role balancer --config mine.yaml --check",
  ];
  const { status, stdout, stderr } = await runCommand(["bash", "-c", script.join("\n")]);
  assert.deepEqual([status, stdout, stderr], [0, "mine.yaml: ok (1 listener, 1 pool, 1 backend)\n", ""]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the unit, the logrotate lines and the document speak of the same folders and user", async () => {
  const [operations, unit, rotate] = await Promise.all(
    ["docs/operations.md", "packaging/systemd/sockbal.service", "packaging/logrotate/sockbal"]
      .map((path) => Deno.readTextFile(new URL(path, root))),
  ) as [string, string, string];
  const value = (key: string): string => new RegExp(`^${key}=(.*)$`, "m").exec(unit)?.[1] ?? "";
  const folder = `/var/log/${value("LogsDirectory")}`;
  assert.match(rotate, new RegExp(`^${folder}/\\*\\.log \\{$`, "m"));
  assert.ok(operations.includes(`log: { file: ${folder}/`));
  assert.ok(operations.includes(`unix:/run/${value("RuntimeDirectory")}/`));
  assert.ok(operations.includes(`state_file: /var/lib/${value("StateDirectory")}/`));
  assert.match(rotate, new RegExp(`^ {2}su ${value("User")} ${value("User")}$`, "m"));
  assert.match(rotate, /^ {2}nocreate$/m);
  assert.match(rotate, /systemctl kill .*--signal=SIGUSR2 sockbal\.service/);
  assert.match(operations, new RegExp(`^useradd .* ${value("User")}$`, "m"));
  for (const key of ["ExecStart", "ExecReload"]) {
    assert.equal(parseCommandLine(value(key).split(" ").slice(1), "0").run, "balancer");
  }
});

Deno.test("every configuration of the documents is accepted", async () => {
  let configurations = 0;
  // The files of that one are read as the whole that they are, below.
  for (const document of DOCUMENTS.filter((it) => it !== SHORT && it !== REHEARSAL)) {
    for (const { text } of (await blocks(document)).filter((block) => block.language === "yaml")) {
      parseConfig(text, document);
      configurations++;
    }
  }
  assert.ok(configurations >= 1);
});

Deno.test("every example of short configurations does what the document says", async () => {
  const sections = (await Deno.readTextFile(new URL(SHORT, root))).split(/^## /m).slice(1).map(blocksOf);
  let files = 0;
  for (const section of sections.filter((blocks) => blocks.some(({ language }) => language === "yaml"))) {
    const folder = await Deno.makeTempDir();
    for (const { text } of section.filter(({ language }) => language === "yaml")) {
      const [, name = ""] = /^# (\S+\.yaml)\n/.exec(text) ?? [];
      await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
      await Deno.writeTextFile(join(folder, name), text);
      files++;
    }
    const { text: command = "sockbal --role balancer --config balancer.yaml --check" } =
      section.find(({ language }) => language === "sh") ?? {};
    const [, variables = "", args = ""] = /^((?:[A-Z]+=\S+ )*)sockbal (.*)/.exec(command) ?? [];
    const env = Object.fromEntries(variables.trim().split(" ").filter(Boolean).map((it) => it.split("=")));
    const { status, stdout, stderr } = await runCommand([...SOCKBAL, ...args.split(" ")], {
      cwd: folder,
      env,
    });
    assert.deepEqual([status, stderr], [0, ""]);
    const said = section.find(({ text }) => text.includes(": ok ("));
    if (said !== undefined) assert.equal(stdout, said.text);
    await Deno.remove(folder, { recursive: true });
  }
  assert.equal(files, 8);
});

/** Sends back what the one client sends that connects to a path. */
async function mirrorOnce(path: string): Promise<void> {
  using listener = Deno.listen({ transport: "unix", path });
  using conn = await listener.accept();
  await writeAll(conn, await readAll(conn));
}

onEachEngine("the configurations of docs/guarding.md serve a client, as they stand there", async (engine) => {
  const configurations = (await blocks("docs/guarding.md")).filter(({ language }) => language === "yaml");
  assert.ok(configurations.length >= 5);
  await using mirror = startMirror();
  for (const { text } of configurations) {
    const folder = await Deno.makeTempDir();
    const yaml = text.replaceAll("/run/sockbal", folder)
      .replace("listen: :443", "listen: 127.0.0.1:0")
      .replace("127.0.0.1:8001", mirror.address)
      .replace("allow: [10.0.0.0/8,", "allow: [127.0.0.0/8,")
      .replace("group: 33", `group: ${Deno.gid()}`)
      .replace(/ {4}health_check: .*\n/, "");
    const backend = yaml.includes("app.sock") ? mirrorOnce(`${folder}/app.sock`) : undefined;
    await Deno.writeTextFile(`${folder}/b.yaml`, yaml);
    const command = [...sockbalOn(engine), "--role", "balancer", "--config", `${folder}/b.yaml`];
    await using balancer = new RunningCommand([...command, "--workers", "1"]);
    const [, where = ""] = await balancer.sees(/ listening address=(\S+)/);
    await balancer.sees(/ ready /);
    const path = /^unix:(.*)/.exec(where)?.[1];
    using conn = path === undefined
      ? await Deno.connect({ hostname: "127.0.0.1", port: Number(where.split(":").at(-1)) })
      : await Deno.connect({ transport: "unix", path });
    await writeAll(conn, new TextEncoder().encode(text));
    await conn.closeWrite();
    assert.equal(new TextDecoder().decode(await readAll(conn)), text);
    await backend;
    if (text.includes("admin.sock")) {
      assert.equal(((await Deno.lstat(`${folder}/admin.sock`)).mode ?? 0) & 0o777, 0o660);
    }
    balancer.kill("SIGTERM");
    assert.equal((await balancer.finished).status, 0);
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("every end reason is explained, and none that does not exist", async () => {
  const text = await Deno.readTextFile(new URL("docs/sessions.md", root));
  const table = text.slice(text.search(/^\| `end` +\| Meaning/m), text.indexOf("## Other records"));
  const explained = [...table.matchAll(/^\| `(\w+)` +\| (?!Meaning)/gm)].map((match) => match[1]);
  assert.deepEqual(explained, [...END_REASONS]);
});

Deno.test("docs/server.md explains every way to fail and every line, and its counts are those of its seeds", async () => {
  const text = await Deno.readTextFile(new URL("docs/server.md", root));
  const [, misbehaviour = ""] = text.split("## Misbehaviour, on purpose");
  const ways = [...misbehaviour.matchAll(/^\| `([a-z-]+)` +\| [^|]+\| [^|]+\|$/gm)].map(([, way]) => way);
  assert.deepEqual(ways.filter((way) => FAIL_WAYS.some((it) => it === way)), [...FAIL_WAYS]);
  for (const order of ORDERS) assert.match(text, new RegExp(`\`${order}\\b`), order);
  const failing = (connections: number, failRate: number, seed: number): number[] => {
    return Array.from({ length: connections }, (_, i) => i + 1)
      .filter((it) => failureOf(it, { failRate, failHow: "reset", seed }) !== undefined);
  };
  assert.ok(text.includes(`they are ${failing(40, 0.2, 1).join(", ")} and\nso on`));
  const failed = failing(1_000, 0.1, 7).length;
  assert.ok(text.includes(`errors     ${failed}: reset ${failed}\n`));
});

Deno.test("the table that compares the algorithms shows what they do", async () => {
  const written = await Deno.readTextFile(new URL("docs/pools.md", root));
  assert.ok(written === withAlgorithmsTable(written), "run `deno task docs`");
  for (const name of ALGORITHMS) {
    assert.equal(written.match(new RegExp(`^\\| \`${name}\` `, "gm"))?.length, 2, name);
  }
});

/** The part of a JSON Schema that says which keys there are. */
interface Keys {
  readonly properties?: Readonly<Record<string, Keys>>;
  readonly additionalProperties?: Keys;
  readonly items?: Keys;
  readonly anyOf?: readonly Keys[];
}

function keysOf(schema: Keys | undefined): string[] {
  if (schema === undefined) return [];
  const { properties = {}, additionalProperties, items, anyOf = [] } = schema;
  const inner = [...Object.values(properties), additionalProperties, items, ...anyOf];
  return [...Object.keys(properties), ...inner.flatMap(keysOf)];
}

Deno.test("every key of a pool is spoken of where pools are explained", async () => {
  const texts = ["docs/pools.md", "docs/discovery.md"].map((it) => Deno.readTextFile(new URL(it, root)));
  const text = (await Promise.all(texts)).join("\n");
  const keys = keysOf((configJsonSchema() as Keys).properties?.pools);
  assert.ok(keys.includes("max_ejected_percent"));
  for (const key of keys) assert.match(text, new RegExp(`\\b${key}\\b`), key);
});

Deno.test("links between the documents lead somewhere", async () => {
  for (const document of DOCUMENTS) {
    const from = new URL(document, root);
    for (const [, link = ""] of (await Deno.readTextFile(from)).matchAll(/\]\(([^)#:]+)\)/g)) {
      assert.ok((await Deno.stat(new URL(link, from))).isFile, `${document}: ${link}`);
    }
  }
});

/** The demo listens where the sample does; somebody may be using it at this moment. */
const DEMO_PORTS = [5678, 8001, 8002, 8003];
const takenPort = DEMO_PORTS.find((port) => {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return false;
  } catch {
    return true;
  }
});
const skipped = takenPort === undefined
  ? ""
  : ` (skipped: port ${takenPort} is in use here; stop what uses it)`;

Deno.test({
  name: `the demo shows what its picture shows, answers TCP and HTTP, and names a port in use${skipped}`,
  ignore: takenPort !== undefined,
  fn: async () => {
    const demo = (): RunningCommand => {
      return new RunningCommand([Deno.execPath(), "task", "--quiet", "demo"], { cwd: root.pathname });
    };
    await using running = demo();
    await running.sees(/Ctrl-C stops it\.\n/, "stdout");

    const byHttp = await ask(5678, new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert.match(new TextDecoder().decode(byHttp), /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nserver 1\n$/);
    assert.equal(new TextDecoder().decode(await ask(5678, new TextEncoder().encode("hi\n"))), "server 2\n");

    const second = await demo().finished;
    assert.equal(second.status, 1);
    assert.match(
      second.stderr,
      /sockbal: cannot listen on 127\.0\.0\.1:8001: port 8001 is in use, by another program or by another listener\n/,
    );

    running.kill("SIGTERM");
    const { status, stdout } = await running.finished;
    assert.equal(status, 0);
    const picture = await Deno.readTextFile(new URL("docs/demo.svg", root));
    const [, ...shown] = [...picture.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map((match) => match[1] ?? "");
    const lines = stdout.split("\n").filter((line) => line !== "");
    assert.deepEqual(shown, lines.slice(0, shown.length));
  },
});

/** How the balancer of the demo finds its second backend, as the page shows it. */
async function stateOfSecond(): Promise<string> {
  const response = await fetch("http://127.0.0.1:9901/api/status");
  const { pools } = await response.json() as { pools: { backends: { address: string; state: string }[] }[] };
  return pools[0]?.backends.find(({ address }) => address === "127.0.0.1:8002")?.state ?? "";
}

Deno.test({
  name: `the demo with --chaos has a backend that fails, which the page shows, and all are served${skipped}`,
  ignore: takenPort !== undefined,
  fn: async () => {
    const command = [Deno.execPath(), "task", "--quiet", "demo", "--chaos"];
    await using demo = new RunningCommand(command, { cwd: root.pathname });
    await demo.sees(/server 2 is gone: connections are refused\n/, "stdout");
    await demo.sees(/backend_down pool=web backend=127\.0\.0\.1:8002 reason="connection refused"\n/);
    assert.equal(await stateOfSecond(), "down");
    for (let i = 0; i < 4; i++) {
      assert.match(
        new TextDecoder().decode(await ask(5678, new TextEncoder().encode("hi\n"))),
        /^server [13]\n$/,
      );
    }
    demo.kill("SIGTERM");
    const { status, stderr } = await demo.finished;
    assert.deepEqual([status, stderr.match(/backend_down/g)?.length], [0, 1]);
  },
});

Deno.test("the help of every role fits a terminal of 100 columns", async () => {
  for (
    const args of [["--help"], ...["server", "client", "balancer"].map((role) => ["--role", role, "--help"])]
  ) {
    const { status, stdout } = await runCommand(
      [Deno.execPath(), "run", "--no-prompt", "main.ts", ...args],
      { cwd: root.pathname },
    );
    assert.equal(status, 0);
    for (const line of stdout.split("\n")) assert.ok(line.length <= 100, line);
  }
});

Deno.test({
  name: `deno task dev restarts the demo when the source changes, and ends at Ctrl-C${skipped}`,
  ignore: takenPort !== undefined,
  fn: async () => {
    const copy = await Deno.makeTempDir();
    for (const part of ["main.ts", "deno.json", "deno.lock", "balancer.yaml", "lib"]) {
      await runCommand(["cp", "-r", new URL(part, root).pathname, copy]);
    }
    await using dev = new RunningCommand([Deno.execPath(), "task", "--quiet", "dev"], { cwd: copy });
    await dev.sees(/Ctrl-C stops it\./, "stdout");
    const source = `${copy}/lib/roles/demo.ts`;
    await Deno.writeTextFile(
      source,
      (await Deno.readTextFile(source)).replace("It stays up.", "It was changed."),
    );
    await dev.sees(/It was changed\.[^]*Ctrl-C stops it\./, "stdout");
    dev.kill("SIGINT");
    const { stderr } = await dev.finished;
    assert.doesNotMatch(stderr, /fault|Uncaught/);
    await Deno.remove(copy, { recursive: true });
  },
});

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The examples of docs/discovery.md, with real sources: addresses alone are changed to those of the test. */

import assert from "node:assert/strict";
import { parseDialAddress } from "../../lib/core/address.ts";
import { startNamedBackend, visit } from "../support/backend.ts";
import { runCommand, type RunningCommand, startSockbal } from "../support/command.ts";
import { ETCD, Etcd } from "../support/etcd.ts";
import { DNSMASQ, NameServer } from "../support/name_server.ts";
import { type Found, skipWithout } from "../support/packages.ts";
import { refusedPort } from "../support/ports.ts";

const root = new URL("../../", import.meta.url);
const text = await Deno.readTextFile(new URL("docs/discovery.md", root));

/** The first block of a language under a heading. */
function example(heading: string, language = "yaml"): string {
  const section = text.slice(text.indexOf(`\n## ${heading}\n`));
  return new RegExp(`\n\`\`\`${language}\n([^]*?)\`\`\``).exec(section)?.[1] ??
    assert.fail(`no ${language} under ${heading}`);
}

/** A balancer with a configuration of the document, whose listener has a free port. */
async function withBalancer(
  config: string,
  test: (port: number, balancer: RunningCommand, folder: string) => Promise<void>,
  files: Record<string, string> = {},
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const port = refusedPort();
  for (const [name, content] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, content);
  const file = `${folder}/balancer.yaml`;
  await Deno.writeTextFile(file, `${config.replace("127.0.0.1:5678", `127.0.0.1:${port}`)}\nworkers: 1\n`);
  {
    await using balancer = startSockbal("--role", "balancer", "--config", file);
    await balancer.sees(/ ready /);
    await test(port, balancer, folder);
  }
  await Deno.remove(folder, { recursive: true });
}

async function answers(port: number, ...names: string[]): Promise<void> {
  const wanted = [...names].sort().join();
  for (let tries = 0; tries < 200; tries++) {
    const seen = new Set([await visit(port), await visit(port), await visit(port), await visit(port)]);
    if ([...seen].sort().join() === wanted) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`${wanted} never answered`);
}

function testExample(sentence: string, needs: readonly Found[], fn: () => Promise<void>): void {
  const { ignore, why } = skipWithout(...needs);
  Deno.test({ name: `docs/discovery.md: ${sentence}${why}`, ignore, fn });
}

function portOf(address: string): number {
  const parsed = parseDialAddress(address);
  return parsed.transport === "tcp" ? parsed.port : 0;
}

for (const heading of ["DNS", "Backends that come and go"]) {
  testExample(`backends of a name (${heading})`, [DNSMASQ], async () => {
    await using a = startNamedBackend("a");
    await using server = new NameServer();
    await server.serve(["host-record=api.internal,127.0.0.1,1"]);
    const section = heading === "DNS" ? example("DNS") : /```yaml\n([^]*?)```/.exec(text)?.[1] ?? "";
    const config = section
      .replace("10.0.0.53", `127.0.0.1:${server.port}`)
      .replace("port: 8080", `port: ${portOf(a.member.address)}`)
      .replace("10.0.0.0/8:8080", "127.0.0.0/8");
    await withBalancer(config, (port) => answers(port, "a"));
  });
}

testExample("targets of a service", [DNSMASQ], async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using server = new NameServer();
  await server.serve([
    `srv-host=_db._tcp.internal,one.internal,${portOf(a.member.address)},1,1`,
    `srv-host=_db._tcp.internal,two.internal,${portOf(b.member.address)},2,1`,
    "host-record=one.internal,127.0.0.1,1",
    "host-record=two.internal,127.0.0.1,1",
  ]);
  const config = example("Services of DNS").replace("10.0.0.53", `127.0.0.1:${server.port}`);
  await withBalancer(config, async (port) => {
    await answers(port, "a");
    await a.goDown();
    await answers(port, "b");
  });
});

testExample("a list in a file", [], async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  const list = example("A file", "members").replace("127.0.0.1:8001", a.member.address)
    .replace("127.0.0.1:8002", b.member.address);
  await withBalancer(example("A file"), async (port, balancer, folder) => {
    await answers(port, "a", "b");
    await Deno.writeTextFile(
      `${folder}/members.yaml.new`,
      `${list.split("\n")[1]?.replace("weight", "wieght")}\n`,
    );
    await Deno.rename(`${folder}/members.yaml.new`, `${folder}/members.yaml`);
    await balancer.sees(/ discovery_failed pool=web .*unknown key \\"wieght\\"/);
    await answers(port, "a", "b");
    await Deno.writeTextFile(`${folder}/members.yaml`, `${list.split("\n")[0]}\n`);
    await answers(port, "a");
  }, { "members.yaml": list });
});

testExample("a list of a server", [], async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  const [, list = ""] = /`(\["10\.0\.0\.1:80".*?\])`/.exec(text) ?? [];
  const members = list.replace("10.0.0.1:80", a.member.address).replace("10.0.0.2:80", b.member.address);
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    return new Response(members, { headers: { etag: '"1"' } });
  });
  const config = example("HTTP").replace("10.0.0.9:8500", `127.0.0.1:${server.addr.port}`);
  await withBalancer(config, (port) => answers(port, "a", "b"));
});

const ETCDCTL = { path: "/usr/bin/etcdctl" };

testExample("keys of etcd, as etcdctl puts and deletes them", [ETCD], async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using etcd = new Etcd();
  await etcd.start();
  const config = example("etcd").replace("http://10.0.0.5:2379", `http://127.0.0.1:${refusedPort()}`)
    .replace("http://10.0.0.6:2379", etcd.endpoint);
  const commands = example("etcd", "etcd").replace("127.0.0.1:8001", a.member.address)
    .replace("127.0.0.1:8002", b.member.address).trim().split("\n");
  const etcdctl = async (command = ""): Promise<void> => {
    const [, verb = "", key = "", value] = /^etcdctl (\w+) (\S+)(?: '?(.*?)'?)?$/.exec(command) ?? [];
    const hasTool = await Deno.stat(ETCDCTL.path).then(() => true, () => false);
    if (!hasTool) return await (verb === "put" ? etcd.put(key, value ?? "") : etcd.delete(key));
    const args = [
      "etcdctl",
      `--endpoints=${etcd.endpoint}`,
      verb,
      key,
      ...(value === undefined ? [] : [value]),
    ];
    const { status, stderr } = await runCommand(args, { env: { ETCDCTL_API: "3" } });
    assert.equal(status, 0, stderr);
  };
  await withBalancer(config, async (port) => {
    await etcdctl(commands[0]);
    await answers(port, "a");
    await etcdctl(commands[1]);
    await answers(port, "a", "b");
    await etcdctl(commands[2]);
    await answers(port, "b");
  });
});

testExample("the operator adds a backend, and it is kept over a restart", [], async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  const admin = refusedPort();
  const [put = "", remove = ""] = example("Backends that the operator adds", "sh").trim().split("\n");
  const config = example("Over a restart")
    .replace(', "127.0.0.1:8002"', "").replace("127.0.0.1:8001", a.member.address).replace(
      "9901",
      String(admin),
    );
  const curl = async (command: string): Promise<string> => {
    const line = command.replace("127.0.0.1:8003", b.member.address).replace("9901", String(admin));
    const { stdout } = await runCommand(["sh", "-c", line.replace("curl", "curl -s")]);
    return stdout;
  };
  let state = "";
  await withBalancer(config, async (port, balancer, folder) => {
    await answers(port, "a");
    assert.match(await curl(put), /third: added/);
    await answers(port, "a", "b");
    balancer.kill("SIGTERM");
    await balancer.finished;
    state = await Deno.readTextFile(`${folder}/state.json`);
  });
  await withBalancer(config, async (port) => {
    await answers(port, "a", "b");
    assert.match(await curl(remove), /third: removed/);
    await answers(port, "a");
  }, { "state.json": state });
});

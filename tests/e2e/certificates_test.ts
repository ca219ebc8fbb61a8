// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Certificates of the real program: renewed on disk, refused when they are broken, shown, and never with a part of a key. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import type { Status } from "../../lib/admin/status.ts";
import { startBackend, startNamedBackend } from "../support/backend.ts";
import {
  type CertificateFiles,
  makeCertificate,
  noOpenssl,
  openssl,
  opensslPath,
  OTHER_KEY_KINDS,
} from "../support/certificates.ts";
import { runCommand, RunningCommand, SOCKBAL, sockbal, sockbalOn, sockbalWith } from "../support/command.ts";
import { ENGINES } from "../support/engines.ts";
import { refusedPort } from "../support/ports.ts";
import { connectTls } from "../support/tls_client.ts";

/** The shortest piece of a key that is looked for, in letters of base64: 96 bits. */
const PIECE_CHARS = 16;

/** A folder with a configuration, and all keys that were ever in it. */
class Folder implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync();
  readonly config = join(this.path, "balancer.yaml");
  readonly ports = { web: refusedPort(), admin: refusedPort() };
  readonly #keys: string[] = [];
  #serial = 0;

  at(name: string): string {
    return join(this.path, name);
  }

  /** A new pair, beside those in use. */
  async make(subject: string, days = 365): Promise<CertificateFiles> {
    const files = await makeCertificate(this.path, `made${++this.#serial}`, {
      subject: `/CN=${subject}`,
      names: [`${subject}.example`],
      days,
    });
    this.#keys.push(await Deno.readTextFile(files.key));
    return files;
  }

  /** Puts a pair in the place of another, each file in one step. */
  async put(name: string, files: CertificateFiles): Promise<void> {
    await Deno.rename(files.cert, this.at(`${name}.pem`));
    await Deno.rename(files.key, this.at(`${name}.key`));
  }

  async writeConfig(backend: string): Promise<void> {
    await Deno.writeTextFile(
      this.config,
      `listeners:
  - name: web
    listen: 127.0.0.1:${this.ports.web}
    pool: web
    tls:
      certificates:
        - { cert: web.pem, key: web.key }
        - { cert: live/cert.pem, key: live/key.pem }
pools: { web: { backends: [${backend}], tls: { verify: false, cert: client.pem, key: client.key } } }
admin: { listen: 127.0.0.1:${this.ports.admin} }
log: { level: debug }
workers: 1
`,
    );
  }

  /** What certbot has: links that it sets to the files of the next renewal. */
  async putLinked(files: CertificateFiles): Promise<void> {
    await Deno.mkdir(this.at("live"), { recursive: true });
    for (const [kind, file] of [["cert", files.cert], ["key", files.key]] as const) {
      await Deno.symlink(`../${file.slice(this.path.length + 1)}`, this.at("live/new"));
      await Deno.rename(this.at("live/new"), this.at(`live/${kind}.pem`));
    }
  }

  /** Fails when a text has a part of any key, as it stands in its file. */
  checkHasNoKey(text: string, where: string): void {
    assert.ok(!text.includes("PRIVATE KEY"), where);
    for (const key of this.#keys) {
      const body = key.replace(/-----[^-]+-----|\s/g, "");
      assert.ok(body.length > PIECE_CHARS);
      // The beginning of every key of this kind is the same, and says nothing.
      for (let i = 48; i + PIECE_CHARS <= body.length; i++) {
        assert.ok(!text.includes(body.slice(i, i + PIECE_CHARS)), `a part of a key in ${where}`);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}${noOpenssl.why}`, ignore: noOpenssl.ignore, fn });
}

for (const engine of ENGINES) {
  test(`certificates are renewed without a reload, refused when they are broken, and no key is shown (${engine})`, async () => {
    await using folder = new Folder();
    await using backend = startNamedBackend("a");
    await folder.put("web", await folder.make("web1"));
    await folder.put("client", await folder.make("client1"));
    await folder.putLinked(await folder.make("linked1", 9));
    await folder.writeConfig(backend.member.address);
    await using balancer = new RunningCommand([
      ...sockbalOn(engine),
      ...["--role", "balancer", "--config", folder.config, "--log-format", "json"],
    ]);
    await balancer.sees(/"event":"ready"/);
    await balancer.sees(/live\/cert\.pem: expires in 8 days/);
    const admin = `http://127.0.0.1:${folder.ports.admin}`;
    const ask = async (path: string, init?: RequestInit): Promise<string> =>
      await (await fetch(`${admin}${path}`, init)).text();
    const subjects = async (): Promise<[string, string][]> => {
      const { listeners, pools } = JSON.parse(await ask("/api/status")) as Status;
      return [...listeners, ...pools].flatMap(({ certificates }) =>
        certificates.map(({ subject, state }) => [subject, state] as [string, string])
      );
    };
    assert.deepEqual(await subjects(), [["CN=web1", "valid"], ["CN=linked1", "expires_soon"], [
      "CN=client1",
      "valid",
    ]]);
    const renewed = async (...names: string[]): Promise<void> => {
      const list = names.map((it) => `"CN=${it}"`).join(",");
      await balancer.sees(new RegExp(`"event":"keys_renewed","certificates":\\[${list}\\]`));
    };

    // The certificate comes first, and its key half a second later.
    const second = await folder.make("web2");
    await Deno.rename(second.cert, folder.at("web.pem"));
    await new Promise((resolve) => setTimeout(resolve, 500));
    await Deno.rename(second.key, folder.at("web.key"));
    await renewed("web2");
    await folder.putLinked(await folder.make("linked2"));
    await renewed("linked2");
    await folder.put("client", await folder.make("client2"));
    await renewed("client2");
    assert.deepEqual(await subjects(), [["CN=web2", "valid"], ["CN=linked2", "valid"], [
      "CN=client2",
      "valid",
    ]]);

    // A key of another certificate, written in place.
    const other = await folder.make("other");
    await Deno.copyFile(other.key, folder.at("web.key"));
    const sentence = `${folder.at("web.key")}: is not the key of the certificate \\"CN=web2\\"`;
    await balancer.sees(new RegExp(`"event":"keys_not_renewed","reason":"${RegExp.escape(sentence)}"`));
    const refused = await fetch(`${admin}/api/reload`, { method: "POST" });
    assert.equal(refused.ok, false);
    const faults = await refused.text();
    assert.match(faults, /web\.key: is not the key of the certificate/);
    assert.deepEqual((await subjects())[0], ["CN=web2", "valid"]);

    // A reload reads them as well, before their files are looked at.
    await folder.put("web", await folder.make("web3"));
    assert.match(await ask("/api/reload", { method: "POST" }), /is in force/);
    assert.deepEqual((await subjects())[0], ["CN=web3", "valid"]);
    await folder.put("web", await folder.make("web4"));
    await renewed("web4");

    for (const path of ["/", "/api/status", "/api/config", "/api/sessions", "/metrics"]) {
      folder.checkHasNoKey(await ask(path), path);
    }
    folder.checkHasNoKey(await firstEvents(`${admin}/api/events`), "/api/events");
    folder.checkHasNoKey(faults, "the answer to a reload");
    assert.match(
      await ask("/metrics"),
      /^sockbal_certificate_expiry_timestamp_seconds\{pool="web",subject="CN=client2"\} \d+$/m,
    );
    const table = await sockbal("--role", "balancer", "--status", "--admin", admin.slice("http://".length));
    assert.match(table.stdout, /\n {2}certificate expires in 364 days, on [\d-]+: "CN=(web4|linked2)"\n/);
    balancer.kill("SIGTERM");
    const { stderr, stdout } = await balancer.finished;
    folder.checkHasNoKey(stderr + stdout + table.stdout + table.stderr, "the log");
    const told = stderr.split("\n").filter((line) => line.includes('"event":"keys_renewed"'));
    assert.equal(told.length, 4, told.join("\n"));
  });
}

/** The subject of the certificate that openssl is shown, which says which name it asks for. */
async function shownToOpenssl(port: number, name: string): Promise<string> {
  const { stdout } = await runCommand([
    ...[opensslPath(), "s_client", "-connect", `127.0.0.1:${port}`, "-servername", name],
  ]);
  return /^subject=(.*)$/m.exec(stdout)?.[1] ?? "";
}

for (const engine of ENGINES) {
  test(`a new certificate is shown to those who come after it, and sessions that are open go on (${engine})`, async () => {
    await using folder = new Folder();
    const backend = startBackend(async (conn) => {
      await conn.readable.pipeTo(conn.writable);
    });
    await folder.put("web", await folder.make("web1"));
    await folder.put("client", await folder.make("client1"));
    await folder.putLinked(await folder.make("linked1"));
    await folder.writeConfig(backend.address);
    // The backend of this test speaks no TLS.
    const text = (await Deno.readTextFile(folder.config)).replace(/, tls: \{ verify[^}]*\}/, "");
    await Deno.writeTextFile(folder.config, text);
    await using balancer = new RunningCommand([
      ...sockbalOn(engine),
      ...["--role", "balancer", "--config", folder.config],
    ]);
    await balancer.sees(/ ready /);
    const { web: port } = folder.ports;
    const says = async (socket: TLSSocket, word: string): Promise<void> => {
      socket.write(word);
      const [answer] = await once(socket, "data");
      assert.equal(String(answer), word);
    };
    const before = await connectTls(port, { servername: "web1.example" });
    await says(before, "before");
    assert.equal(await shownToOpenssl(port, "web1.example"), "CN = web1");
    assert.equal(await shownToOpenssl(port, "linked1.example"), "CN = linked1");
    await folder.put("web", await folder.make("web2"));
    await balancer.sees(/keys_renewed certificates="?CN=web2/);
    assert.equal(await shownToOpenssl(port, "web1.example"), "CN = web2");
    assert.equal(await shownToOpenssl(port, "linked1.example"), "CN = linked1");
    await says(before, "and on");
    const after = await connectTls(port, { servername: "web2.example" });
    await says(after, "after");
    for (const socket of [before, after]) {
      socket.destroy();
      await once(socket, "close");
    }
    balancer.kill("SIGTERM");
    const { stderr } = await balancer.finished;
    folder.checkHasNoKey(stderr, "the log");
    await backend.stop();
  });
}

/** What the stream of events begins with: what has happened so far. */
async function firstEvents(url: string): Promise<string> {
  const response = await fetch(url);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("event: summary")) {
    const { value, done } = await reader?.read() ?? { done: true };
    if (done) break;
    text += value;
  }
  await reader?.cancel();
  return text;
}

test("a certificate that has expired, or is not that of its key, is refused by a check and by a start, with a sentence", async () => {
  await using folder = new Folder();
  await folder.put("web", await folder.make("web"));
  await folder.put("client", await folder.make("client"));
  const expired = await folder.make("expired");
  const days = ["-days", "-1", "-out", folder.at("expired.pem")];
  await openssl("x509", "-in", expired.cert, "-signkey", expired.key, ...days);
  await Deno.rename(folder.at("expired.pem"), expired.cert);
  await folder.putLinked(expired);
  await folder.writeConfig("127.0.0.1:1");
  for (const how of [["--check"], []]) {
    const { status, stderr } = await sockbal("--role", "balancer", "--config", folder.config, ...how);
    assert.equal(status, 2);
    assert.match(
      stderr,
      /listeners\[0\]\.tls\.certificates\[1\]\.cert: .*cert\.pem: expired (1 day|\d+ hours) ago, on /,
    );
    folder.checkHasNoKey(stderr, "the faults");
  }
});

test("a client notes that others may use its key, and a server and a client say with which key TLS cannot be opened", async () => {
  await using folder = new Folder();
  const { cert, key } = await folder.make("client");
  await Deno.chmod(key, 0o644);
  const connect = ["--role", "client", "--connect", `127.0.0.1:${folder.ports.web}`, "--message", "x"];
  const { status, stderr } = await sockbal(...connect, "--tls", "--cert", cert, "--key", key);
  assert.equal(status, 1);
  assert.match(stderr, / warn {2}config_note note="\S+: its mode is 0644, /);
  await makeCertificate(folder.path, "web", { kind: OTHER_KEY_KINDS["RSA of 1024 bits"] ?? [] });
  const sentence = `${
    folder.at("web.key")
  }: its private key is RSA of 1024 bits, with which TLS cannot be opened here; `;
  const pair = ["web.pem", "web.key"].map((it) => folder.at(it));
  const listen = ["--role", "server", "--listen", `127.0.0.1:${folder.ports.web}`];
  const all = await Promise.all([
    sockbal(...listen, "--tls-cert", pair[0] ?? "", "--tls-key", pair[1] ?? ""),
    sockbal(...connect, "--tls", "--cert", pair[0] ?? "", "--key", pair[1] ?? ""),
  ]);
  assert.deepEqual(all.map(({ status }) => status), [2, 2]);
  for (const [i, flag] of ["--tls-key", "--key"].entries()) {
    const said = all[i]?.stderr ?? "";
    assert.ok(said.includes(`${flag}: ${sentence}`) && said.trim().split("\n").length === 1, said);
  }
});

test("with the permissions that are printed, links that are set to new files are read", async () => {
  await using folder = new Folder();
  await using backend = startNamedBackend("a");
  await folder.put("web", await folder.make("web1"));
  await folder.put("client", await folder.make("client1"));
  await folder.putLinked(await folder.make("linked1"));
  await folder.writeConfig(backend.member.address);
  const printed = await runCommand([
    ...SOCKBAL,
    "--role",
    "balancer",
    "--config",
    folder.config,
    "--print-permissions",
  ]);
  const flags = printed.stdout.trim().split(" ").filter((it) => it.startsWith("--allow-"));
  await using balancer = new RunningCommand([
    ...sockbalWith(flags),
    ...["--role", "balancer", "--config", folder.config],
  ]);
  await balancer.sees(/ ready /);
  await folder.putLinked(await folder.make("linked2"));
  await balancer.sees(/keys_renewed certificates="?CN=linked2/);
  balancer.kill("SIGTERM");
  await balancer.finished;
});

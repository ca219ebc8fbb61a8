// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Certificates and keys whose files change while they are in use. */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Config } from "../../lib/config/schema.ts";
import { configSchema } from "../../lib/config/schema.ts";
import { Keys } from "../../lib/control/keys.ts";
import { sleep } from "../../lib/core/sleep.ts";
import type { AllTlsKeys } from "../../lib/dataplane/messages.ts";
import { type CertificateOptions, makeCertificate, noOpenssl } from "../support/certificates.ts";
import { type MemoryLog, memoryLog } from "../support/memory_log.ts";

/** Long enough that a certificate and its key are not torn apart by a busy machine. */
const LOOK_EVERY_MS = 200;

/** A folder with the files of a configuration, keys that watch it, and what they tell. */
class Setting implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync();
  readonly log: MemoryLog = memoryLog();
  readonly told: AllTlsKeys[] = [];
  /** Sets the others free when what was under way is over. */
  turn: Promise<void> = Promise.resolve();
  /** Workers refuse keys with this certificate. */
  refused: string | undefined;
  #serial = 0;
  #config: Config | undefined;

  readonly keys = new Keys({
    journal: this.log.log,
    config: () => this.#config ?? assert.fail("nothing was started"),
    inTurn: (work) => this.turn = this.turn.then(work),
    whyRefused: ({ pairs }) => pairs.some(({ cert }) => cert === this.refused) ? "too odd" : undefined,
    tell: (keys) => {
      this.told.push(keys);
      return Promise.resolve();
    },
    lookEveryMs: LOOK_EVERY_MS,
  });

  at(name: string): string {
    return join(this.folder, name);
  }

  /** A listener with these certificates, and a pool that has `ca.pem` if it is there. */
  async start(pairs: readonly string[], ca?: string): Promise<void> {
    const certificates = pairs.map((it) => ({ cert: this.at(`${it}.pem`), key: this.at(`${it}.key`) }));
    this.#config = {
      ...configSchema.parse({
        listeners: [{ name: "web", listen: ":1", pool: "p", tls: { certificates } }],
        pools: {
          p: { backends: ["127.0.0.1:2"], ...(ca === undefined ? {} : { tls: { ca: this.at(ca) } }) },
        },
      }),
      notes: [],
    };
    this.keys.follow(this.#config, await this.keys.read(this.#config));
  }

  /** A new certificate and its key, as texts. */
  async make(name: string, options: CertificateOptions = {}): Promise<{ cert: string; key: string }> {
    const files = await makeCertificate(this.folder, `made${++this.#serial}`, {
      subject: `/CN=${name}`,
      ...options,
    });
    return { cert: await Deno.readTextFile(files.cert), key: await Deno.readTextFile(files.key) };
  }

  async write(name: string, { cert, key }: { cert: string; key: string }): Promise<void> {
    await Deno.writeTextFile(this.at(`${name}.pem`), cert);
    await Deno.writeTextFile(this.at(`${name}.key`), key, { mode: 0o600 });
  }

  /** The next records of the log, until there is one that is about this. */
  async heard(about: string): Promise<string[]> {
    await this.log.waitFor(
      "keys_renewed",
      ({ certificates, authorities = [] }) => [certificates, authorities].flat().includes(about),
    );
    return this.log.events.splice(0).map(({ event, fields }) => `${event} ${JSON.stringify(fields)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.keys.stop();
    await this.turn;
    // Its watchers end with the sleep that they are in.
    await sleep(0);
    await Deno.remove(this.folder, { recursive: true });
  }
}

function test(name: string, use: (it: Setting) => Promise<void>): void {
  Deno.test({
    name: `${name}${noOpenssl.why}`,
    ignore: noOpenssl.ignore,
    fn: async () => {
      await using it = new Setting();
      await use(it);
    },
  });
}

const renewed = (subject: string): string => `keys_renewed {"certificates":["CN=${subject}"]}`;

/** Ways to replace a certificate and its key; all begin with `a.pem` and `a.key` as links to files in `0`. */
const WAYS: Record<string, (it: Setting, pair: { cert: string; key: string }, n: number) => Promise<void>> = {
  "written in place": async (it, pair) => await it.write("a", pair),
  "written beside and renamed": async (it, pair, n) => {
    await it.write(`a${n}`, pair);
    await Deno.rename(it.at(`a${n}.pem`), it.at("a.pem"));
    await Deno.rename(it.at(`a${n}.key`), it.at("a.key"));
  },
  "the certificate, and half a look later the key": async (it, { cert, key }) => {
    await Deno.writeTextFile(it.at("a.pem"), cert);
    await sleep(LOOK_EVERY_MS / 2);
    await Deno.writeTextFile(it.at("a.key"), key);
  },
  "the key, and half a look later the certificate": async (it, { cert, key }) => {
    await Deno.writeTextFile(it.at("a.key"), key);
    await sleep(LOOK_EVERY_MS / 2);
    await Deno.writeTextFile(it.at("a.pem"), cert);
  },
  "links set to others, as certbot does": async (it, pair, n) => {
    await Deno.mkdir(it.at("archive"), { recursive: true });
    await it.write(`archive/a${n}`, pair);
    for (const kind of ["pem", "key"]) {
      await Deno.symlink(`archive/a${n}.${kind}`, it.at(`new.${kind}`));
      await Deno.rename(it.at(`new.${kind}`), it.at(`a.${kind}`));
    }
  },
  "gone, and there again": async (it, pair) => {
    await Deno.remove(it.at("a.pem"));
    await Deno.remove(it.at("a.key"));
    await it.write("a", pair);
  },
};

test("however files are replaced, the workers have the new ones, and the log says so once with the subjects", async (it) => {
  await it.write("a", await it.make("first"));
  await it.start(["a"]);
  let n = 0;
  for (const [way, replace] of Object.entries(WAYS)) {
    // Twice: what follows the first would be seen before the second.
    for (const time of ["once", "again"]) {
      // A comma within a name would be shown with a backslash.
      const name = `${way} ${time}`.replaceAll(",", "");
      const pair = await it.make(name);
      await replace(it, pair, ++n);
      assert.deepEqual(await it.heard(`CN=${name}`), [renewed(name)], way);
      const [told, ...others] = it.told.splice(0);
      assert.equal(others.length, 0, way);
      assert.deepEqual(told?.listeners.get("web")?.pairs, [pair], way);
      assert.deepEqual(it.keys.certificates.map(({ subject }) => subject), [`CN=${name}`]);
    }
  }
});

test("a broken pair leaves the one before in use, with one sentence; put right it is used", async (it) => {
  const first = await it.make("first");
  await it.write("a", first);
  await it.start(["a"]);
  const second = await it.make("second");
  const faults: [cert: string, key: string, sentence: string][] = [
    [second.cert, first.key, 'a.key: is not the key of the certificate "CN=second"'],
    [second.cert, "words\n", "a.key: is no PEM file: it has no -----BEGIN PRIVATE KEY-----"],
    [second.cert.slice(0, 200), first.key, "a.pem: is cut off: -----END CERTIFICATE----- is missing"],
    ["", first.key, "a.pem: is empty"],
  ];
  for (const [cert, key, sentence] of faults) {
    await it.write("a", { cert, key });
    const reason = `${it.folder}/${sentence}`;
    const { fields } = await it.log.waitFor("keys_not_renewed", (fields) => fields.reason === reason);
    assert.equal(fields.meanwhile, "those before stay in use");
  }
  assert.deepEqual(it.told, []);
  assert.deepEqual(it.keys.certificates.map(({ subject }) => subject), ["CN=first"]);
  await it.write("a", second);
  const heard = await it.heard("CN=second");
  assert.equal(heard.at(-1), renewed("second"));
  assert.equal(it.told.length, 1);
  const text = JSON.stringify(heard);
  for (
    const line of [first.key, second.key].flatMap((key) => key.split("\n").filter((it) => it.length > 8))
  ) {
    assert.ok(line.startsWith("-----") || !text.includes(line), "a part of a key is in the log");
  }
});

test("one that is broken or gone keeps no other from being renewed", async (it) => {
  const [a, b] = [await it.make("a1"), await it.make("b1", { names: ["b.example"] })];
  await it.write("a", a);
  await it.write("b", b);
  await it.start(["a", "b"]);
  await Deno.remove(it.at("a.key"));
  await it.write("b", await it.make("b2", { names: ["b.example"] }));
  assert.deepEqual(await it.heard("CN=b2"), [
    `keys_not_renewed {"reason":"${it.at("a.key")}: no such file","meanwhile":"those before stay in use"}`,
    renewed("b2"),
  ]);
  assert.deepEqual(it.keys.certificates.map(({ subject }) => subject), ["CN=a1", "CN=b2"]);
  assert.deepEqual(it.told[0]?.listeners.get("web")?.pairs[0], a);
});

test("files that stay gone are told once, and are renewed when they are there again", async (it) => {
  await it.write("a", await it.make("first"));
  await it.start(["a"]);
  await Deno.remove(it.at("a.key"));
  await it.log.waitFor("keys_not_renewed");
  await sleep(4 * LOOK_EVERY_MS);
  assert.deepEqual(it.log.events.splice(0).map(({ event, fields }) => [event, fields]), [
    ["keys_not_renewed", {
      reason: `${it.at("a.key")}: no such file`,
      meanwhile: "those before stay in use",
    }],
  ]);
  await it.write("a", await it.make("second"));
  assert.deepEqual(await it.heard("CN=second"), [renewed("second")]);
  await Deno.rename(it.folder, `${it.folder}.away`);
  try {
    await it.log.waitFor(
      "keys_not_renewed",
      ({ reason }) => reason === `${it.at("a.pem")}: no such file`,
    );
  } finally {
    await Deno.rename(`${it.folder}.away`, it.folder);
  }
  it.log.events.splice(0);
  await it.write("a", await it.make("third"));
  assert.deepEqual(await it.heard("CN=third"), [renewed("third")]);
});

test("what workers would refuse is not told them, and not said to be in use", async (it) => {
  const [first, second] = [await it.make("first"), await it.make("second")];
  await it.write("a", first);
  await it.write("ca", await it.make("old", { isAuthority: true }));
  await it.start(["a"], "ca.pem");
  it.refused = second.cert;
  await it.write("a", second);
  await it.write("ca", await it.make("new", { isAuthority: true }));
  assert.deepEqual(await it.heard("CN=new"), [
    'keys_not_renewed {"reason":"listener web: too odd","meanwhile":"those before stay in use"}',
    'keys_renewed {"authorities":["CN=new"]}',
  ]);
  assert.deepEqual(it.told.at(-1)?.listeners.get("web")?.pairs, [first]);
  assert.deepEqual(it.keys.inUse.keys.listeners.get("web")?.pairs, [first]);
  assert.deepEqual(it.keys.certificates.map(({ subject }) => subject), ["CN=first"]);
  await it.write("a", first);
  it.refused = first.cert;
  await assert.rejects(it.start(["a"]), { name: "RunError", message: "listener web: too odd" });
});

test("what is new and probably not meant is noted at a renewal, and what was noted before is not", async (it) => {
  await it.write("a", await it.make("a1"));
  await it.write("b", await it.make("b1", { names: ["b.example"] }));
  await Deno.chmod(it.at("b.key"), 0o640);
  await it.start(["a", "b"]);
  await it.write("a", await it.make("a2", { days: 3 }));
  await Deno.chmod(it.at("a.key"), 0o644);
  const heard = await it.heard("CN=a2");
  assert.equal(heard.length, 3);
  assert.match(heard[0] ?? "", /^config_note .*a\.pem: expires in (3|2) days, on /);
  assert.match(heard[1] ?? "", /^config_note .*a\.key: its mode is 0644, /);
  assert.equal(heard[2], renewed("a2"));
  await Deno.chmod(it.at("a.key"), 0o604);
  await it.log.waitFor("config_note", ({ note }) => String(note).includes("its mode is 0604"));
});

test("what holds the same as before is no renewal", async (it) => {
  const pair = await it.make("first");
  await it.write("a", pair);
  await it.start(["a"]);
  await it.write("a", { cert: `\n${pair.cert}`, key: `# the same\n${pair.key}` });
  await sleep(4 * LOOK_EVERY_MS);
  await it.write("a", await it.make("second"));
  assert.deepEqual(await it.heard("CN=second"), [renewed("second")]);
  assert.equal(it.told.length, 1);
});

test("an issuer behind a certificate, and authorities, are renewed as well", async (it) => {
  const pair = await it.make("leaf");
  await it.write("a", pair);
  await it.write("ca", await it.make("old authority", { isAuthority: true }));
  await it.start(["a"], "ca.pem");
  const issuer = await it.make("issuer", { isAuthority: true });
  await Deno.writeTextFile(it.at("a.pem"), pair.cert + issuer.cert);
  assert.deepEqual(await it.heard("CN=leaf"), [
    `config_note {"note":"${it.at("a.pem")}: certificate number 2 is not the issuer of the one before it; ` +
    'put behind each certificate the one of its issuer"}',
    renewed("leaf"),
  ]);
  await it.write("ca", await it.make("new authority", { isAuthority: true }));
  assert.deepEqual(await it.heard("CN=new authority"), [
    'keys_renewed {"authorities":["CN=new authority"]}',
  ]);
  assert.match(it.told.at(-1)?.pools.get("p")?.authorities ?? "", /BEGIN CERTIFICATE/);
});

test("a certificate, or authorities, that are in use elsewhere already are new where they were not", async (it) => {
  const [a, b] = [await it.make("a1"), await it.make("b1", { names: ["b.example"] })];
  const [one, two] = [
    await it.make("one", { isAuthority: true }),
    await it.make("two", { isAuthority: true }),
  ];
  await it.write("a", a);
  await it.write("b", b);
  await it.write("ca", { ...one, cert: one.cert + two.cert });
  await it.start(["a", "b"], "ca.pem");
  const pairs = (): unknown => it.told.at(-1)?.listeners.get("web")?.pairs;
  await it.write("a", b);
  assert.equal((await it.heard("CN=b1")).at(-1), renewed("b1"));
  assert.deepEqual(pairs(), [b, b]);
  await it.write("b", a);
  assert.equal((await it.heard("CN=a1")).at(-1), renewed("a1"));
  assert.deepEqual(pairs(), [b, a]);
  await it.write("a", a);
  await it.write("b", b);
  await it.heard("CN=b1");
  assert.deepEqual(pairs(), [a, b], "both in each other's place");
  await it.write("ca", two);
  assert.deepEqual(await it.heard("CN=two"), [
    'keys_renewed {"authorities":["CN=two"]}',
  ]);
  assert.equal(it.told.at(-1)?.pools.get("p")?.authorities, two.cert);
});

test("what changes after it was read and before it is watched is not missed", async (it) => {
  await it.write("a", await it.make("first"));
  const second = await it.make("second");
  const { read } = it.keys;
  it.keys.read = async (config) => {
    const found = await read.call(it.keys, config);
    await it.write("a", second);
    return found;
  };
  await it.start(["a"]);
  assert.deepEqual(await it.heard("CN=second"), [renewed("second")]);
});

test("keys that were stopped tell nothing any more", async (it) => {
  await it.write("a", await it.make("first"));
  await it.start(["a"]);
  await it.write("a", await it.make("second"));
  it.keys.stop();
  await sleep(4 * LOOK_EVERY_MS);
  assert.deepEqual([it.told, it.log.events], [[], []]);
});

// deno-lint-ignore-file no-await-in-loop -- one case after the other

/** Certificates and keys of a configuration, looked at before anything is started, and read for it. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError } from "../../lib/config/parse.ts";
import { readKeyMaterial } from "../../lib/config/key_files.ts";
import { readConfig } from "../../lib/config/read.ts";
import type { Config } from "../../lib/config/schema.ts";
import { KEY_KINDS, makeCertificate, noOpenssl, openssl, OTHER_KEY_KINDS } from "../support/certificates.ts";

const DAY_MS = 86_400_000;

interface Folder {
  readonly path: string;
  /** What is said about a configuration, faults or else notes, without the path of its file and of this folder. */
  said(text: string, nowMs?: number): Promise<string[]>;
  read(text: string): Promise<Config>;
  write(name: string, text: string): Promise<void>;
  text(name: string): Promise<string>;
}

function test(name: string, use: (folder: Folder) => Promise<void>): void {
  Deno.test({
    name: `${name}${noOpenssl.why}`,
    ignore: noOpenssl.ignore,
    fn: async () => {
      const path = await Deno.makeTempDir();
      const file = join(path, "balancer.yaml");
      const read = async (text: string): Promise<Config> => {
        await Deno.writeTextFile(file, text);
        return await readConfig(file);
      };
      const said = async (text: string, nowMs?: number): Promise<string[]> => {
        const { now } = Date;
        if (nowMs !== undefined) Date.now = () => nowMs;
        try {
          return short((await read(text)).notes);
        } catch (error) {
          assert.ok(error instanceof ConfigError, String(error));
          return short(error.message.split("\n"));
        } finally {
          Date.now = now;
        }
      };
      const short = (lines: readonly string[]): string[] =>
        lines.map((line) => line.slice(file.length + 1).replaceAll(`${path}/`, ""));
      try {
        await use({
          path,
          said,
          read,
          write: (name, text) => Deno.writeTextFile(join(path, name), text, { mode: 0o600 }),
          text: (name) => Deno.readTextFile(join(path, name)),
        });
      } finally {
        await Deno.remove(path, { recursive: true });
      }
    },
  });
}

/** A listener that opens TLS with these pairs, on a line each from the third on. */
function withPairs(...pairs: (readonly [cert: string, key: string])[]): string {
  const lines = pairs.map(([cert, key]) => `  { cert: ${cert}, key: ${key} },\n`).join("");
  const listener = `{ listen: ":1", pool: p, tls: { certificates: [\n${lines}  ] } }`;
  return `pools: { p: { backends: [a:1] } }\nlisteners: [${listener}]\n`;
}

/** A listener that asks clients for certificates of these authorities. */
function withAuthorities(ca: string): string {
  return withPairs(["a.pem", "a.key"]).replace("tls: {", `tls: { client_ca: ${ca},`);
}

/** A pool that speaks TLS. */
function withPoolTls(tls: string): string {
  return `listeners: [{ listen: ":1", pool: p }]\npools: { p: { backends: [a:1], tls: ${tls} } }\n`;
}

test("a certificate with its key is in order, in two files or in one, with an old form of the key or a new one", async (folder) => {
  const { path, said, write, text } = folder;
  await makeCertificate(path, "a");
  assert.deepEqual(await said(withPairs(["a.pem", "a.key"])), []);
  await write("both.pem", await text("a.key") + "some words\n" + await text("a.pem"));
  assert.deepEqual(await said(withPairs(["both.pem", "both.pem"])), []);
  await openssl("ec", "-in", join(path, "a.key"), "-out", join(path, "old.key"));
  assert.match(await text("old.key"), /BEGIN EC PRIVATE KEY/);
  assert.deepEqual(await said(withPairs(["a.pem", "old.key"])), []);
  await write(
    "params.key",
    "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + await text("old.key"),
  );
  assert.deepEqual(await said(withPairs(["a.pem", "params.key"])), []);
  await write("crlf.pem", (await text("a.pem")).replaceAll("\n", "\r\n"));
  assert.deepEqual(await said(withPairs(["crlf.pem", "a.key"])), []);
});

test("a key of a kind with which TLS cannot be opened is a fault, and one of another kind is not", async ({ path, said }) => {
  for (const kind of Object.values(KEY_KINDS)) {
    await makeCertificate(path, "k", { kind });
    assert.deepEqual(await said(withPairs(["k.pem", "k.key"])), [], kind.join(" "));
  }
  for (const [what, kind] of Object.entries(OTHER_KEY_KINDS)) {
    await makeCertificate(path, "k", { kind });
    assert.deepEqual(await said(withPairs(["k.pem", "k.key"])), [
      `3:23 listeners[0].tls.certificates[0].key: k.key: its private key is ${what}, ` +
      "with which TLS cannot be opened here; take a certificate for a key that is RSA of 2048 bits or more, " +
      "ECDSA on P-256, P-384 or P-521, or Ed25519",
    ]);
  }
});

test("all files that are missing, or are none of this kind, are faults at their keys in one go", async (folder) => {
  const { path, said, write, text } = folder;
  await makeCertificate(path, "a");
  await Deno.mkdir(join(path, "d"));
  await write("empty", "\n");
  await write("words", "no certificate\n");
  await write("damaged", (await text("a.pem")).replace("MII", "MIX"));
  await write("cut", (await text("a.pem")).slice(0, 200));
  await write("cut chain", await text("a.pem") + (await text("a.pem")).slice(0, 400));
  await write("cut.key", (await text("a.key")).slice(0, 100));
  await openssl("pkey", "-in", join(path, "a.key"), "-outform", "der", "-out", join(path, "der.key"));
  await write("damaged.key", (await text("a.key")).replace(/\n.{10}/, "\nAAAAAAAAAA"));
  await openssl("x509", "-in", join(path, "a.pem"), "-outform", "der", "-out", join(path, "der"));
  assert.deepEqual(
    await said(withPairs(
      ["gone.pem", "gone.key"],
      ["d", "/dev/zero"],
      ["empty", "words"],
      ["words", "damaged.key"],
      ["damaged", "a.pem"],
      ["a.key", "empty"],
      ["der", "a.key"],
      ["cut", "cut.key"],
      ["cut chain", "der.key"],
    )),
    [
      "3:11 listeners[0].tls.certificates[0].cert: gone.pem: no such file",
      "3:26 listeners[0].tls.certificates[0].key: gone.key: no such file",
      "4:11 listeners[0].tls.certificates[1].cert: d: is a directory; name the file in it",
      "4:19 listeners[0].tls.certificates[1].key: /dev/zero: is no regular file",
      "5:11 listeners[0].tls.certificates[2].cert: empty: is empty",
      "5:23 listeners[0].tls.certificates[2].key: words: is no PEM file: it has no -----BEGIN PRIVATE KEY-----",
      "6:11 listeners[0].tls.certificates[3].cert: words: is no PEM file: it has no -----BEGIN CERTIFICATE-----",
      "6:23 listeners[0].tls.certificates[3].key: damaged.key: its private key is damaged, or of a kind that TLS does not have",
      "7:11 listeners[0].tls.certificates[4].cert: damaged: its certificate is damaged and cannot be read",
      "7:25 listeners[0].tls.certificates[4].key: a.pem: has no private key, but CERTIFICATE",
      "8:11 listeners[0].tls.certificates[5].cert: a.key: has no certificate, but PRIVATE KEY",
      "8:23 listeners[0].tls.certificates[5].key: empty: is empty",
      "9:11 listeners[0].tls.certificates[6].cert: der: is no PEM file: it has no -----BEGIN CERTIFICATE-----; " +
      "convert it from DER by: openssl x509 -in OLD -out NEW",
      "10:11 listeners[0].tls.certificates[7].cert: cut: is cut off: -----END CERTIFICATE----- is missing",
      "10:21 listeners[0].tls.certificates[7].key: cut.key: is cut off: -----END PRIVATE KEY----- is missing",
      "11:11 listeners[0].tls.certificates[8].cert: cut chain: is cut off: -----END CERTIFICATE----- is missing",
      "11:27 listeners[0].tls.certificates[8].key: der.key: is no PEM file: it has no -----BEGIN PRIVATE KEY-----; " +
      "convert it from DER by: openssl pkey -in OLD -out NEW",
    ],
  );
  assert.deepEqual(await said(withPoolTls("{ ca: gone, cert: a.pem, key: gone }")), [
    "2:43 pools.p.tls.ca: gone: no such file",
    "2:67 pools.p.tls.key: gone: no such file",
  ]);
});

test("a key that is encrypted, or another certificate's, is a fault", async ({ path, said, text }) => {
  await makeCertificate(path, "a");
  await makeCertificate(path, "b");
  const encrypted = "its private key is encrypted, and there is no way to give its passphrase; " +
    "write it without one by: openssl pkey -in OLD -out NEW";
  await openssl(
    "pkey",
    "-in",
    join(path, "a.key"),
    "-aes256",
    "-passout",
    "pass:x",
    "-out",
    join(path, "new.key"),
  );
  await openssl(
    "ec",
    "-in",
    join(path, "a.key"),
    "-aes128",
    "-passout",
    "pass:x",
    "-out",
    join(path, "old.key"),
  );
  assert.match(await text("new.key"), /ENCRYPTED PRIVATE KEY/);
  assert.match(await text("old.key"), /BEGIN EC PRIVATE KEY/);
  assert.deepEqual(
    await said(
      withPairs(["a.pem", "new.key"], ["b.pem", "old.key"], ["b.pem", "a.key"]).replace("b.pem", "./b.pem"),
    ),
    [
      `3:23 listeners[0].tls.certificates[0].key: new.key: ${encrypted}`,
      `4:25 listeners[0].tls.certificates[1].key: old.key: ${encrypted}`,
      '5:23 listeners[0].tls.certificates[2].key: a.key: is not the key of the certificate "CN=b.example"',
    ],
  );
  assert.deepEqual(await said(withPoolTls("{ cert: a.pem, key: b.key }")), [
    '2:57 pools.p.tls.key: b.key: is not the key of the certificate "CN=a.example"',
  ]);
});

test("a certificate that has expired, or is not valid yet, is a fault, and one that soon expires a note", async (folder) => {
  const { path, said, text } = folder;
  await makeCertificate(path, "a", { days: 30 });
  const config = withPairs(["a.pem", "a.key"]);
  const { facts } = (await materialOf(folder, config)).pairs[0] ?? {};
  assert.ok(facts !== undefined);
  const utc = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace("T", " ") + " UTC";
  const place = "3:11 listeners[0].tls.certificates[0].cert:";
  const { notBeforeMs, notAfterMs } = facts;
  const cases: [nowMs: number, said: string | undefined][] = [
    [notBeforeMs - 2 * DAY_MS, `is not valid before ${utc(notBeforeMs)}, in 2 days`],
    [notBeforeMs - 1, `is not valid before ${utc(notBeforeMs)}, in less than an hour`],
    [notBeforeMs, undefined],
    [notAfterMs - 14 * DAY_MS, undefined],
    [notAfterMs - 14 * DAY_MS + 1, `note: a.pem: expires in 13 days, on ${utc(notAfterMs)}`],
    [notAfterMs - 3 * 3_600_000, `note: a.pem: expires in 3 hours, on ${utc(notAfterMs)}`],
    [notAfterMs, `note: a.pem: expires in less than an hour, on ${utc(notAfterMs)}`],
    [notAfterMs + DAY_MS, `expired 1 day ago, on ${utc(notAfterMs)}`],
    [notAfterMs + 3 * DAY_MS + 5, `expired 3 days ago, on ${utc(notAfterMs)}`],
  ];
  for (const [nowMs, what] of cases) {
    const line = what === undefined
      ? []
      : [`${place} ${what.startsWith("note: ") ? what : `a.pem: ${what}`}`];
    assert.deepEqual(await said(config, nowMs), line);
    const { faults, notes, material } = await readKeyMaterial(await folder.read(config), nowMs);
    assert.equal(material === undefined, faults.length > 0);
    assert.equal(faults.length + notes.length, line.length);
  }
  assert.equal(facts.subject, "CN=a.example");
  assert.match(await text("a.pem"), /BEGIN CERTIFICATE/);
});

/** What is read for the only listener. */
async function materialOf(
  { read }: Folder,
  config: string,
): Promise<
  {
    pairs: readonly {
      facts: { subject: string; names: readonly string[]; notBeforeMs: number; notAfterMs: number };
      cert: string;
      key: string;
    }[];
    ca: string | undefined;
  }
> {
  const { listeners, pools } = await read(config);
  const { material } = await readKeyMaterial({ listeners, pools }, Date.now());
  const of = material?.listeners.get(listeners[0]?.name ?? "");
  assert.ok(of !== undefined);
  return { pairs: of.pairs, ca: of.authorities?.pem };
}

test("a chain begins with the certificate of the key, and goes on with those of its issuers", async (folder) => {
  const { path, said, write, text } = folder;
  const root = await makeCertificate(path, "root", { isAuthority: true, names: [] });
  const middle = await makeCertificate(path, "middle", { isAuthority: true, names: [], issuer: root });
  await makeCertificate(path, "a", { issuer: middle });
  const [a, m, r] = await Promise.all(["a.pem", "middle.pem", "root.pem"].map(text));
  await write("right.pem", `${a}${m}${r}`);
  assert.deepEqual(await said(withPairs(["right.pem", "a.key"])), []);
  const { pairs: [pair] } = await materialOf(folder, withPairs(["right.pem", "a.key"]));
  assert.equal(pair?.facts.subject, "CN=a.example");
  assert.equal(pair?.cert, `${a}${m}${r}`);
  await write("first.pem", `${m}${a}`);
  assert.deepEqual(await said(withPairs(["first.pem", "a.key"])), [
    "3:11 listeners[0].tls.certificates[0].cert: first.pem: " +
    "the certificate that the key belongs to is number 2; put it first, and behind it those of its issuers",
  ]);
  await write("odd.pem", `${a}${r}${m}`);
  assert.deepEqual(await said(withPairs(["odd.pem", "a.key"])), [
    "3:11 listeners[0].tls.certificates[0].cert: note: odd.pem: " +
    "certificate number 2 is not the issuer of the one before it; put behind each certificate the one of its issuer",
  ]);
  // What only stands behind the first is not verified by its age.
  await makeCertificate(path, "short", {
    isAuthority: true,
    names: [],
    issuer: root,
    days: 3,
    subject: "/CN=middle.example",
  });
  await write("aged.pem", `${a}${await text("short.pem")}`);
  const [note = "", ...others] = await said(withPairs(["aged.pem", "a.key"]), Date.now() + 4 * DAY_MS);
  assert.match(note, /note: aged.pem: certificate "CN=middle.example" expired 1 day ago, on /);
  assert.equal(others.length, 1, "another key, so it is no issuer");
});

test("a private key that others may use is a note", async ({ path, said }) => {
  await makeCertificate(path, "a");
  const config = withPairs(["a.pem", "a.key"]);
  const noted = (mode: string): string[] => [
    `3:23 listeners[0].tls.certificates[0].key: note: a.key: its mode is ${mode}, ` +
    "so others than its owner may use the private key in it; chmod 600 a.key",
  ];
  for (const mode of [0o640, 0o604, 0o644, 0o777]) {
    await Deno.chmod(join(path, "a.key"), mode);
    assert.deepEqual(await said(config), noted(`0${mode.toString(8)}`));
  }
  await Deno.chmod(join(path, "a.key"), 0o400);
  assert.deepEqual(await said(config), []);
});

test("a name of two certificates is a note at the second", async ({ path, said }) => {
  await makeCertificate(path, "a", { names: ["a.example", "*.b.example"] });
  await makeCertificate(path, "b", { names: ["c.example", "*.B.example", "a.example"] });
  await makeCertificate(path, "c", { names: ["d.example", "x.b.example"] });
  assert.deepEqual(await said(withPairs(["a.pem", "a.key"], ["b.pem", "b.key"], ["c.pem", "c.key"])), [
    '4:11 listeners[0].tls.certificates[1].cert: note: b.pem: "a.example" is a name of certificates[0] too, ' +
    "which is shown to clients that ask for it",
  ]);
});

test("a server's certificate without a name is a note, and a client's is none", async ({ path, said }) => {
  await makeCertificate(path, "a", { names: [] });
  assert.deepEqual(await said(withPairs(["a.pem", "a.key"])), [
    "3:11 listeners[0].tls.certificates[0].cert: note: a.pem: has no name in its subjectAltName, " +
    "so clients that verify it will refuse it",
  ]);
  assert.deepEqual(await said(withPoolTls("{ cert: a.pem, key: a.key }")), []);
});

test("several authorities that are not valid, or not for long, are one note", async ({ path, said, write, text }) => {
  const all: string[] = [];
  for (const [name, days] of [["old", 5], ["older", 5], ["soon", 20], ["next", 20], ["a", 90]] as const) {
    await makeCertificate(path, name, { isAuthority: true, days });
    all.push(await text(`${name}.pem`));
  }
  await write("all.pem", all.join(""));
  const notes = await said(withAuthorities("all.pem"), Date.now() + 10 * DAY_MS);
  assert.equal(notes.length, 2, notes.join("\n"));
  assert.match(
    notes[0] ?? "",
    /: note: all\.pem: 2 of 5 certificates are not valid now, as "CN=old\.example", which expired \d days ago, on /,
  );
  assert.match(
    notes[1] ?? "",
    /: note: all\.pem: 2 of 5 certificates expire within 14 days, as "CN=soon\.example", which expires in \d+ days, on /,
  );
});

test("authorities are certificates of which one is still valid", async (folder) => {
  const { path, said, write, text } = folder;
  await makeCertificate(path, "a");
  await makeCertificate(path, "old", { isAuthority: true, days: 20, subject: "/CN=old/O=Bücher" });
  await makeCertificate(path, "root", { isAuthority: true, days: 90 });
  await write("both.pem", await text("old.pem") + await text("root.pem"));
  assert.deepEqual(await said(withAuthorities("both.pem")), []);
  assert.equal((await materialOf(folder, withAuthorities("both.pem"))).ca, await text("both.pem"));
  const laterMs = Date.now() + 21 * DAY_MS;
  const place = "2:56 listeners[0].tls.client_ca:";
  const [note = "", ...others] = await said(withAuthorities("both.pem"), laterMs);
  assert.ok(
    note.startsWith(`${place} note: both.pem: certificate "CN=old, O=Bücher" expired 1 day ago, on `),
    note,
  );
  assert.deepEqual(others, []);
  const [fault = ""] = await said(withAuthorities("old.pem"), laterMs);
  assert.ok(fault.startsWith(`${place} old.pem: expired 1 day ago, on `), fault);
  assert.deepEqual(await said(withAuthorities("a.key")), [
    `${place} a.key: has no certificate, but PRIVATE KEY`,
  ]);
});

test("the material of pools and listeners is read apart from the configuration, which holds paths alone", async (folder) => {
  const { path, read, text } = folder;
  await makeCertificate(path, "a", { names: ["a.example", "*.b.example"] });
  const config = await read(`listeners:
  - { listen: ":1", name: one, pool: p, tls: { certificates: [{ cert: a.pem, key: a.key }] } }
  - { listen: ":2", name: two, pool: q }
pools:
  p: { backends: [a:1], tls: { ca: a.pem, cert: a.pem, key: a.key } }
  q: { backends: [a:1], tls: {} }
`);
  assert.equal(config.pools.p?.tls?.key, join(path, "a.key"));
  assert.doesNotMatch(JSON.stringify(config), /BEGIN/);
  const { material } = await readKeyMaterial(config, Date.now());
  assert.deepEqual([...material?.listeners.keys() ?? []], ["one"]);
  assert.deepEqual([...material?.pools.keys() ?? []], ["p"]);
  const { pairs, authorities } = material?.pools.get("p") ?? {};
  assert.equal(authorities?.pem, await text("a.pem"));
  assert.equal(pairs?.[0]?.key, await text("a.key"));
  assert.deepEqual(pairs?.[0]?.facts.names, ["a.example", "*.b.example"]);
  assert.match(pairs?.[0]?.facts.fingerprint ?? "", /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  await Deno.remove(join(path, "a.key"));
  const { faults, material: none } = await readKeyMaterial(config, Date.now());
  assert.equal(none, undefined);
  assert.deepEqual(faults.map(({ path, message }) => `${path.join(" ")} ${message}`), [
    `listeners 0 tls certificates 0 key ${path}/a.key: no such file`,
    `pools p tls key ${path}/a.key: no such file`,
  ]);
});

test("no sentence has anything of a private key in it", async ({ path, said, write, text }) => {
  await makeCertificate(path, "a");
  const key = await text("a.key");
  for (
    const [i, damaged] of [
      key.slice(0, 120),
      key.replace("BEGIN PRIVATE", "BEGIN CERTIFICATE PRIVATE"),
      key.replace("\n", ""),
    ].entries()
  ) {
    await write(`${i}.key`, damaged);
    const lines = await said(withPairs(["a.pem", `${i}.key`]));
    assert.ok(lines.length > 0);
    for (const part of key.split("\n").slice(1, -2)) assert.ok(!lines.join().includes(part.slice(0, 10)));
  }
});

// deno-lint-ignore-file no-await-in-loop -- one case after the other

/** What the files of the machine tell about a configuration, before anything is started. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError } from "../../lib/config/parse.ts";
import { readConfig, readPlacedConfig } from "../../lib/config/read.ts";

const HEAD = 'listeners: [{ listen: ":7001", pool: p }]\npools: { p: { backends: [a:1] } }\n';

interface Folder {
  readonly path: string;
  /** What is said about a configuration, without `FILE:`. */
  faults(text: string): Promise<string[]>;
}

async function withFolder(use: (folder: Folder) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir();
  const file = join(path, "balancer.yaml");
  const faults = async (text: string): Promise<string[]> => {
    await Deno.writeTextFile(file, text);
    try {
      await readConfig(file);
      return [];
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
      return error.message.split("\n").map((line) => line.slice(file.length + 1));
    }
  };
  try {
    await use({ path, faults });
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

Deno.test("a token that is missing, or is none, is a fault at its key that says how to make one", async () => {
  await withFolder(async ({ path, faults }) => {
    const config = `${HEAD}admin: { listen: "127.0.0.1:7002", token_file: token }\n`;
    const token = join(path, "token");
    const made = `make one with: openssl rand -hex 32 > ${token}`;
    assert.deepEqual(await faults(config), [`3:48 admin.token_file: ${token}: no such file; ${made}`]);
    for (
      const [text, why] of [
        ["", "is empty"],
        ["\n\n", "is empty"],
        ["short\n", "has 5 characters; a token has at least 16"],
        ["123456789012345", "has 15 characters; a token has at least 16"],
        ["1234567890123456\nx\n", "has more than one line; a token is a single one"],
        ["1234567890 123456\n", "a token has letters, digits and signs of ASCII only, without spaces"],
        ["123456789012345ä\n", "a token has letters, digits and signs of ASCII only, without spaces"],
        ["x".repeat(100_000), "is far too long for a token"],
      ] as const
    ) {
      await Deno.writeTextFile(token, text);
      assert.deepEqual(await faults(config), [`3:48 admin.token_file: ${token}: ${why}; ${made}`], text);
    }
    for (const text of ["1234567890123456", "1234567890123456\n", " 1234567890123456\r\n"]) {
      await Deno.writeTextFile(token, text);
      assert.deepEqual(await faults(config), [], text);
    }
    await Deno.remove(token);
    await Deno.mkdir(token);
    assert.deepEqual(await faults(config), [
      `3:48 admin.token_file: ${token}: is a directory; name the file in it`,
    ]);
  });
});

Deno.test("a token is never shown", async () => {
  await withFolder(async ({ path, faults }) => {
    await Deno.writeTextFile(join(path, "token"), "secret");
    const [fault = ""] = await faults(`${HEAD}admin: { listen: ":7002", token_file: token }\n`);
    assert.doesNotMatch(fault, /secret/);
  });
});

Deno.test("a token that never ends is given up", async () => {
  await withFolder(async ({ faults }) => {
    assert.deepEqual(await faults(`${HEAD}admin: { listen: ":7002", token_file: /dev/zero }\n`), [
      "3:39 admin.token_file: /dev/zero: is no regular file; a token is the only line of one",
    ]);
  });
});

Deno.test("a file of sessions that cannot be written is a fault at its key", async () => {
  await withFolder(async ({ path, faults }) => {
    await Deno.mkdir(join(path, "folder"));
    await Deno.writeTextFile(join(path, "token"), "1234567890123456\n");
    const why = async (file: string, more = ""): Promise<string | undefined> => {
      const [fault, ...others] = await faults(`${HEAD}log: { file: ${file} }\n${more}`);
      assert.deepEqual(others, []);
      if (fault === undefined) return undefined;
      assert.ok(fault.startsWith("3:14 log.file: "), fault);
      return fault.slice("3:14 log.file: ".length);
    };
    assert.equal(
      await why("gone/s.log"),
      `${path}/gone/s.log: there is no such folder (${path}/gone)`,
    );
    assert.equal(await why("folder"), `${path}/folder: is a directory; name a file in it`);
    assert.equal(await why("token/s.log"), `${path}/token/s.log: what its path calls a folder is none`);
    assert.equal(
      await why("balancer.yaml"),
      `${path}/balancer.yaml: is the file of the configuration; write to another one`,
    );
    assert.equal(
      await why("token", "admin: { listen: ':7002', token_file: token }\n"),
      `${path}/token: is the file of admin.token_file; write to another one`,
    );
    assert.equal(
      await why("/dev/stdin"),
      "nothing can be written to stdin; write /dev/stdout, or the path of a file",
    );
    assert.equal(await why('"-"'), 'for stdout write /dev/stdout (for a file of that name "./-")');
    for (const file of ["s.log", "folder/s.log", "/dev/stdout", "/dev/stderr", "/dev/null"]) {
      assert.equal(await why(file), undefined, file);
    }
    const left: string[] = [];
    for (const folder of [path, join(path, "folder")]) {
      for await (const { name } of Deno.readDir(folder)) left.push(name);
    }
    assert.deepEqual(left.sort(), ["balancer.yaml", "folder", "token"], "nothing is left behind");
  });
});

Deno.test("a state_file that cannot be written is a fault at its key", async () => {
  await withFolder(async ({ path, faults }) => {
    await Deno.mkdir(join(path, "folder"));
    await Deno.writeTextFile(join(path, "file"), "");
    for (
      const [file, why] of [
        ["gone/s.json", `${path}/gone/s.json: there is no such folder (${path}/gone)`],
        ["folder", `${path}/folder: is a directory; name a file in it`],
        ["file/s.json", `${path}/file/s.json: what its path calls a folder is none (${path}/file)`],
        ["/dev/null", "/dev/null: is no regular file"],
      ] as const
    ) {
      assert.deepEqual(await faults(`${HEAD}state_file: ${file}\n`), [`3:13 state_file: ${why}`]);
    }
    for (const file of ["s.json", "folder/s.json", "file"]) {
      assert.deepEqual(await faults(`${HEAD}state_file: ${file}\n`), [], file);
    }
    const left = (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
    assert.deepEqual(left.sort(), ["balancer.yaml", "file", "folder"], "nothing is left behind");
  });
});

Deno.test("a file that is written is no other file of the configuration, by a link neither", async () => {
  await withFolder(async ({ path, faults }) => {
    await Deno.writeTextFile(join(path, "token"), "1234567890123456\n");
    await Deno.writeTextFile(join(path, "part.yaml"), "");
    await Deno.symlink("balancer.yaml", join(path, "link"));
    const config = `listeners: [{ listen: ":7001", pool: p }]
pools:
  p: { discover: { file: members.yaml } }
  q: { discover: { etcd: { endpoints: ["http://127.0.0.1:2379"], prefix: /p/, user: u, password_file: p } } }
admin: { listen: ":7002", token_file: token }
include: [part.yaml]
fleet: { etcd: { endpoints: ["https://127.0.0.1:2379"], prefix: /f/, ca: ca.pem }, name: a, advertise: 10.0.0.1:9 }
`;
    for (
      const [file, what] of [
        ["balancer.yaml", "the configuration"],
        ["./balancer.yaml", "the configuration"],
        ["link", "the configuration"],
        ["part.yaml", "the configuration"],
        ["members.yaml", "pools.p.discover.file"],
        ["p", "pools.q.discover.etcd.password_file"],
        ["token", "admin.token_file"],
        ["ca.pem", "fleet.etcd.ca"],
      ] as const
    ) {
      const why = `${join(path, file)}: is the file of ${what}; write to another one`;
      assert.deepEqual(await faults(`${config}state_file: ${file}\n`), [`8:13 state_file: ${why}`]);
      assert.deepEqual(await faults(`${config}log: { file: ${file} }\n`), [`8:14 log.file: ${why}`]);
    }
    assert.deepEqual(await faults(`${config}log: { file: s }\nstate_file: s\n`), [
      `9:13 state_file: ${path}/s: is the file of log.file; write to another one`,
    ]);
  });
});

Deno.test("a file or a folder that this user may not write is a fault", async () => {
  await withFolder(async ({ path, faults }) => {
    await Deno.writeTextFile(join(path, "s.log"), "");
    const { open, makeTempFile } = Deno;
    try {
      // A test that runs as root may write everything, so the system's answer is put in its place.
      const denied = (): Promise<never> => Promise.reject(new Deno.errors.PermissionDenied("(os error 13)"));
      Deno.open = (path, options) => options?.append ? denied() : open(path, options);
      Deno.makeTempFile = denied;
      assert.deepEqual(await faults(`${HEAD}log: { file: s.log }\n`), [
        `3:14 log.file: ${path}/s.log: this user may not write it`,
      ]);
      Deno.open = open;
      assert.deepEqual(await faults(`${HEAD}log: { file: t.log }\n`), [
        `3:14 log.file: ${path}/t.log: this user may make no file in the folder (${path})`,
      ]);
      assert.deepEqual(await faults(`${HEAD}state_file: s.json\n`), [
        `3:13 state_file: ${path}/s.json: this user may make no file in the folder (${path})`,
      ]);
      assert.deepEqual(await faults(`${HEAD}admin: { listen: "unix:a.sock" }\n`), [
        `3:18 admin.listen: ${path}: this user may make no file in the folder`,
      ]);
    } finally {
      Deno.open = open;
      Deno.makeTempFile = makeTempFile;
    }
  });
});

Deno.test("the path of a Unix socket that cannot be made is a fault", async () => {
  await withFolder(async ({ path, faults }) => {
    await Deno.writeTextFile(join(path, "file"), "");
    const why = async (listen: string): Promise<string[]> => {
      return await faults(
        `listeners: [{ pool: p, listen: "unix:${listen}" }]\npools: { p: { backends: [a:1] } }\n`,
      );
    };
    assert.deepEqual(await why("gone/a.sock"), [
      `1:32 listeners[0].listen: ${path}/gone: there is no such folder`,
    ]);
    assert.deepEqual(await why("file"), [
      `1:32 listeners[0].listen: ${path}/file: something that is no socket is there already; remove it, or use another path`,
    ]);
    assert.deepEqual(await why(path), [
      `1:32 listeners[0].listen: ${path}: is a directory; name the socket in it`,
    ]);
    const name = "x".repeat(104 - path.length - 1);
    assert.deepEqual(await why(name), [
      `1:32 listeners[0].listen: ${path}/${name}: the path of a socket to listen on has at most 103 bytes; this has 104`,
    ]);
    assert.deepEqual(await why(name.slice(1)), []);
    const admin = (keys: string): Promise<string[]> =>
      faults(`${HEAD}admin: { listen: "unix:${name}"${keys} }\n`);
    for (const keys of ["", ', mode: "0660"']) {
      assert.deepEqual(await admin(keys), [
        `3:18 admin.listen: ${path}/${name}: the path of a socket to listen on has at most 103 bytes; this has 104`,
      ]);
    }
    assert.deepEqual(await faults(`${HEAD}admin: { listen: "unix:a.sock", group: no-such-group }\n`), [
      '3:40 admin.group: there is no group "no-such-group" in /etc/group; write another one, or its number',
    ]);
    using _socket = Deno.listen({ transport: "unix", path: join(path, "a.sock") });
    assert.deepEqual(await why("a.sock"), [], "whether it is answered is seen at the start");
  });
});

Deno.test("the path of a backend that becomes too long behind its folder is a fault", async () => {
  await withFolder(async ({ path, faults }) => {
    const name = "x".repeat(100);
    assert.deepEqual(
      await faults(`listeners: [{ listen: ":1", pool: p }]\npools: { p: { backends: ["unix:${name}"] } }\n`),
      [
        `2:26 pools.p.backends[0]: ${path}/${name}: the path of a socket has at most 107 bytes; ` +
        `this has ${path.length + 101}`,
      ],
    );
  });
});

Deno.test("a backend at a path that is no socket is a fault, and one that is missing, or a link to a socket, is none", async () => {
  await withFolder(async ({ path, faults }) => {
    await Deno.mkdir(join(path, "folder"));
    await Deno.writeTextFile(join(path, "file"), "");
    using _socket = Deno.listen({ transport: "unix", path: join(path, "a.sock") });
    await Deno.symlink("a.sock", join(path, "link"));
    const config = 'listeners: [{ listen: ":1", pool: p }]\npools: { p: { backends: ' +
      '["unix:folder", { address: "unix:file" }, "unix:a.sock", "unix:link", "unix:gone/b.sock"] } }\n';
    assert.deepEqual(await faults(config), [
      `2:26 pools.p.backends[0]: ${path}/folder: is a directory; name the socket in it`,
      `2:52 pools.p.backends[1].address: ${path}/file: is no socket`,
    ]);
  });
});

Deno.test("faults of files stand among all others, and are left out where the configuration is not to be run", async () => {
  await withFolder(async ({ path, faults }) => {
    const file = join(path, "balancer.yaml");
    const config = `log: { file: gone/s.log }\n${HEAD}`;
    assert.deepEqual((await faults(`${config}workers: 0\n`)).map((fault) => fault.split(" ")[1]), [
      "log.file:",
      "workers:",
    ]);
    await Deno.writeTextFile(file, config);
    const { config: read, describe } = await readPlacedConfig(file, false);
    assert.equal(read.listeners.length, 1);
    assert.equal(describe(["log", "file"], "x"), `${file}:1:14 log.file: x`);
    assert.equal(describe(["listeners", 0, "pool"], "x"), `${file}:2:38 listeners[0].pool: x`);
  });
});

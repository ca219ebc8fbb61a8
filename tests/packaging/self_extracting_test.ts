// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** `deno task compile --self-extracting`: made once, and used from an empty folder by a user without rights, without Deno and network. */

import assert from "node:assert/strict";
import { type Finished, runCommand, RunningCommand } from "../support/command.ts";
import { findProgram, pathOf } from "../support/packages.ts";

const root = new URL("../../", import.meta.url).pathname;
const isLinux = Deno.build.os === "linux";
const nobody = isLinux && Deno.uid() === 0
  ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
  : [];
const busybox = await findProgram("busybox", "busybox");

/** A folder with the executable, and another user's home and empty folder, whose names have spaces. */
interface Place {
  readonly executable: string;
  readonly home: string;
  readonly cwd: string;
  readonly tmp: string;
}

async function makePlace(folder: string, executable: string): Promise<Place> {
  const place = { executable, home: `${folder}/a home`, cwd: `${folder}/empty`, tmp: `${folder}/tmp` };
  await Deno.chmod(folder, 0o755);
  for (const path of [place.home, place.cwd, place.tmp]) {
    await Deno.mkdir(path);
    if (nobody.length > 0) await Deno.chown(path, 65534, 65534);
  }
  return place;
}

function start(place: Place, args: readonly string[], shell: readonly string[] = []): RunningCommand {
  // As on a machine that has the basic commands, and no Deno.
  const env = { PATH: "/usr/bin:/bin", HOME: place.home, TMPDIR: place.tmp };
  return new RunningCommand([...nobody, ...shell, place.executable, ...args], {
    cwd: place.cwd,
    env,
    clearEnv: true,
  });
}

function run(place: Place, ...args: readonly string[]): Promise<Finished> {
  return start(place, args).finished;
}

const VERSION = /^sockbal \d+\.\d+\.\d+( \(commit [0-9a-f]+(-dirty)?\))?\nDeno .*; engine runtime\n$/;

async function provesVersion(place: Place, shell?: readonly string[]): Promise<void> {
  const { status, stdout, stderr } = await start(place, ["--version"], shell).finished;
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.match(stdout, VERSION);
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

/** Where it has unpacked itself. */
async function unpackedIn(cache: string): Promise<string> {
  const versions = await namesIn(cache);
  assert.equal(versions.length, 1);
  return `${cache}/${versions[0]}`;
}

/** Empties a folder of the user. */
async function empty(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true });
  await Deno.mkdir(folder);
  if (nobody.length > 0) await Deno.chown(folder, 65534, 65534);
}

Deno.test({
  name: "the executable that unpacks itself runs for any user, and repairs what was unpacked",
  ignore: !isLinux,
  fn: async (t) => {
    const folder = await Deno.makeTempDir();
    const executable = `${folder}/sock bal`;
    const made = await runCommand(
      [Deno.execPath(), "task", "compile", "--self-extracting", executable],
      { cwd: root },
    );
    assert.equal(made.status, 0, made.stderr);
    const place = await makePlace(folder, executable);
    const cache = `${place.home}/.cache/sockbal`;

    await t.step("two that start at once for the first time both run", async () => {
      await Promise.all([provesVersion(place), provesVersion(place)]);
      const left = await namesIn(await unpackedIn(cache));
      assert.deepEqual(left, ["code", "sockbal", "sockbal.js"]);
    });

    await t.step("server and client talk, and SIGTERM ends the server with 0", async () => {
      const listen = ["--listen", "127.0.0.1:0", "--handler", "upper"];
      const server = start(place, ["--role", "server", ...listen]);
      const [, address = ""] = await server.sees(/listening address=(\S+)/);
      const client = await run(place, "--role", "client", "--connect", address, "--message", "hi there");
      assert.deepEqual([client.status, client.stdout, client.stderr], [0, "HI THERE\n", ""]);
      server.kill("SIGTERM");
      const { status, signal } = await server.finished;
      assert.deepEqual({ status, signal }, { status: 0, signal: null });
    });

    await t.step("its exit statuses are those of the program", async () => {
      assert.equal((await run(place, "--role", "server", "--handlre", "upper")).status, 2);
      assert.equal((await run(place, "--role", "client", "--connect", "127.0.0.1:1")).status, 1);
    });

    for (const name of ["sockbal", "sockbal.js"]) {
      await t.step(`${name} is unpacked again when it was cut short, changed or removed`, async () => {
        const path = `${await unpackedIn(cache)}/${name}`;
        const { size } = await Deno.stat(path);
        for (
          const damage of [
            () => Deno.truncate(path, 1000),
            () => Deno.writeFile(path, new Uint8Array(size)),
            () => Deno.remove(path),
          ]
        ) {
          await damage();
          await provesVersion(place);
          assert.equal((await Deno.stat(path)).size, size);
        }
      });
    }

    await t.step("other versions in the cache do no harm", async () => {
      const old = `${cache}/0123456789abcdef0123456789abcdef`;
      await Deno.mkdir(old);
      await Deno.writeTextFile(`${old}/sockbal`, "old");
      await provesVersion(place);
      assert.equal(await Deno.readTextFile(`${old}/sockbal`), "old");
    });

    await t.step("with a home that cannot be written it unpacks into TMPDIR", async () => {
      await empty(place.home);
      await Deno.chmod(place.home, 0o555);
      await Deno.chown(place.home, Deno.uid(), Deno.gid());
      await provesVersion(place);
      assert.equal((await namesIn(place.tmp)).length, 1);
      assert.deepEqual(await namesIn(place.home), []);
    });

    await t.step("a folder in TMPDIR that another user has made is not used", async () => {
      if (nobody.length === 0) return;
      const [name = ""] = await namesIn(place.tmp);
      await Deno.chown(`${place.tmp}/${name}`, 1, 1);
      const { status, stderr } = await run(place, "--version");
      assert.equal(status, 1);
      assert.match(stderr, /^sockbal: cannot unpack itself; [^\n]*another user\n$/);
    });

    await t.step("where no folder can be written, one sentence says so", async () => {
      await empty(place.tmp);
      await Deno.chmod(place.tmp, 0o555);
      await Deno.chown(place.tmp, Deno.uid(), Deno.gid());
      const { status, stdout, stderr } = await run(place, "--version");
      assert.deepEqual({ status, stdout }, { status: 1, stdout: "" });
      assert.match(stderr, /^sockbal: cannot unpack itself; set XDG_CACHE_HOME or TMPDIR [^\n]*\n$/);
    });

    await t.step("an executable that was cut short says so", async () => {
      await Deno.chmod(place.tmp, 0o777);
      const cut = { ...place, executable: `${folder}/cut` };
      await Deno.copyFile(executable, cut.executable);
      await Deno.truncate(cut.executable, 1_000_000);
      const { status, stderr } = await run(cut, "--version");
      assert.equal(status, 1);
      assert.match(stderr, /^sockbal: the file .*\/cut is not whole; copy it again\n$/);
    });

    await t.step({
      name: `the shell and the commands can be those of busybox${
        "missing" in busybox ? ` (skipped: ${busybox.missing})` : ""
      }`,
      ignore: "missing" in busybox,
      fn: async () => {
        const bin = `${folder}/bin`;
        await Deno.mkdir(bin);
        const program = pathOf(busybox);
        const commands = "chmod env gzip head id ls mkdir mktemp mv rm sh tail touch wc".split(" ");
        for (const name of commands) await Deno.symlink(program, `${bin}/${name}`);
        await empty(place.tmp);
        const shell = ["env", `PATH=${bin}`, "sh"];
        // Once to unpack, once from what was unpacked.
        await provesVersion(place, shell);
        const [own = ""] = await namesIn(place.tmp);
        const unpacked = `${await unpackedIn(`${place.tmp}/${own}`)}/sockbal.js`;
        const first = (await Deno.stat(unpacked)).ino;
        await provesVersion(place, shell);
        assert.equal((await Deno.stat(unpacked)).ino, first);
      },
    });

    await Deno.remove(folder, { recursive: true });
  },
});

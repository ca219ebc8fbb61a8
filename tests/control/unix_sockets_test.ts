// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import type { Address } from "../../lib/core/address.ts";
import { type OwnFiles, UnixSockets } from "../../lib/control/unix_sockets.ts";
import type { ListenerOptions } from "../../lib/dataplane/messages.ts";
import { asRow } from "../support/rows.ts";

/** A folder with sockets, whose listeners are closed and files removed afterwards. */
class Folder implements AsyncDisposable {
  readonly path: string = Deno.makeTempDirSync();
  readonly #open: Deno.Listener[] = [];

  /** Listens at a path. */
  bind(name: string): void {
    this.#open.push(Deno.listen({ transport: "unix", path: `${this.path}/${name}` }));
  }

  /** A socket whose program has died without removing it. */
  async leaveStale(name: string): Promise<void> {
    const path = `${this.path}/${name}`;
    const listener = Deno.listen({ transport: "unix", path });
    await Deno.rename(path, `${path}.kept`);
    listener.close();
    await Deno.rename(`${path}.kept`, path);
  }

  listeners(...names: string[]): ListenerOptions[] {
    return names.map((name) => listenerAt({ transport: "unix", path: `${this.path}/${name}` }));
  }

  async inode(name: string): Promise<number | null> {
    return (await Deno.lstat(`${this.path}/${name}`)).ino;
  }

  async names(): Promise<string[]> {
    return (await Array.fromAsync(Deno.readDir(this.path), ({ name }) => name)).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const listener of this.#open) listener.close();
    await Deno.remove(this.path, { recursive: true });
  }
}

function listenerAt(address: Address): ListenerOptions {
  return {
    address,
    row: asRow(0),
    sessionsRow: asRow(1),
    name: "web",
    pool: asRow(2),
    maxConnections: 0,
    backlog: 1,
    keepalive: { idleMs: 0, intervalMs: 0, count: 0 },
    limits: { idleTimeoutMs: 0, halfCloseTimeoutMs: 0, maxSessionDurationMs: 0 },
  };
}

const TCP = listenerAt({ transport: "tcp", host: "127.0.0.1", port: 1 });

Deno.test("bound sockets take the places of those that were there before", async () => {
  await using folder = new Folder();
  for (const name of ["a", "a.new", "b.new"]) folder.bind(name);
  const inodes = [await folder.inode("a.new"), await folder.inode("b.new")];
  await new UnixSockets([...folder.listeners("a", "b"), TCP]).takeOverPaths();
  assert.deepEqual([await folder.inode("a"), await folder.inode("b")], inodes);
  assert.deepEqual(await folder.names(), ["a", "b"]);
});

Deno.test("when one bound socket is gone, no path is taken over", async () => {
  await using folder = new Folder();
  for (const name of ["a", "a.new", "b"]) folder.bind(name);
  const before = await folder.inode("a");
  await assert.rejects(new UnixSockets(folder.listeners("a", "b")).takeOverPaths(), {
    name: "RunError",
    message: `cannot listen on unix:${folder.path}/b: its new socket was removed`,
  });
  assert.equal(await folder.inode("a"), before);
  assert.deepEqual(await folder.names(), ["a", "a.new", "b"]);
});

Deno.test("a path is free when nothing answers there, or when it is taken over from this program", async () => {
  await using folder = new Folder();
  folder.bind("answered");
  await folder.leaveStale("stale");
  await Deno.writeTextFile(`${folder.path}/file`, "precious");
  folder.bind("own.new");
  const files: OwnFiles = new Map();
  await new UnixSockets(folder.listeners("own"), files).takeOverPaths();
  const check = (name: string): Promise<void> => new UnixSockets(folder.listeners(name), files).prepare();
  await check("missing");
  await check("stale");
  await check("own");
  // Another program has removed it.
  await Deno.remove(`${folder.path}/own`);
  folder.bind("own");
  for (const name of ["answered", "file", "own"]) {
    await assert.rejects(check(name), /^RunError: cannot listen on unix:.*: the path is in use: /, name);
  }
});

Deno.test("at the end the paths are removed that no other generation and no other program has", async () => {
  await using folder = new Folder();
  for (const name of ["next", "stranger"]) folder.bind(name);
  await folder.leaveStale("mine");
  await new UnixSockets(folder.listeners("mine", "next", "stranger")).remove(folder.listeners("next"));
  assert.deepEqual(await folder.names(), ["next", "stranger"]);
});

Deno.test("sockets that were bound and never came into force are withdrawn, and nothing else", async () => {
  await using folder = new Folder();
  folder.bind("a");
  await folder.leaveStale("a.new");
  await new UnixSockets(folder.listeners("a", "b")).withdraw(true);
  assert.deepEqual(await folder.names(), ["a"]);
});

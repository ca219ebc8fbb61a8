import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import { AdminSide, planAdmin } from "../../lib/roles/admin_side.ts";
import { FakeOperations } from "../admin/fake_operations.ts";
import { askAdmin } from "../../lib/roles/ask_admin.ts";
import { memoryLog } from "../support/memory_log.ts";

/** Plans of an admin side at a Unix socket in a folder of its own, and what its file is like. */
class Place implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync();
  readonly path: string = `${this.folder}/admin.sock`;
  readonly address = { transport: "unix", path: this.path } as const;
  readonly admin: AdminSide = new AdminSide(memoryLog().log);
  readonly operations = new FakeOperations();

  async plan(keys: string): ReturnType<typeof planAdmin> {
    const text = `listeners: [{ listen: ":1", pool: p }]
pools: { p: { backends: ["127.0.0.1:1"] } }
admin: { listen: "unix:${this.path}"${keys} }
`;
    return await planAdmin(parseConfig(text, "f"));
  }

  async start(keys: string): Promise<void> {
    await this.admin.start(await this.plan(keys), this.operations);
  }

  /** Gives the note. */
  async follow(keys: string): Promise<string | undefined> {
    return await this.admin.follow(await this.plan(keys), this.operations);
  }

  async mode(): Promise<number> {
    return ((await Deno.lstat(this.path)).mode ?? 0) & 0o777;
  }

  /** The status that is answered at the path. */
  async status(): Promise<number> {
    return (await askAdmin({ address: this.address, token: undefined }, "GET", "/healthz")).status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.admin.stop();
    assert.deepEqual(await Array.fromAsync(Deno.readDir(this.folder)), []);
    await Deno.remove(this.folder);
  }
}

Deno.test("a reload changes the mode of the Unix socket of the admin side, which stays where it is", async () => {
  await using place = new Place();
  await place.start(', mode: "0600"');
  assert.equal(await place.mode(), 0o600);
  const { ino } = await Deno.lstat(place.path);
  assert.equal(await place.follow(', mode: "0660"'), undefined);
  assert.deepEqual([await place.mode(), (await Deno.lstat(place.path)).ino], [0o660, ino]);
  assert.equal(place.admin.inForce?.mode, 0o660);
});

Deno.test("a mode and a group that a reload leaves out are those that the system gives", async () => {
  await using place = new Place();
  const group = Deno.uid() === 0 ? 1 : Deno.gid();
  await place.start(`, mode: "0666", group: ${group}`);
  assert.equal(await place.follow(', mode: "0666"'), undefined);
  assert.deepEqual([await place.mode(), (await Deno.lstat(place.path)).gid], [0o666, Deno.gid()]);
  assert.equal(await place.follow(""), undefined);
  assert.equal(await place.mode(), 0o777 & ~Deno.umask());
  assert.equal(await place.status(), 200);
});

Deno.test("a reload makes the socket of the admin side again when its file is gone, and takes no other program's", async () => {
  await using place = new Place();
  await place.start(', mode: "0600"');
  await Deno.remove(place.path);
  assert.equal(await place.follow(', mode: "0600"'), undefined);
  assert.deepEqual([await place.status(), await place.mode()], [200, 0o600]);
  await Deno.remove(place.path);
  const stranger = Deno.listen(place.address);
  assert.match(await place.follow(', mode: "0600"') ?? "", /the path is in use/);
  stranger.close();
  assert.equal(await place.follow(', mode: "0600"'), undefined);
  assert.equal(await place.status(), 200);
});

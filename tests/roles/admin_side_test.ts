import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import { AdminSide, planAdmin } from "../../lib/roles/admin_side.ts";
import { FakeOperations } from "../admin/fake_operations.ts";
import { memoryLog } from "../support/memory_log.ts";

Deno.test("a reload changes the mode of the Unix socket of the admin side, which stays where it is", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/admin.sock`;
  const plan = async (mode: string): ReturnType<typeof planAdmin> => {
    const text = `listeners: [{ listen: ":1", pool: p }]
pools: { p: { backends: ["127.0.0.1:1"] } }
admin: { listen: "unix:${path}", mode: "${mode}" }
`;
    return await planAdmin(parseConfig(text, "f"));
  };
  const mode = async (): Promise<number> => ((await Deno.lstat(path)).mode ?? 0) & 0o777;
  const { log } = memoryLog();
  const [admin, operations] = [new AdminSide(log), new FakeOperations()];
  await admin.start(await plan("0600"), operations);
  assert.equal(await mode(), 0o600);
  const { ino } = await Deno.lstat(path);
  assert.equal(await admin.follow(await plan("0660"), operations), undefined);
  assert.deepEqual([await mode(), (await Deno.lstat(path)).ino], [0o660, ino]);
  assert.equal(admin.inForce?.mode, 0o660);
  await admin.stop();
  assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
  await Deno.remove(folder);
});

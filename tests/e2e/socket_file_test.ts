/** The mode and the group of the file of a Unix socket. */

import assert from "node:assert/strict";
import { startNamedBackend } from "../support/backend.ts";
import { startTestBalancer, type TestBalancerOptions, testConfig } from "../support/balancer.ts";
import { readExactly, text } from "../support/bytes.ts";
import { onEachEngine } from "../support/engines.ts";

const isRoot = Deno.uid() === 0;

async function nameAt(path: string): Promise<string> {
  using conn = await Deno.connect({ transport: "unix", path });
  return text(await readExactly(conn, 1));
}

async function modeAndGroup(path: string): Promise<[mode: number, group: number | null]> {
  const { mode, gid } = await Deno.lstat(path);
  return [(mode ?? 0) & 0o777, gid];
}

onEachEngine(
  "the file of a Unix socket has the mode and the group that are written, also after a reload",
  async (engine) => {
    await using a = startNamedBackend("a");
    const folder = await Deno.makeTempDir();
    const path = `${folder}/web.sock`;
    const own = Deno.gid() ?? 0;
    const group = isRoot ? 1 : own;
    const options = (listener: Record<string, unknown>): TestBalancerOptions => {
      return { engine, backends: [a.member], listener: { listen: `unix:${path}`, ...listener } };
    };
    {
      await using balancer = await startTestBalancer(options({ mode: "0660", group }));
      assert.deepEqual(await modeAndGroup(path), [0o660, group]);
      assert.equal(await nameAt(path), "a");
      await balancer.balancer.reload(testConfig(options({ mode: "600", group: own })));
      assert.deepEqual(await modeAndGroup(path), [0o600, own]);
      await balancer.balancer.reload(testConfig(options({ mode: "0666", group })));
      assert.deepEqual(await modeAndGroup(path), [0o666, group]);
      await balancer.balancer.reload(testConfig(options({})));
      assert.deepEqual(await modeAndGroup(path), [0o777 & ~Deno.umask(), own], "as the system makes it");
      if (isRoot) {
        await balancer.balancer.reload(testConfig(options({ group: "root" })));
        assert.equal((await modeAndGroup(path))[1], 0, "by its name");
      }
      assert.equal(await nameAt(path), "a");
      await assert.rejects(
        balancer.balancer.reload(testConfig(options({ group: "no-such-group" }))),
        /there is no group "no-such-group" in \/etc\/group; write another one, or its number/,
      );
      assert.equal(await nameAt(path), "a");
    }
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
    await Deno.remove(folder, { recursive: true });
  },
);

onEachEngine(
  "a stale socket is replaced, one on which a program listens is not, and nothing is left of a try",
  async (engine) => {
    await using a = startNamedBackend("a");
    const folder = await Deno.makeTempDir();
    const path = `${folder}/web.sock`;
    const options = { engine, backends: [a.member], listener: { listen: `unix:${path}`, mode: "0660" } };
    const other = Deno.listen({ transport: "unix", path });
    const before = await modeAndGroup(path);
    await assert.rejects(startTestBalancer(options), /the path is in use/);
    assert.deepEqual(await modeAndGroup(path), before);
    // Its program dies without removing it.
    await Deno.rename(path, `${path}.kept`);
    other.close();
    await Deno.rename(`${path}.kept`, path);
    {
      await using _balancer = await startTestBalancer(options);
      assert.deepEqual((await modeAndGroup(path))[0], 0o660);
      assert.equal(await nameAt(path), "a");
    }
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
    await Deno.remove(folder, { recursive: true });
  },
);

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Local addresses that a pool chooses, as its backends see them. */

import assert from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { startTestBalancer, testConfig } from "../support/balancer.ts";
import { readAll } from "../support/bytes.ts";

const ignore = Deno.build.os !== "linux";

/** A backend that notes where sessions come from. */
function startNoting(hostname = "127.0.0.1"): { backend: ReturnType<typeof startBackend>; seen: string[] } {
  const seen: string[] = [];
  const backend = startBackend((conn) => {
    const { hostname: host, port } = conn.remoteAddr as Deno.NetAddr;
    seen.push(`${host}:${port}`);
  }, { hostname });
  return { backend, seen };
}

async function visit(port: number): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.closeWrite();
  await readAll(conn);
}

const hostOf = (endpoint = ""): string => endpoint.slice(0, endpoint.lastIndexOf(":"));

Deno.test({
  name:
    "backends are dialled from the addresses of source in turn, which their records say, and a reload changes them",
  ignore,
  fn: async () => {
    const { backend, seen } = startNoting();
    const options = { engine: "epoll", backends: [backend.address], workers: 1 } as const;
    const balancer = await startTestBalancer({ ...options, pool: { source: ["127.0.0.2", "127.0.0.3"] } });
    for (let i = 0; i < 4; i++) await visit(balancer.port);
    const hosts = seen.map(hostOf);
    assert.deepEqual(hosts.slice(0, 2).sort(), ["127.0.0.2", "127.0.0.3"]);
    assert.deepEqual(hosts.slice(2), hosts.slice(0, 2));
    const records = await balancer.waitForRecords(4);
    assert.deepEqual(records.map(({ local }) => local), seen);

    const pool = { source: ["127.0.0.4"] };
    assert.equal(await balancer.balancer.reload(testConfig({ ...options, pool })), "kept");
    await visit(balancer.port);
    assert.equal(hostOf(seen[4]), "127.0.0.4");
    await balancer.stop();
    await backend.stop();
  },
});

Deno.test({
  name: "a backend of the other family, or at a Unix socket, is dialled without a source",
  ignore,
  fn: async () => {
    const { backend, seen } = startNoting("::1");
    const folder = await Deno.makeTempDir();
    const listener = Deno.listen({ transport: "unix", path: `${folder}/b.sock` });
    const accepted = listener.accept().then((conn) => conn.close());
    const balancer = await startTestBalancer({
      engine: "epoll",
      workers: 1,
      backends: [`[::1]:${backend.port}`, `unix:${folder}/b.sock`],
      pool: { source: ["127.0.0.2"] },
    });
    await visit(balancer.port);
    await visit(balancer.port);
    await accepted;
    assert.deepEqual(seen.map(hostOf), ["::1"]);
    await balancer.stop();
    await backend.stop();
    listener.close();
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name:
    "a source that this machine has not is said of the session, counts against no backend, and the next one is tried",
  ignore,
  fn: async () => {
    const { backend, seen } = startNoting();
    const pool = {
      source: ["192.0.2.1"],
      dial_timeout: "200ms",
      outlier_detection: { consecutive_failures: 1 },
    };
    const options = { engine: "epoll", backends: [backend.address], workers: 1 } as const;
    const balancer = await startTestBalancer({ ...options, pool: { ...pool, retries: 0 } });
    await visit(balancer.port).catch(() => {});
    const [record] = await balancer.waitForRecords(1);
    assert.equal(record?.end, "dial_failed");
    assert.deepEqual(record?.failed, [`${backend.address}: its source is no address of this machine`]);
    await balancer.balancer.reload(
      // A dial that a busy machine makes late would be made twice.
      testConfig({ ...options, pool: { ...pool, dial_timeout: "10s", source: ["192.0.2.1", "127.0.0.2"] } }),
    );
    for (let i = 0; i < 2; i++) await visit(balancer.port);
    assert.deepEqual(seen.map(hostOf), ["127.0.0.2", "127.0.0.2"]);
    await balancer.stop();
    await backend.stop();
  },
});

// deno-lint-ignore-file no-await-in-loop -- the combinations follow one another

/** Unix sockets as listeners and as backends, in every combination with TCP and with the health checks. */

import assert from "node:assert/strict";
import { type Address, formatAddress } from "../../lib/core/address.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { startTestBalancer, type TestBalancer, until } from "../support/balancer.ts";
import { bytes, pattern, readAll, same, text } from "../support/bytes.ts";
import { onEachEngine } from "../support/engines.ts";

const TRANSPORTS = ["tcp", "unix"] as const;

const CHECKS = {
  tcp: { type: "tcp" },
  http: { type: "http", path: "/health" },
  expect: { type: "expect", send: "PING\r\n", expect: "+PONG" },
} as const;

/** Answers what any of the checks asks, and mirrors everything else. */
async function serve(conn: Deno.Conn): Promise<void> {
  const first = new Uint8Array(1024);
  const got = await conn.read(first) ?? 0;
  const asked = text(first.subarray(0, got));
  if (asked.startsWith("GET /health ")) {
    return await writeAll(conn, bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  }
  if (asked.startsWith("PING")) return await writeAll(conn, bytes("+PONG\r\n"));
  const rest = await readAll(conn);
  await writeAll(conn, first.subarray(0, got));
  await writeAll(conn, rest);
}

interface Server extends AsyncDisposable {
  readonly address: string;
}

function startServer(transport: "tcp" | "unix", path: string): Server {
  const listener = transport === "unix"
    ? Deno.listen({ transport, path })
    : Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = new Set<Promise<void>>();
  const accepting = (async () => {
    for await (const conn of listener) {
      const done = serve(conn).catch(() => {}).finally(() => {
        served.delete(done);
        conn.close();
      });
      served.add(done);
    }
  })();
  const { addr } = listener;
  return {
    address: "port" in addr ? `127.0.0.1:${addr.port}` : `unix:${path}`,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await accepting;
      await Promise.all(served);
    },
  };
}

async function askAt(address: Address, data: Uint8Array): Promise<Uint8Array> {
  using conn = address.transport === "unix"
    ? await Deno.connect({ transport: "unix", path: address.path })
    : await Deno.connect({ hostname: "127.0.0.1", port: address.transport === "tcp" ? address.port : 0 });
  const sending = writeAll(conn, data).then(() => conn.closeWrite());
  const answer = await readAll(conn);
  await sending;
  return answer;
}

function isUp({ balancer }: TestBalancer, pool: string): boolean {
  const row = balancer.plan.pools.find(({ name }) => name === pool)?.backends[0]?.row;
  return balancer.scoreboard.facts(row ?? assert.fail(pool)).isUp;
}

onEachEngine(
  "TCP and Unix sockets serve each other in every combination, with every health check",
  async (engine) => {
    const folder = await Deno.makeTempDir();
    const cases = TRANSPORTS.flatMap((transport) =>
      (["tcp", "http", "expect"] as const).map((check) => ({ transport, check }))
    );
    const servers = cases.map(({ transport, check }) =>
      startServer(transport, `${folder}/backend-${check}.sock`)
    );
    const pools = Object.fromEntries(cases.map(({ transport, check }, i) => [`${transport}-${check}`, {
      backends: [servers[i]?.address],
      // No session is served before its check has passed.
      initial: "down",
      health_check: { ...CHECKS[check], interval: "100ms", timeout: "90ms", rise: 1, fall: 1 },
    }]));
    const listeners = Object.keys(pools).flatMap((pool) => [
      { name: `tcp:${pool}`, listen: "127.0.0.1:0", pool },
      { name: `unix:${pool}`, listen: `unix:${folder}/${pool}.sock`, pool },
    ]);
    {
      await using balancer = await startTestBalancer({
        engine,
        workers: 2,
        backends: [servers[0]?.address ?? ""],
        otherPools: pools,
        otherListeners: listeners,
      });
      await until(() => Object.keys(pools).every((pool) => isUp(balancer, pool)), "all backends are up");
      const data = pattern(300_000);
      for (const { name, address, pool } of balancer.balancer.plan.listeners) {
        if (!name.includes(":")) continue;
        assert.equal(address.transport, name.split(":")[0]);
        assert.ok(same(await askAt(address, data), data), `${name} at ${formatAddress(address)} ${pool}`);
      }
      const records = await balancer.waitForRecords(listeners.length);
      assert.deepEqual(
        records.map(({ listener }) => listener).sort(),
        listeners.map(({ name }) => name).sort(),
      );
      for (const { end, bytes_in, bytes_out, listener, client } of records) {
        assert.deepEqual([end, bytes_in, bytes_out], ["done", data.length, data.length], listener);
        assert.match(client, listener.startsWith("unix") ? /^unix$/ : /^127\.0\.0\.1:\d+$/);
      }
      for (const server of servers) await server[Symbol.asyncDispose]();
      await until(() => Object.keys(pools).every((pool) => !isUp(balancer, pool)), "all backends are down");
    }
    const left = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
    assert.deepEqual(left.filter((name) => !name.startsWith("backend-")), [], "listeners leave no file");
    await Deno.remove(folder, { recursive: true });
  },
);

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { joined } from "../../lib/engine/runtime/joined_listener.ts";
import { until } from "../support/balancer.ts";

function listenOn(count: number): Deno.TcpListener[] {
  return Array.from({ length: count }, (_, i) => Deno.listen({ hostname: `127.0.0.${i + 1}`, port: 0 }));
}

async function knock({ addr: { hostname, port } }: Deno.TcpListener): Promise<Deno.Conn> {
  return await Deno.connect({ hostname, port });
}

/** Where a connection came in. */
function hostOf(conn: Deno.Conn): string {
  assert.ok("hostname" in conn.localAddr);
  return conn.localAddr.hostname;
}

Deno.test("one listener alone stays what it is", () => {
  const [only] = listenOn(1);
  assert.ok(only !== undefined);
  assert.equal(joined([only], () => {}), only);
  only.close();
});

Deno.test("connections of every socket come in, however they are mixed", async () => {
  const parts = listenOn(2);
  const listener = joined(parts, () => assert.fail("nothing is left over"));
  const seen: string[] = [];
  for (const at of [0, 1, 1, 1, 0, 1, 0, 0]) {
    const accepted = listener.accept();
    using client = await knock(parts[at] ?? assert.fail());
    using served = await accepted;
    seen.push(hostOf(served));
    assert.ok(client);
  }
  assert.deepEqual(seen.map((host) => host.at(-1)).join(""), "12221211");
  const last = listener.accept();
  listener.close();
  await assert.rejects(last);
});

Deno.test("what is accepted before it is asked for waits its turn, and is handed over at the end", async () => {
  const parts = listenOn(2);
  const [one, two] = parts;
  assert.ok(one !== undefined && two !== undefined);
  const left: Deno.Conn[] = [];
  let accepted = 0;
  for (const part of parts) {
    const accept = part.accept.bind(part);
    part.accept = async () => {
      const conn = await accept();
      accepted++;
      return conn;
    };
  }
  const listener = joined(parts, (conn) => left.push(conn));
  const clients: Deno.Conn[] = [];

  const first = listener.accept();
  clients.push(await knock(one));
  const served = [await first];
  // Nothing is asked for, but the other socket still accepts.
  clients.push(await knock(two));
  served.push(await listener.accept());
  assert.deepEqual(served.map(hostOf), ["127.0.0.1", "127.0.0.2"]);

  // Both accept for one question; the second that comes is left.
  const third = listener.accept();
  clients.push(await knock(one), await knock(two));
  served.push(await third);
  await until(() => accepted === 4, "both are accepted");
  listener.close();
  await until(() => left.length === 1, "the connection that was not asked for is handed over");
  for (const conn of [...clients, ...served, ...left]) conn.close();
});

Deno.test("an error of one socket is told, and the other goes on", async () => {
  const [healthy] = listenOn(1);
  assert.ok(healthy !== undefined);
  let fails = 0;
  const broken = Object.assign(listenOn(1)[0] ?? assert.fail(), {
    accept: () => ++fails === 1 ? Promise.reject(new Error("out of descriptors")) : new Promise(() => {}),
  }) as Deno.TcpListener;
  const listener = joined([healthy, broken], () => {});
  await assert.rejects(listener.accept(), /out of descriptors/);
  const accepted = listener.accept();
  using client = await knock(healthy);
  using served = await accepted;
  assert.ok(client && served);
  assert.equal(fails, 2, "the broken one is asked again");
  listener.close();
});

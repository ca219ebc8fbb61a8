import assert from "node:assert/strict";
import { arrivesAt, overlap } from "../../lib/config/overlaps.ts";
import { parseListenAddress } from "../../lib/core/address.ts";
import { assertFaults } from "./faults.ts";

function overlaps(one: string, other: string): boolean {
  const [a, b] = [parseListenAddress(one), parseListenAddress(other)];
  assert.equal(overlap(a, b), overlap(b, a), "it does not matter which comes first");
  return overlap(a, b);
}

Deno.test("addresses overlap when a connection could be meant for both", () => {
  for (
    const [one, other] of [
      [":80", "127.0.0.1:80"],
      [":80", "10.0.0.1:80"],
      [":80", "[::1]:80"],
      [":80", "example.com:80"],
      [":80", "0.0.0.0:80"],
      [":80", "[::]:80"],
      ["[::]:80", "127.0.0.1:80"],
      ["[::]:80", "0.0.0.0:80"],
      ["[0:0:0:0:0:0:0:0]:80", "[::1]:80"],
      ["0.0.0.0:80", "127.0.0.1:80"],
      ["0.0.0.0:80", "localhost:80"],
      ["localhost:80", "127.0.0.1:80"],
      ["localhost:80", "[::1]:80"],
      ["LOCALHOST:80", "localhost.:80"],
      ["Example.com:80", "example.com.:80"],
      ["[::1]:80", "[0:0:0::1]:80"],
      ["[fe80::A%eth0]:80", "[fe80::a%eth0]:80"],
      ["[::ffff:127.0.0.1]:80", "127.0.0.1:80"],
      ["[::ffff:7f00:1]:80", "127.0.0.1:80"],
      ["unix:/run/a.sock", "unix:/run/a.sock"],
    ] as const
  ) assert.ok(overlaps(one, other), `${one} ${other}`);
});

Deno.test("addresses do not overlap when no connection could be meant for both", () => {
  for (
    const [one, other] of [
      [":80", ":81"],
      [":0", ":0"],
      ["127.0.0.1:0", "127.0.0.1:0"],
      ["127.0.0.1:80", "127.0.0.2:80"],
      ["127.0.0.1:80", "[::1]:80"],
      ["0.0.0.0:80", "[::1]:80"],
      ["localhost:80", "127.0.0.2:80"],
      ["a.example:80", "b.example:80"],
      ["unix:/run/a.sock", "unix:/run/b.sock"],
      ["unix:/run/a.sock", ":80"],
    ] as const
  ) assert.ok(!overlaps(one, other), `${one} ${other}`);
});

Deno.test("what the system refuses for one of two listeners is found to overlap, and what it takes is not", () => {
  const hosts = ["127.0.0.1", "127.0.0.2", "0.0.0.0", "::", "::1", "::ffff:127.0.0.1"];
  for (const one of hosts) {
    using first = tryToListen(one, 0);
    if (first === undefined) continue;
    for (const other of hosts) {
      using second = tryToListen(other, first.addr.port);
      const [a, b] = [one, other].map((host) => {
        return { transport: "tcp", host, port: first.addr.port } as const;
      }) as [Parameters<typeof overlap>[0], Parameters<typeof overlap>[0]];
      // A port that is taken on one address only says nothing.
      if (second !== undefined) assert.ok(!overlap(a, b), `${one} ${other}`);
      else assert.ok(overlap(a, b), `${one} ${other}`);
    }
  }
});

function tryToListen(hostname: string, port: number): Deno.TcpListener | undefined {
  try {
    return Deno.listen({ hostname, port });
  } catch {
    return undefined;
  }
}

Deno.test("a dial arrives at a listener of this machine only when that is certain", () => {
  for (
    const [dialled, listener, arrives] of [
      ["127.0.0.1:80", ":80", true],
      ["127.0.0.7:80", "0.0.0.0:80", true],
      ["localhost:80", "127.0.0.1:80", true],
      ["0.0.0.0:80", "127.0.0.1:80", true],
      ["[::1]:80", ":80", true],
      ["10.0.0.1:80", "10.0.0.1:80", true],
      ["unix:/a", "unix:/a", true],
      ["10.0.0.1:80", ":80", false],
      ["example.com:80", ":80", false],
      ["127.0.0.1:81", ":80", false],
      ["127.0.0.2:80", "127.0.0.1:80", false],
    ] as const
  ) {
    assert.equal(
      arrivesAt(parseListenAddress(dialled), parseListenAddress(listener)),
      arrives,
      `${dialled} ${listener}`,
    );
  }
});

Deno.test("overlapping listeners are a fault at the second one, the admin side among them", () => {
  const pools = "pools: { p: { backends: [a:1] } }";
  assertFaults(
    `listeners: [{ listen: ":80", pool: p }, { listen: "127.0.0.1:80", pool: p }]\n${pools}\n`,
    ["1:51 listeners[1].listen", '"127.0.0.1:80" overlaps with ":80" of listeners[0]: both would take'],
  );
  assertFaults(
    `listeners: [{ listen: ":80", pool: p }]\n${pools}\nadmin: { listen: "localhost:80" }\n`,
    ["3:18 admin.listen", '"localhost:80" overlaps with ":80" of listeners[0]'],
  );
});

Deno.test("a Unix path is the same however it is written", () => {
  assertFaults(
    'listeners: [{ listen: "unix:run/../a.sock", pool: p }, { listen: "unix:./a.sock", pool: p }]\n' +
      "pools: { p: { backends: [a:1] } }\n",
    ["1:66 listeners[1].listen", "is used a second time"],
  );
});

Deno.test("a path that is needed beside another one is a fault, of listeners and of the admin side", () => {
  const pools = "pools: { p: { backends: [a:1] } }";
  const fault = (path: string, beside: string): string =>
    `"unix:${path}" is needed beside "unix:/run/a.sock" of ${beside}, whose socket is made or handed over there`;
  assertFaults(
    `listeners: [{ listen: "unix:/run/a.sock.new", pool: p }, { listen: "unix:/run/a.sock", pool: p }]\n${pools}\n`,
    ["1:23 listeners[0].listen", fault("/run/a.sock.new", "listeners[1]")],
  );
  for (const suffix of ["new", "fds"]) {
    assertFaults(
      `listeners: [{ listen: "unix:/run/a.sock.${suffix}", pool: p }]\n${pools}\nadmin: { listen: "unix:/run/a.sock" }\n`,
      ["1:23 listeners[0].listen", fault(`/run/a.sock.${suffix}`, "the admin side")],
    );
  }
  assertFaults(
    `listeners: [{ listen: "unix:/run/a.sock", pool: p }]\n${pools}\nadmin: { listen: "unix:/run/a.sock.new" }\n`,
    ["3:18 admin.listen", fault("/run/a.sock.new", "listeners[0]")],
  );
  assertFaults(
    `listeners: [{ listen: "unix:/run/a.sock", pool: p }, { listen: "unix:/run/a.sock.fds", pool: p }]\n${pools}\n`,
  );
});

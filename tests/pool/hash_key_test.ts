import assert from "node:assert/strict";
import { type AlgorithmName, algorithms } from "../../lib/balance/algorithms.ts";
import type { Endpoint } from "../../lib/core/endpoint.ts";
import { HASH_KEYS, keyOf } from "../../lib/pool/hash_key.ts";

interface Session {
  readonly source: Endpoint;
}

function tcp(host: string, port = 40_000): Session {
  return { source: { transport: "tcp", host, port } };
}

const UNIX: Session = { source: { transport: "unix" } };

Deno.test("sessions of one IP address have one key, whatever their port", () => {
  for (const ip of ["192.0.2.7", "2001:db8::7"]) {
    const keys = [1, 80, 40_000, 65_535].map((port) => keyOf(tcp(ip, port), "maglev", "source_ip"));
    assert.equal(new Set(keys).size, 1, ip);
  }
});

Deno.test("other IP addresses have other keys", () => {
  const ips = Array.from({ length: 250 }, (_, i) => `192.0.2.${i + 1}`);
  // MurmurHash3 has a collision among these no more often than once in 100,000 such sets; this one has none.
  assert.equal(new Set(ips.map((ip) => keyOf(tcp(ip), "maglev", "source_ip"))).size, ips.length);
});

Deno.test("an IPv4 address that an IPv6 socket shows has the key that it has by itself", () => {
  for (const hashKey of HASH_KEYS) {
    assert.equal(
      keyOf(tcp("::ffff:192.0.2.7"), "maglev", hashKey),
      keyOf(tcp("192.0.2.7"), "maglev", hashKey),
      hashKey,
    );
  }
});

Deno.test("by source_address sessions of one IP address have other keys for other ports, and the same for the same", () => {
  const keys = [1, 80, 40_000, 65_535].map((port) =>
    keyOf(tcp("192.0.2.7", port), "maglev", "source_address")
  );
  assert.equal(new Set(keys).size, 4);
  assert.equal(keyOf(tcp("192.0.2.7", 80), "maglev", "source_address"), keys[1]);
});

Deno.test("an address and a port are not mistaken for another address and port", () => {
  const one = keyOf(tcp("192.0.2.1", 11), "maglev", "source_address");
  const other = keyOf(tcp("192.0.2.11", 1), "maglev", "source_address");
  assert.notEqual(one, other);
});

Deno.test("keys are 32 bits, as a number of at least 0", () => {
  for (let i = 0; i < 1_000; i++) {
    const key = keyOf(tcp(`10.0.${i >> 8}.${i & 255}`), "maglev", "source_ip");
    assert.ok(Number.isInteger(key) && key >= 0 && key < 2 ** 32, `${key}`);
  }
});

Deno.test("all clients of a Unix socket have the same key", () => {
  for (const hashKey of HASH_KEYS) assert.equal(keyOf(UNIX, "maglev", hashKey), 0);
});

Deno.test("an algorithm that does not ask for a key does not cost one", () => {
  const others = (Object.keys(algorithms) as AlgorithmName[]).filter((name) => name !== "maglev");
  assert.ok(others.length > 0);
  for (const algorithm of others) {
    for (const hashKey of HASH_KEYS) assert.equal(keyOf(tcp("192.0.2.7"), algorithm, hashKey), 0, algorithm);
  }
});

Deno.test("sessions that ask for one server by name belong together, whoever asks; without a name one IP address does", () => {
  const keyFor = (host: string, name?: string): number => keyOf(tcp(host), "maglev", "sni", name);
  assert.equal(keyFor("192.0.2.1", "www.example.com"), keyFor("192.0.2.2", "www.example.com"));
  assert.notEqual(keyFor("192.0.2.1", "www.example.com"), keyFor("192.0.2.1", "api.example.com"));
  assert.equal(keyFor("192.0.2.1"), keyOf(tcp("192.0.2.1"), "maglev", "source_ip"));
});

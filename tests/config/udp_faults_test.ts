/** Listeners that take datagrams: what a configuration says wrong, and the one sentence that it gets. */

import { assertFaults } from "./faults.ts";

/** A listener on UDP with these keys, from column 50 of line 1 on, and its pool with these, from column 40 of line 2 on. */
function withUdp(listener: string, pool = ""): string {
  return `listeners: [{ listen: "udp:127.0.0.1:53", pool: dns, ${listener} }]\n` +
    `pools: { dns: { backends: [10.0.0.1:53], ${pool} } }\n`;
}

Deno.test("what means nothing for datagrams is a fault of its listener", () => {
  const keys: readonly [string, string][] = [
    [
      "tls: { certificates: [{ cert: a.pem, key: a.key }] }",
      "TLS needs a connection, and this listener takes datagrams (UDP); leave tls out",
    ],
    ["routes: [{ sni: a.example, pool: dns }]", "routes go by the first message of TLS over TCP"],
    ["proxy_protocol: { from: [10.0.0.0/8] }", "a PROXY header introduces a connection"],
    ["max_connections: 5", "UDP has no connections; write max_flows"],
    ["handshake_timeout: 5s", "UDP has no handshake; leave handshake_timeout out"],
    ["half_close_timeout: 5s", "leave half_close_timeout out, idle_timeout ends a flow"],
    ["keepalive: { idle: 0s }", "leave keepalive out, idle_timeout ends a flow"],
    ["backlog: 5", "no datagram waits to be accepted; leave backlog out"],
    ['mode: "0660"', "only a Unix socket has a file; leave mode out"],
    ["group: 5", "only a Unix socket has a file; leave group out"],
  ];
  for (const [key, part] of keys) {
    assertFaults(withUdp(key), [`1:54 listeners[0].${key.slice(0, key.indexOf(":"))}`, part]);
  }
  assertFaults(withUdp(
    "allow: [10.0.0.0/8], deny: [10.0.0.7], max_connections_per_source: 3, connection_rate: { per_second: 5 }, " +
      "max_session_duration: 1h, routes: []",
  ));
});

Deno.test("what bounds flows belongs to a listener that takes datagrams", () => {
  assertFaults(
    'listeners: [{ listen: ":53", pool: dns, max_flows: 5, responses: 1 }]\npools: { dns: { backends: [a:1] } }\n',
    [
      "1:41 listeners[0].max_flows",
      "max_flows belongs to a listener that takes datagrams; leave it out, or listen on udp:host:port",
    ],
    ["1:55 listeners[0].responses", "responses belongs to a listener that takes datagrams"],
  );
  assertFaults(
    withUdp("max_flows: 0, responses: -1"),
    ["1:65 listeners[0].max_flows", "0 is too small; write 1 to 1000000"],
    ["1:79 listeners[0].responses", "-1 is too small; write 0 to 1000000"],
  );
});

Deno.test("a pool has the backends of connections or of datagrams, not of both", () => {
  const listeners =
    '[{ listen: ":53", pool: dns }, { listen: "udp::53", pool: dns }, { listen: "udp::54", pool: dns }]';
  const why =
    "the pool dns has the connections of listeners[0] already, and this listener takes datagrams; " +
    "write a pool of its own for it";
  assertFaults(
    `listeners: ${listeners}\npools: { dns: { backends: [a:1] } }\n`,
    ["1:70 listeners[1].pool", why],
    ["1:104 listeners[2].pool", why],
  );
  assertFaults(
    'listeners: [{ listen: "udp::53", pool: a }, { listen: ":53", pool: b, routes: [{ sni: x.example, pool: a }] }]\n' +
      "pools: { a: { backends: [a:1] }, b: { backends: [a:1] } }\n",
    [
      "1:104 listeners[1].routes[0].pool",
      "the pool a has the datagrams of listeners[0] already, and this listener takes connections",
    ],
  );
});

Deno.test("what means nothing for datagrams is a fault of their pool", () => {
  const served = "and this pool has the datagrams of listeners[0]";
  assertFaults(withUdp("", "tls: {}"), [
    "2:42 pools.dns.tls",
    `TLS needs a connection, ${served}; leave tls out`,
  ]);
  assertFaults(withUdp("", "send_proxy_protocol: v2"), [
    "2:42 pools.dns.send_proxy_protocol",
    `a PROXY header introduces a connection, ${served}; leave send_proxy_protocol out`,
  ]);
  assertFaults(withUdp("", "algorithm: maglev, hash_key: sni"), [
    "2:71 pools.dns.hash_key",
    `a server name is asked for with TLS, ${served}; write source_ip or source_address`,
  ]);
  assertFaults(withUdp("", "send_proxy_protocol: none, algorithm: maglev, hash_key: source_address"));
  assertFaults(
    'listeners: [{ listen: "udp::53", pool: dns }]\n' +
      'pools: { dns: { backends: ["unix:/a", { address: "unix:/b" }, "udp:10.0.0.1:53"] } }\n',
    ["2:28 pools.dns.backends[0]", `a Unix socket takes connections, ${served}; write host:port`],
    ["2:50 pools.dns.backends[1].address", "a Unix socket takes connections"],
    [
      "2:63 pools.dns.backends[2]",
      '"udp:10.0.0.1:53": write it without udp:; backends are dialled over UDP when the listeners of their pool are',
    ],
  );
});

Deno.test("a health check says whether it asks by datagrams", () => {
  assertFaults(withUdp("", "health_check: { interval: 5s }"), [
    "2:56 pools.dns.health_check.type",
    "missing; write udp (with send, and expect), or tcp, http or expect, which ask over TCP",
  ]);
  assertFaults(withUdp("", "health_check: { type: tcp, port: 8080 }"));
  assertFaults(withUdp("", "health_check: { type: udp, send: a }"));
  assertFaults(withUdp("", "health_check: { type: udp, expect: /(/ }"), [
    "2:56 pools.dns.health_check.send",
    "missing; write the datagram that is sent, in double quotes",
  ], ["2:77 pools.dns.health_check.expect", "is not a regular expression"]);
  assertFaults(
    withUdp("", 'health_check: { type: udp, send: "", quit: a, path: / }'),
    [
      "2:75 pools.dns.health_check.send",
      "empty; write the datagram that is sent",
    ],
    ["2:79 pools.dns.health_check.quit", "quit belongs to type expect; this check has type udp"],
    [
      "2:88 pools.dns.health_check.path",
      "path belongs to type http; this check has type udp",
    ],
  );
  assertFaults(withUdp("", 'health_check: { type: udp, send: "\\u2192", expect: "ü→" }'), [
    "2:75 pools.dns.health_check.send",
    '"→" is no byte; write bytes as "\\x00" to "\\xff" in double quotes',
  ], ["2:93 pools.dns.health_check.expect", '"→" is no byte']);
  assertFaults(
    'listeners: [{ listen: ":53", pool: dns }]\n' +
      "pools: { dns: { backends: [a:1], health_check: { type: udp, send: a } } }\n",
    [
      "2:56 pools.dns.health_check.type",
      "type udp is for the pools of listeners on UDP; use tcp, http or expect",
    ],
  );
});

Deno.test("a port of UDP and one of TCP stand beside each other, and the same one of UDP does not stand twice", () => {
  const pools = "pools: { a: { backends: [a:1] }, b: { backends: [a:1] } }\n";
  assertFaults(`listeners: [{ listen: ":53", pool: a }, { listen: "udp::53", pool: b }]\n${pools}`);
  assertFaults(`listeners: [{ listen: "udp::53", pool: b }, { listen: "udp::053", pool: b }]\n${pools}`, [
    "1:55 listeners[1].listen",
    'the address "udp::53" is used a second time',
  ]);
  assertFaults(
    `listeners: [{ listen: "udp::53", pool: b }, { listen: "udp:127.0.0.1:53", pool: b }]\n${pools}`,
    [
      "1:55 listeners[1].listen",
      '"udp:127.0.0.1:53" overlaps with "udp::53" of listeners[0]: both would take the same datagrams',
    ],
  );
  assertFaults(
    `listeners: [{ name: a, listen: "udp::0", pool: b }, { name: b, listen: "udp::0", pool: b }]\n${pools}`,
  );
});

Deno.test("the admin side needs connections, and an address for datagrams is told as any other", () => {
  assertFaults(withUdp("") + "admin: { listen: 'udp:127.0.0.1:9901' }\n", [
    "3:18 admin.listen",
    '"udp:127.0.0.1:9901": UDP does not fit here; write host:port or unix:/path',
  ]);
  assertFaults('listeners: [{ listen: "udp:53", pool: a }]\npools: { a: { backends: [a:1] } }\n', [
    "1:23 listeners[0].listen",
    '"udp:53" is only a port; write udp::53 or udp:127.0.0.1:53',
  ]);
});

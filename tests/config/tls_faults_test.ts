/** Routes, TLS and the PROXY protocol: what a configuration says wrong, and the one sentence that it gets. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import { assertFaults, MINIMAL, withBackends, withListenerLine, withPoolLine } from "./faults.ts";

/** A configuration with one listener that has no pool of its own, and this behind its address. */
function withListener(keys: string): string {
  return `listeners: [{ listen: ":1", ${keys} }]\npools: { web: { backends: [a:1] }, api: { backends: [a:2] } }\n`;
}

Deno.test("a listener needs a pool unless it has routes", () => {
  assertFaults(withListener("name: a"), ["1:13 listeners[0].pool", "missing; name one of the pools"]);
  assertFaults(withListener("routes: []"), ["1:13 listeners[0].pool", "missing; name one of the pools"]);
  assertFaults(withListener("pool: web, routes: []"));
  assertFaults(withListener("routes: [{ sni: a.example, pool: web }]"));
  assert.equal(
    parseConfig(withListener("routes: [{ alpn: [h2], pool: web }]"), "f").listeners[0]?.pool,
    undefined,
  );
});

Deno.test("a route names a pool that there is, and what it is taken for", () => {
  assertFaults(
    withListener("pool: web, routes: [{ sni: a.example, pool: ap }, { sni: b.example }, { pool: api }, 5]"),
    ["1:73 listeners[0].routes[0].pool", 'there is no pool "ap"; did you mean api?'],
    ["1:79 listeners[0].routes[1].pool", "missing; name one of the pools"],
    [
      "1:99 listeners[0].routes[2]",
      "a route needs sni, alpn or both; what no route matches goes to the pool",
    ],
    ["1:114 listeners[0].routes[3]", "5 is not a map; a route is a map of sni, alpn, pool"],
  );
  assertFaults(withListener("routes: { sni: a.example, pool: web }"), [
    "1:37 listeners[0].routes",
    'is not a list; list routes, as - { sni: "*.example.com", pool: web }',
  ]);
});

Deno.test("a route that stands twice is a fault, however its name is written", () => {
  const twice = "the same sni and alpn as routes[0], which is always taken first; leave one of them out";
  assertFaults(withListener("routes: [{ sni: a.example, pool: web }, { sni: A.Example., pool: api }]"), [
    "1:69 listeners[0].routes[1]",
    twice,
  ]);
  assertFaults(withListener("routes: [{ alpn: [a, b], pool: web }, { alpn: [b, a], pool: web }]"), [
    "1:67 listeners[0].routes[1]",
    twice,
  ]);
  assertFaults(
    withListener("routes: [{ sni: a.example, pool: web }, { sni: a.example, alpn: [h2], pool: web }]"),
  );
});

Deno.test("a server name is read in any case, and what is none is told what to write", () => {
  const sni = (value: string): string => withListener(`routes: [{ sni: ${value}, pool: web }]`);
  const { routes } = parseConfig(sni('"*.Example.COM."'), "f").listeners[0] ?? {};
  assert.deepEqual(routes, [{ sni: "*.example.com", alpn: [], pool: "web" }]);
  const place = "1:45 listeners[0].routes[0].sni";
  assertFaults(sni('"*"'), [place, '"*" matches every name already when there is none; leave it out']);
  assertFaults(sni("10.0.0.1"), [
    place,
    '"10.0.0.1" is an IP address, and clients that dial an address send no',
  ]);
  assertFaults(sni("a.example:443"), [place, '"a.example:443" is more than a server name; write it without']);
  assertFaults(sni("[a.example]"), [
    place,
    '["a.example"] is not a server name; write www.example.com or *.example.com',
  ]);
  assertFaults(sni("~"), [place, "empty; write www.example.com or *.example.com"]);
  const name = (value: string): string => withPoolLine(`tls: { server_name: ${value} }`);
  assertFaults(name('"*.A.example"'), [
    "8:25 pools.web.tls.server_name",
    '"*.A.example" is not one server name; write www.A.example',
  ]);
  assertFaults(name("a b"), [
    "8:25 pools.web.tls.server_name",
    '"a b" is more than a server name; write it without',
  ]);
  assertFaults(name("1"), [
    "8:25 pools.web.tls.server_name",
    "1 is not a server name; write it as www.example.com",
  ]);
});

Deno.test("protocols are a list of names, each once", () => {
  const alpn = (value: string): string => withListenerLine(`routes: [{ pool: web, sni: a, alpn: ${value} }]`);
  const place = "4:41 listeners[0].routes[0].alpn";
  assertFaults(alpn("h2"), [place, '"h2" is not a list; list protocols, as [h2, http/1.1]']);
  assertFaults(alpn("['']"), [
    "4:42 listeners[0].routes[0].alpn[0]",
    '"" is not a protocol of ALPN; write its',
  ]);
  assertFaults(alpn("['a\\b']"), ["4:42 listeners[0].routes[0].alpn[0]", "is not a protocol of ALPN"]);
  assertFaults(alpn("[h2, ü]"), ["4:46 listeners[0].routes[0].alpn[1]", "is not a protocol of ALPN"]);
  assertFaults(alpn("[h2, h2]"), [
    "4:46 listeners[0].routes[0].alpn[1]",
    '"h2" stands here a second time',
  ]);
  assertFaults(withPoolLine("tls: { alpn: [a, a] }"), [
    "8:22 pools.web.tls.alpn[1]",
    '"a" stands here a second time',
  ]);
});

Deno.test("a listener either routes by TLS or opens it", () => {
  const text = withListenerLine(
    "routes: [{ sni: a, pool: web }]\n    tls: { certificates: [{ cert: a, key: b }] }",
  );
  assertFaults(text, [
    "4:5 listeners[0].routes",
    "routes go by the ClientHello of a TLS that stays closed, but this listener opens it; leave routes or tls out",
  ]);
});

Deno.test("TLS of a listener has certificates with their keys", () => {
  const tls = (value: string): string => withListenerLine(`tls: ${value}`);
  assertFaults(tls("true"), [
    "4:10 listeners[0].tls",
    "true is not a map; write tls: { certificates: [{ cert: a.pem, key: a.key }] }",
  ]);
  assertFaults(tls("{}"), [
    "4:10 listeners[0].tls.certificates",
    "missing; list certificates, as - { cert: a.pem, key: a.key }",
  ]);
  assertFaults(tls("{ certificates: [] }"), [
    "4:26 listeners[0].tls.certificates",
    "empty; list at least one certificate, as - { cert: a.pem, key: a.key }",
  ]);
  assertFaults(tls("{ certificates: [{ cert: a.pem }, a.pem, { cert: a.pem, key: b }] }"), [
    "4:27 listeners[0].tls.certificates[0].key",
    "missing; write the path of a file",
  ], [
    "4:44 listeners[0].tls.certificates[1]",
    '"a.pem" is not a map; a certificate is a map of cert, key',
  ], [
    "4:59 listeners[0].tls.certificates[2].cert",
    'the certificate "a.pem" is used a second time',
  ]);
});

Deno.test("a version of TLS may stand with or without quotes", () => {
  const version = (value: string): string =>
    withListenerLine(`tls: { certificates: [{ cert: a, key: b }], min_version: ${value} }`);
  for (const [value, read] of [["1.2", "1.2"], ["1.3", "1.3"], ['"1.2"', "1.2"], ["'1.3'", "1.3"]] as const) {
    assert.equal(parseConfig(version(value), "f").listeners[0]?.tls?.minVersion, read);
  }
  for (
    const [value, hint] of [
      ["1.1", "use 1.2, 1.3"],
      ["1", "use 1.2, 1.3"],
      ["TLSv1.2", "write 1.2"],
      ["tls1_3", "write 1.3"],
      ["TLS13", "write 1.3"],
      ["SSLv3", "use 1.2, 1.3"],
      ["[]", "use 1.2, 1.3"],
    ] as const
  ) assertFaults(version(value), ["4:62 listeners[0].tls.min_version", `; ${hint}`]);
  assertFaults(version("~"), ["4:62 listeners[0].tls.min_version", "empty; use 1.2, 1.3"]);
});

Deno.test("who sends a PROXY header is a list of ranges, or the peers of a Unix socket", () => {
  const from = (value: string, listen = ":1"): string =>
    `listeners: [{ pool: web, listen: "${listen}", proxy_protocol: ${value} }]\npools: { web: { backends: [a:1] } }\n`;
  assertFaults(from("true"), [
    "1:56 listeners[0].proxy_protocol",
    "true is not a map; write proxy_protocol: { from: [10.0.0.0/8] }",
  ]);
  assertFaults(from("{}"), ["1:56 listeners[0].proxy_protocol.from", "missing; list who sends a header"]);
  assertFaults(from("{ from: [] }"), [
    "1:64 listeners[0].proxy_protocol.from",
    "empty; list who sends a header",
  ]);
  assertFaults(from("{ from: 10.0.0.0/8 }"), [
    "1:64 listeners[0].proxy_protocol.from",
    "is not a list; list who sends",
  ]);
  assertFaults(
    from("{ from: [10.0.0.1/8, '::ffff:10.0.0.0/104', api, unix, 10.0.0.1, 10.0.0.1] }"),
    [
      "1:65 listeners[0].proxy_protocol.from[0]",
      '"10.0.0.1/8" does not begin at its first address; write 10.0.0.0/8',
    ],
    [
      "1:77 listeners[0].proxy_protocol.from[1]",
      '"::ffff:10.0.0.0/104" is IPv4 written as IPv6; write 10.0.0.0/8',
    ],
    [
      "1:100 listeners[0].proxy_protocol.from[2]",
      '"api" is not a range of IP addresses; write it as 10.0.0.0/8',
    ],
    [
      "1:105 listeners[0].proxy_protocol.from[3]",
      "only a listener on a Unix socket has peers without an address",
    ],
    ["1:121 listeners[0].proxy_protocol.from[5]", '"10.0.0.1" stands here a second time'],
  );
  assertFaults(from("{ from: [unix] }", "unix:/s"));
  assertFaults(from("{ from: [10.0.0.0/8] }", "unix:/s"), [
    "1:70 listeners[0].proxy_protocol.from[0]",
    "peers of a Unix socket have no IP address; write [unix]",
  ]);
  const { proxyProtocol } =
    parseConfig(from("{ from: [10.0.0.0/8, '2001:DB8::/32', '::1'] }"), "f").listeners[0] ?? {};
  assert.deepEqual(proxyProtocol?.from, [
    { network: "10.0.0.0", prefixBits: 8 },
    { network: "2001:db8::", prefixBits: 32 },
    { network: "::1", prefixBits: 128 },
  ]);
});

Deno.test("a handshake has an end", () => {
  assertFaults(withListenerLine("handshake_timeout: 0s"), [
    "4:24 listeners[0].handshake_timeout",
    '"0s" is too short; write at least 1ms',
  ]);
});

Deno.test("a pool sends a PROXY header of version 1 or 2, or none", () => {
  const sent = (value: string): unknown =>
    parseConfig(withPoolLine(`send_proxy_protocol: ${value}`), "f").pools.web?.sendProxyProtocol;
  assert.equal(sent("none"), undefined);
  assert.deepEqual(sent("v1"), { version: "v1", checksum: false });
  assert.deepEqual(sent("{ version: v2 }"), { version: "v2", checksum: false });
  assert.deepEqual(sent("{ version: v2, checksum: true }"), { version: "v2", checksum: true });
  const place = "8:26 pools.web.send_proxy_protocol";
  const refused = (value: string, ...expected: [string, string][]): void =>
    assertFaults(withPoolLine(`send_proxy_protocol: ${value}`), ...expected);
  refused("v3", [place, 'unknown version of the PROXY protocol "v3"; ']);
  refused("2", [place, "unknown version of the PROXY protocol 2; use none, v1, v2"]);
  refused("true", [place, "unknown version of the PROXY protocol true; use none, v1, v2"]);
  refused("~", [place, "empty; use none, v1, v2"]);
  refused("{}", [`${place}.version`, "missing; use v1, v2"]);
  refused("{ version: v2, sum: 1 }", [
    "8:41 pools.web.send_proxy_protocol.sum",
    'unknown key "sum"; use version, checksum',
  ]);
  refused("{ version: v1, checksum: true }", [
    "8:51 pools.web.send_proxy_protocol.checksum",
    "only version 2 has a checksum; write version: v2, or leave it out",
  ]);
});

Deno.test("a certificate for backends has its key, and a backend without a host a name", () => {
  assertFaults(withPoolLine("tls: { cert: a.pem }"), [
    "8:10 pools.web.tls.key",
    "missing; cert needs its private key (which may be in the same file)",
  ]);
  assertFaults(withPoolLine("tls: { key: a.pem }"), [
    "8:10 pools.web.tls.cert",
    "missing; key needs its certificate (which may be in the same file)",
  ]);
  const unix = withBackends("a:1", "unix:/s", "{ address: unix:/t }");
  const nameless =
    "a Unix socket has no host that its certificate could name; set server_name in tls of the pool";
  assertFaults(
    `${unix}    tls: {}\n`,
    ["8:9 pools.web.backends[1]", nameless],
    ["9:20 pools.web.backends[2].address", nameless],
  );
  assertFaults(`${unix}    tls: { server_name: a.example }\n`);
  assertFaults(`${unix}    tls: { verify: false }\n`);
  assertFaults(withPoolLine("tls: { verify: none }"), ["8:20 pools.web.tls.verify", "write false"]);
});

Deno.test("words of HAProxy and nginx are told ours", () => {
  const hint = (text: string): string => {
    try {
      parseConfig(text, "f");
      return "";
    } catch (error) {
      return /unknown key [^;]*; (.*)/.exec(String(error))?.[1] ?? String(error);
    }
  };
  const certificate = "certificates: [{ cert: a, key: b }]";
  const cases: [text: string, said: string][] = [
    [withListenerLine("ssl: 1"), "did you mean tls?"],
    [withListenerLine("crt: 1"), "write certificates in tls of a listener"],
    [withListenerLine("ssl_certificate: 1"), "write certificates: [{ cert: …, key: … }] in tls"],
    [withListenerLine("accept-proxy: 1"), "did you mean proxy_protocol?"],
    [withListenerLine("send-proxy: 1"), "write send_proxy_protocol in a pool"],
    [withListenerLine("ssl_preread: on"), "did you mean routes?"],
    [withListenerLine("sni: 1"), "did you mean routes?"],
    [withListenerLine("ssl_handshake_timeout: 1s"), "did you mean handshake_timeout?"],
    [withListenerLine(`tls: { ${certificate}, ssl_min_ver: 1 }`), "did you mean min_version?"],
    [withListenerLine(`tls: { ${certificate}, ca-file: 1 }`), "did you mean client_ca?"],
    [withListenerLine("tls: { certificates: [{ crt: a, key: b }] }"), "did you mean cert?"],
    [withListenerLine("tls: { certificates: [{ cert: a, ssl_certificate_key: b }] }"), "did you mean key?"],
    [withListenerLine("routes: [{ req.ssl_sni: a, pool: web }]"), "did you mean sni?"],
    [withListenerLine("routes: [{ server_name: a, pool: web }]"), "did you mean sni?"],
    [withListenerLine("proxy_protocol: { set_real_ip_from: [] }"), "did you mean from?"],
    [withPoolLine("send-proxy-v2: 1"), "did you mean send_proxy_protocol?"],
    [withPoolLine("proxy_protocol: on"), "did you mean send_proxy_protocol?"],
    [withPoolLine("proxy_ssl: on"), "did you mean tls?"],
    [withPoolLine("tls: { sni: a }"), "did you mean server_name?"],
    [withPoolLine("tls: { ca-file: a }"), "did you mean ca?"],
    [withPoolLine("tls: { insecure_skip_verify: true }"), "did you mean verify?"],
    [withBackends("{ address: a:1, ssl: 1 }"), "write tls in a pool or a listener"],
    [withBackends("{ address: a:1, send-proxy: 1 }"), "write send_proxy_protocol in a pool"],
    [
      MINIMAL.replace("pool: web", "pool: web\n    routes: [{ use_backend: web, sni: a }]"),
      "did you mean pool?",
    ],
  ];
  for (const [text, said] of cases) assert.equal(hint(text), said, text);
});

Deno.test("confinement by the kernel cannot be required where TLS is opened", () => {
  const withTls = (listener: string, pool: string): string =>
    `engine: epoll\nconfinement: required\nlisteners: [{ listen: ":1", pool: web, ${listener} }]\n` +
    `pools: { web: { backends: [a:1], ${pool} } }\n`;
  const why = "the kernel does not confine workers that open TLS, and this listener";
  assertFaults(withTls("tls: { certificates: [{ cert: a, key: b }] }", ""), [
    "3:45 listeners[0].tls",
    `${why} opens it; write confinement: best_effort`,
  ]);
  assertFaults(withTls("name: x", "tls: {}"), [
    "3:13 listeners[0]",
    `${why} has a pool with tls (web); write confinement: best_effort`,
  ]);
  assertFaults(withTls("name: x", "send_proxy_protocol: v2"));
});

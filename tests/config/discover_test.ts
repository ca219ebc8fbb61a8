import assert from "node:assert/strict";
import { readMember, readMemberFile, readMemberList } from "../../lib/config/member_list.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { assertFaults, withPoolLine } from "./faults.ts";

/** A pool without listed backends. */
function discovering(discover: string): string {
  return `listeners:
  - { listen: 127.0.0.1:5678, pool: web }
pools:
  web:
    ${discover}
`;
}

Deno.test("a pool needs no listed backends when they are discovered, and may have both", () => {
  const config = parseConfig(discovering("discover: { file: members.yaml }"), "f");
  assert.deepEqual([config.pools.web?.backends, config.pools.web?.discover?.file, config.notes], [
    [],
    "members.yaml",
    [],
  ]);
  assert.equal(
    parseConfig(withPoolLine("discover: { srv: _db._tcp.internal }"), "f").pools.web?.backends.length,
    1,
  );
});

Deno.test("a pool without either is refused as before", () => {
  assertFaults(discovering("algorithm: random"), [
    "5:5 pools.web.backends",
    "missing; list the backends, as - 127.0.0.1:8001",
  ]);
  assertFaults(discovering("backends: []"), [
    "5:15 pools.web.backends",
    "empty; list at least one backend, as - 127.0.0.1:8001",
  ]);
});

Deno.test("keys of discover that do not go together are refused", () => {
  const at = "8:15 pools.web.discover";
  for (
    const [written, ...fault] of [
      ["{}", at, "missing; name one source: dns, srv, file, http, etcd"],
      ["{ refresh: 1s }", at, "missing; name one source"],
      ["{ dns: a.internal }", `${at}.port`, "missing; dns needs the port of its backends"],
      [
        "{ file: a, srv: b }",
        "8:26 pools.web.discover.srv",
        "a pool has one source, and this one has file already",
      ],
      ["{ file: a, port: 1 }", "8:26 pools.web.discover.port", "port belongs to dns; this pool has file"],
      [
        "{ file: a, refresh: 1s }",
        "8:26 pools.web.discover.refresh",
        "refresh belongs to dns and srv and http; this",
      ],
      ["{ srv: a, ca: b }", "8:25 pools.web.discover.ca", "ca belongs to http; this pool has srv"],
      [
        "{ srv: a, refresh: 10ms }",
        "8:34 pools.web.discover.refresh",
        '"10ms" is too short; write at least 1s',
      ],
      [
        "{ etcd: { endpoints: [], prefix: a } }",
        "8:36 pools.web.discover.etcd.endpoints",
        "empty; list at least one server",
      ],
      [
        "{ etcd: { endpoints: ['http://a:1/x'], prefix: a } }",
        "8:37 pools.web.discover.etcd.endpoints[0]",
        '"http://a:1/x" has more than a host and a port; write http://a:1',
      ],
      [
        "{ etcd: { endpoints: ['http://a:1'], prefix: a, user: u } }",
        "8:23 pools.web.discover.etcd.password_file",
        "missing; user needs password_file",
      ],
      [
        "{ http: 10.0.0.1/members }",
        "8:23 pools.web.discover.http",
        "is not a URL; write it as http://10.0.0.9/members",
      ],
      [
        "{ http: 'http://u:p@a/' }",
        "8:23 pools.web.discover.http",
        "has a password in it, which would be shown",
      ],
      [
        "{ dns: 10.0.0.1, port: 1 }",
        "8:22 pools.web.discover.dns",
        '"10.0.0.1" is not a name; write it as api.internal',
      ],
      ["{ dns: a b, port: 1 }", "8:22 pools.web.discover.dns", '"a b" is not a name'],
      ["{ srv: a, resolver: b }", "8:35 pools.web.discover.resolver", "is not the address of a name server"],
    ] as [string, string, string][]
  ) {
    assertFaults(withPoolLine(`discover: ${written}`), fault as [string, string]);
  }
});

Deno.test("a file of members is read as the backends of a configuration are, with the place of every fault", () => {
  const text = `- 10.0.0.1:80
- { address: "unix:b.sock", name: b, weight: 2, backup: true }
`;
  assert.deepEqual(readMemberFile(text, "/etc/members.yaml").map(({ name, weight }) => [name, weight]), [
    ["10.0.0.1:80", 1],
    ["b", 2],
  ]);
  assert.deepEqual(readMemberFile(text, "/etc/members.yaml")[1]?.address, {
    transport: "unix",
    path: "/etc/b.sock",
  });
  assert.deepEqual(readMemberFile("# none now\n", "m"), []);
  assert.throws(() => readMemberFile("- 10.0.0.1\n- { address: a:1, cost: 2 }\n", "m.yaml"), {
    message: `m.yaml:1:3 [0]: "10.0.0.1" has no port; write host:port, [v6]:port or unix:/path
m.yaml:2:19 [1].cost: unknown key "cost"; use address, name, weight, max_connections, backup`,
  });
  assert.throws(
    () => readMemberFile("a: 1\n", "m.yaml"),
    /m\.yaml:1:1 \{"a":1\} is not a list; list the backends/,
  );
  const variables = '- "${HOME}:1"\n- { address: ${HOST:-10.0.0.1}:2, name: b }\n';
  const message =
    "a list of members has no variables; write the value, or list the backend in the configuration";
  assert.throws(() => readMemberFile(variables, "m.yaml"), {
    message: `m.yaml:1:3 [0]: ${message}\nm.yaml:2:14 [1].address: ${message}`,
  });
  assert.throws(() => readMemberFile("- a:1\n- [", "m.yaml"), /m\.yaml:2:\d+ not valid YAML/);
});

Deno.test("what another machine says is one sentence when it is wrong", () => {
  assert.equal(readMember("10.0.0.1:80").name, "10.0.0.1:80");
  assert.equal(readMember(' {"address": "10.0.0.1:80", "name": "a", "weight": 3}').weight, 3);
  assert.throws(() => readMember("{"), { message: "neither an address nor a map as JSON" });
  assert.throws(() => readMember('{"address": "10.0.0.1:80", "weight": 257}'), {
    message: "weight: 257 is too large; write 0 to 256",
  });
  assert.throws(() => readMember("unix:b.sock"), {
    message: '"b.sock" is a relative path; write an absolute one',
  });
  assert.throws(() => readMemberList({ backends: [] }), /is not a list; list the backends/);
  assert.throws(() => readMemberList(["10.0.0.1:80", 7]), /^InputError: \[1\]: /);
});

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import { touchedBy } from "../../lib/control/touched.ts";
import { formatAddress } from "../../lib/core/address.ts";

function touched(text: string, engine?: "epoll"): Record<string, readonly string[]> {
  const config = parseConfig(text, "/etc/b.yaml");
  const { listens, dials, names, reads, writes } = touchedBy(config, "/etc/b.yaml", engine);
  return { listens: listens.map(formatAddress), dials: dials.map(formatAddress), names, reads, writes };
}

Deno.test("sockets, checks on another port, and files are what a configuration touches", () => {
  assert.deepEqual(
    touched(`listeners:
  - { listen: ":80", pool: web }
  - { listen: "unix:/run/in.sock", pool: web }
pools:
  web:
    backends: ["db.internal:8001", "unix:/run/b.sock"]
    health_check: { type: http, port: 81 }
admin: { listen: "127.0.0.1:9901", token_file: /etc/token }
log: { file: /var/log/sessions.log }
`),
    {
      listens: [":80", "unix:/run/in.sock", "unix:/run/in.sock.new", "127.0.0.1:9901"],
      dials: ["db.internal:8001", "db.internal:81", "unix:/run/b.sock"],
      names: ["db.internal"],
      reads: ["/etc/b.yaml", "/etc/token", "/var/log/sessions.log"],
      writes: ["/var/log/sessions.log"],
    },
  );
});

Deno.test("certificates and keys are read, each once, whatever the engine", () => {
  const text = `listeners:
  - { listen: ":443", pool: p, tls: { certificates: [{ cert: /a.pem, key: /a.key }], client_ca: /ca.pem } }
pools: { p: { backends: ["127.0.0.1:1"], tls: { ca: /ca.pem, cert: /both.pem, key: /both.pem } } }
`;
  const files = ["/etc/b.yaml", "/a.pem", "/a.key", "/ca.pem", "/both.pem"];
  assert.deepEqual(touched(text).reads, files);
  assert.deepEqual(touched(text, "epoll").reads, files);
});

Deno.test("a log that is a stream touches no file", () => {
  const { reads, writes } = touched(`listeners: [{ listen: ":80", pool: p }]
pools: { p: { backends: ["127.0.0.1:1"] } }
log: { file: /dev/stdout }
`);
  assert.deepEqual([reads, writes], [["/etc/b.yaml"], []]);
});

Deno.test("with the engine epoll, the runtime touches of backends those that are checked, and looks up all names", () => {
  const { listens, dials, names } = touched(
    `listeners: [{ listen: "unix:/run/in.sock", pool: p }, { listen: "localhost:1", pool: q }]
pools:
  p: { backends: ["db.internal:1", "unix:/run/b.sock"] }
  q: { backends: ["127.0.0.1:2"], health_check: { type: tcp } }
`,
    "epoll",
  );
  assert.deepEqual([listens, dials, names], [
    ["unix:/run/in.sock", "localhost:1"],
    ["127.0.0.1:2"],
    ["localhost", "db.internal"],
  ]);
});

Deno.test("the names of groups are read of a file, their numbers are not", () => {
  const reads = (group: string): readonly string[] | undefined =>
    touched(`listeners: [{ listen: "unix:/run/in.sock", pool: p, group: ${group} }]
pools: { p: { backends: ["127.0.0.1:1"] } }
`).reads;
  assert.deepEqual(reads("root"), ["/etc/b.yaml", "/etc/group"]);
  assert.deepEqual(reads("5"), ["/etc/b.yaml"]);
});

Deno.test("with the engine epoll, what has to do with TLS is the runtime's: its backends are dialled, its sockets made there", () => {
  const { listens, dials } = touched(
    `listeners:
  - { listen: "unix:/run/in.sock", pool: p, tls: { certificates: [{ cert: /a.pem, key: /a.key }] } }
  - { listen: "localhost:1", routes: [{ sni: x.example, pool: q }, { sni: y.example, pool: r }] }
  - { listen: "localhost:2", pool: s }
pools:
  p: { backends: ["127.0.0.1:1"] }
  q: { backends: ["127.0.0.1:2"] }
  r: { backends: ["127.0.0.1:3"], tls: {} }
  s: { backends: ["127.0.0.1:4"] }
`,
    "epoll",
  );
  assert.deepEqual(dials, ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]);
  assert.deepEqual(listens, ["unix:/run/in.sock", "unix:/run/in.sock.new", "localhost:1", "localhost:2"]);
});

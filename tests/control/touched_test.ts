import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import { touchedBy } from "../../lib/control/touched.ts";
import { permissionFlags, programPermissions } from "../../lib/control/permissions.ts";
import { formatAddress } from "../../lib/core/address.ts";

function touched(text: string, engine?: "epoll"): Record<string, readonly string[]> {
  const config = parseConfig(text, "/etc/b.yaml");
  const { listens, dials, names, reads, writes } = touchedBy(config, ["/etc/b.yaml"], engine);
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

Deno.test("an admin side with a mode or a group makes its Unix socket beside its path", () => {
  const { listens, reads } = touched(`listeners: [{ listen: ":80", pool: p }]
pools: { p: { backends: ["127.0.0.1:1"] } }
admin: { listen: "unix:/run/a.sock", group: root }
`);
  assert.deepEqual(listens, [":80", "unix:/run/a.sock", "unix:/run/a.sock.new"]);
  assert.deepEqual(reads, ["/etc/b.yaml", "/etc/group"]);
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

/** Listeners on UDP and their pools. */
function udp(listen: string, more = ""): string {
  return `listeners: [{ listen: "${listen}", pool: dns }]
pools: { dns: { backends: ["10.0.0.1:53", "[2001:db8::1]:53"]${more} } }
`;
}

Deno.test("backends of a listener on UDP are dialled over UDP, and checked as the check says", () => {
  assert.deepEqual(touched(udp("udp::53")).dials, ["udp:10.0.0.1:53", "udp:[2001:db8::1]:53"]);
  const [byUdp, byTcp] = ["type: udp, send: a, port: 54", "type: tcp"].map((it) =>
    `, health_check: { ${it} }`
  );
  assert.deepEqual(touched(udp("udp::53", byTcp)).dials, [
    ...["udp:10.0.0.1:53", "10.0.0.1:53"],
    ...["udp:[2001:db8::1]:53", "[2001:db8::1]:53"],
  ]);
  assert.deepEqual(touched(udp("udp::53", byUdp), "epoll").dials, [
    "udp:10.0.0.1:54",
    "udp:[2001:db8::1]:54",
  ]);
  assert.deepEqual(touched(udp("udp::53"), "epoll").dials, []);
});

async function netFlag(text: string, engine?: "epoll"): Promise<string | undefined> {
  const system = { transport: "tcp", host: "10.0.0.53", port: 53 } as const;
  const touched = touchedBy(parseConfig(text, "f"), undefined, engine);
  const needed = await programPermissions(touched, () => Promise.resolve(system));
  return permissionFlags({ ...needed, read: [] })[0];
}

Deno.test("for datagrams the program needs the addresses that sockets are bound to, and those of the clients that it answers", async () => {
  const backends = "10.0.0.1:53,[2001:db8::1]:53,0.0.0.0:0,[::]:0";
  const probe = "127.0.0.1:0";
  const allowed = (ranges: string): string =>
    udp("udp:10.0.0.5:53").replace("pool: dns", `pool: dns, allow: [${ranges}]`);
  assert.equal(
    await netFlag(allowed('10.0.0.0/8, 192.0.2.7, "2001:db8::7"')),
    `--allow-net=10.0.0.5:53,${backends},10.0.0.0/8,192.0.2.7,[2001:db8::7],${probe}`,
  );
  assert.equal(
    await netFlag(udp("udp:127.0.0.1:53")),
    `--allow-net=127.0.0.1:53,${backends},127.0.0.0/8,${probe}`,
  );
  assert.equal(await netFlag(udp("udp:[::1]:53")), `--allow-net=[::1]:53,${backends},[::1],${probe}`);
  assert.match(
    await netFlag(udp("udp:localhost:53")) ?? "",
    /,127\.0\.0\.0\/8,\[::1\],localhost,127\.0\.0\.1:0$/,
  );
  // There is no way to say a range of IPv6, or everyone, in a list.
  assert.equal(await netFlag(allowed('10.0.0.0/8, "2001:db8::/32"')), "--allow-net");
  assert.equal(await netFlag(udp("udp::53")), "--allow-net");
  assert.equal(await netFlag(udp("udp::53"), "epoll"), "--allow-net=[::]:53,0.0.0.0:53");
  const check = ", health_check: { type: udp, send: a }";
  assert.equal(await netFlag(udp("udp::53", check), "epoll"), `--allow-net=[::]:53,0.0.0.0:53,${backends}`);
});

Deno.test("sources of backends are asked, and their files read", () => {
  const config = parseConfig(
    `listeners: [{ listen: ":80", pool: a }]
pools:
  a: { discover: { dns: api.internal, port: 80 }, within: [10.0.0.0/8] }
  b: { discover: { srv: _b._tcp.internal, resolver: 10.0.0.53 } }
  c: { discover: { srv: _b._tcp.internal } }
  d: { discover: { file: /m.yaml } }
  e: { discover: { http: "https://members.internal/", ca: /ca.pem } }
  f:
    discover:
      etcd: { endpoints: ["http://10.0.0.5:2379", "http://[::1]"], prefix: a, user: u, password_file: /p }
`,
    "/etc/b.yaml",
  );
  const { names, asked, discovering, reads } = touchedBy(config, undefined);
  assert.deepEqual({ names, asked, discovering, reads }, {
    names: ["api.internal"],
    asked: ["10.0.0.53:53", "members.internal:443", "10.0.0.5:2379", "[::1]:80"],
    discovering: ["b", "c", "d", "e", "f"],
    reads: ["/etc/resolv.conf", "/m.yaml", "/ca.pem", "/p"],
  });
});

Deno.test("members that come over UDP need what their sockets are bound to, whether they are served or checked", async () => {
  const pool = (check: string): string =>
    `listeners: [{ listen: "udp:127.0.0.1:53", pool: dns }]
pools: { dns: { discover: { file: /m.yaml }, within: ["10.0.0.0/8:53"]${check} } }
`;
  const any = "0.0.0.0:0";
  const clients = "127.0.0.0/8,127.0.0.1:0";
  assert.equal(await netFlag(pool("")), `--allow-net=127.0.0.1:53,${any},10.0.0.0/8:53,${clients}`);
  assert.equal(await netFlag(pool(""), "epoll"), "--allow-net=127.0.0.1:53");
  const check = ", health_check: { type: udp, send: a }";
  assert.equal(await netFlag(pool(check), "epoll"), `--allow-net=127.0.0.1:53,${any},10.0.0.0/8:53`);
});

Deno.test("the name server of the system is asked for services, and said to be missing", async () => {
  const text = `listeners: [{ listen: "127.0.0.1:80", pool: p }]
pools: { p: { discover: { srv: _b._tcp.internal }, within: ["10.0.0.0/8"] } }
`;
  assert.equal(await netFlag(text), "--allow-net=127.0.0.1:80,10.0.0.0/8,10.0.0.53:53,127.0.0.1:0");
  const missing = (): Promise<never> => Promise.reject(new Error("there is none"));
  const { unresolved } = await programPermissions(touchedBy(parseConfig(text, "f")), missing);
  assert.deepEqual(unresolved, ["there is none"]);
});

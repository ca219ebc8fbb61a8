import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import { touchedBy } from "../../lib/control/touched.ts";
import { formatAddress } from "../../lib/core/address.ts";

function touched(text: string): Record<string, readonly string[]> {
  const { listens, dials, reads, writes } = touchedBy(parseConfig(text, "/etc/b.yaml"), "/etc/b.yaml");
  return { listens: listens.map(formatAddress), dials: dials.map(formatAddress), reads, writes };
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
      reads: ["/etc/b.yaml", "/etc/token", "/var/log/sessions.log"],
      writes: ["/var/log/sessions.log"],
    },
  );
});

Deno.test("a log that is a stream touches no file", () => {
  const { reads, writes } = touched(`listeners: [{ listen: ":80", pool: p }]
pools: { p: { backends: ["127.0.0.1:1"] } }
log: { file: /dev/stdout }
`);
  assert.deepEqual([reads, writes], [["/etc/b.yaml"], []]);
});

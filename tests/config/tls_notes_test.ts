import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";

/** Exactly these notes, in this order. */
function assertNotes(text: string, ...expected: string[]): void {
  assert.deepEqual(parseConfig(text, "f.yaml").notes, expected.map((it) => `f.yaml:${it}`));
}

/** A listener with these routes, from line 2 on, and pools a, b and m. */
function withRoutes(...routes: string[]): string {
  return `listeners: [{ listen: ":1", routes: [\n${
    routes.map((it) => `  { ${it}, pool: a },\n`).join("")
  }  ] }]
pools: { a: { backends: [h:1] }, b: { backends: [h:2], tls: {} } }\n`;
}

Deno.test("a route is noted for which an earlier one takes everything", () => {
  const hidden = (line: number, route: number, by: number): string =>
    `${line}:3 listeners[0].routes[${route}]: note: never taken, since routes[${by}] matches the same clients and stands before it`;
  assertNotes(withRoutes('sni: "*.x.example"', "sni: y.X.example"), hidden(3, 1, 0));
  assertNotes(withRoutes("sni: z.example", "alpn: [h2, h3]", "sni: x.example, alpn: [h3]"), hidden(4, 2, 1));
  assertNotes(withRoutes("sni: x.example", "sni: x.example, alpn: [h2]"), hidden(3, 1, 0));
  for (
    const routes of [
      ["sni: y.x.example", 'sni: "*.x.example"'],
      ['sni: "*.x.example"', "sni: x.example"],
      ["sni: x.example, alpn: [h2]", "sni: x.example"],
      ["alpn: [h2]", "sni: x.example, alpn: [h2, h3]"],
      ["alpn: [h2]", "sni: x.example"],
      ["sni: x.example", "alpn: [h2]"],
    ]
  ) assertNotes(withRoutes(...routes));
});

Deno.test("a route is noted to a pool that encrypts what is encrypted", () => {
  assertNotes(
    withRoutes("sni: x.example").replace("pool: a", "pool: b"),
    "2:27 listeners[0].routes[0].pool: note: what is routed is TLS already, and the pool b has tls, " +
      "which encrypts it a second time",
  );
});

Deno.test("a PROXY header is noted that everyone may send", () => {
  assertNotes(
    'listeners: [{ listen: ":1", pool: a, proxy_protocol: { from: [10.0.0.0/8, 0.0.0.0/0, "::/0"] } }]\n' +
      "pools: { a: { backends: [h:1] } }\n",
    "1:75 listeners[0].proxy_protocol.from[1]: note: 0.0.0.0/0 is everyone, so every client can say which address it has",
    "1:86 listeners[0].proxy_protocol.from[2]: note: ::/0 is everyone, so every client can say which address it has",
  );
});

Deno.test("certificates of backends that are not verified are noted, and what is not used for it", () => {
  const withTls = (tls: string): string =>
    `listeners: [{ listen: ":1", pool: a }]\npools: { a: { backends: [h:1], tls: ${tls} } }\n`;
  const unverified = "pools.a.tls.verify: note: the certificates of backends are not verified, " +
    "so any server in their place can read what is relayed";
  assertNotes(withTls("{ verify: false }"), `2:47 ${unverified}`);
  assertNotes(
    withTls("{ ca: x.pem, verify: false }"),
    "2:43 pools.a.tls.ca: note: never used, since verify is false",
    `2:58 ${unverified}`,
  );
  assertNotes(withTls("{ ca: x.pem }"));
});

Deno.test("a backend is noted that is a listener from where sessions come back by a route", () => {
  assertNotes(
    'listeners: [{ listen: ":1", name: l, routes: [{ sni: x.example, pool: a }] }]\n' +
      "pools: { a: { backends: [localhost:1] } }\n",
    "2:26 pools.a.backends[0]: note: this backend is the listener l itself; each of its sessions would come back, without end",
  );
});

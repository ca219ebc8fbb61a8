import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalPattern, wildcardOf } from "../../lib/core/server_name.ts";
import { routeFinder, type TlsRoute } from "../../lib/wire/tls_routes.ts";

interface Named extends TlsRoute {
  readonly pool: string;
}

function poolOf(
  routes: readonly Named[],
  serverName: string | undefined,
  alpn: readonly string[] = [],
): string | undefined {
  return routeFinder(routes)({ serverName, alpn })?.pool;
}

Deno.test("exact names and patterns match, in any letters and with a dot at the end", () => {
  const routes = [{ sni: "WWW.Example.com.", pool: "exact" }, { sni: "*.Example.com", pool: "any" }];
  assert.equal(poolOf(routes, "www.example.com"), "exact");
  assert.equal(poolOf(routes, "api.example.com"), "any");
  assert.equal(poolOf(routes, "example.com"), undefined);
  assert.equal(poolOf(routes, "a.b.example.com"), undefined, "* is one label");
  assert.equal(poolOf(routes, undefined), undefined);
});

Deno.test("the first route that matches counts, not the closest one", () => {
  const routes = [{ sni: "*.example.com", pool: "any" }, { sni: "www.example.com", pool: "exact" }];
  assert.equal(poolOf(routes, "www.example.com"), "any");
  assert.equal(poolOf([{ pool: "all" }, ...routes], "www.example.com"), "all");
});

Deno.test("a route with protocols matches when the client offers one of them", () => {
  const routes = [
    { sni: "a.example", alpn: ["h2", "h3"], pool: "h2" },
    { alpn: ["acme-tls/1"], pool: "acme" },
    { sni: "a.example", alpn: [], pool: "rest" },
  ];
  assert.equal(poolOf(routes, "a.example", ["http/1.1", "h2"]), "h2");
  assert.equal(poolOf(routes, "a.example", ["H2"]), "rest", "protocols are bytes, not words");
  assert.equal(poolOf(routes, "a.example"), "rest");
  assert.equal(poolOf(routes, undefined, ["acme-tls/1"]), "acme");
  assert.equal(poolOf(routes, "a.example", ["acme-tls/1"]), "acme", "before the rest");
  assert.equal(poolOf(routes, "b.example", ["h2"]), undefined);
});

Deno.test("a prepared lookup finds what a search through all routes finds", () => {
  const name = fc.constantFrom("a", "b", "a.x", "b.x", "a.a.x", "x");
  const protocols = fc.subarray(["h2", "http/1.1"]);
  const route = fc.record({
    sni: fc.option(fc.oneof(name, fc.constantFrom("*.x", "*.a.x", "A.X", "*.X.")), { nil: undefined }),
    alpn: fc.option(protocols, { nil: undefined }),
  });
  fc.assert(fc.property(
    fc.array(route),
    fc.option(name, { nil: undefined }),
    protocols,
    (routes, serverName, alpn) => {
      const expected = routes.find((it) => {
        const isNamed = it.sni === undefined ||
          (serverName !== undefined &&
            [serverName, wildcardOf(serverName)].includes(canonicalPattern(it.sni)));
        return isNamed &&
          (it.alpn === undefined || it.alpn.length === 0 || it.alpn.some((one) => alpn.includes(one)));
      });
      assert.equal(routeFinder(routes)({ serverName, alpn }), expected);
    },
  ));
});

import assert from "node:assert/strict";
import {
  canonicalServerName,
  matchesServerName,
  whyNoServerNamePattern,
} from "../../lib/core/server_name.ts";

Deno.test("a pattern matches its name, or with * exactly one label before it", () => {
  const matching: [string, string][] = [
    ["example.com", "example.com"],
    ["EXAMPLE.com.", "example.com"],
    ["*.example.com", "www.example.com"],
    ["*.EXAMPLE.com", "xn--bcher-kva.example.com"],
    ["*.internal", "db.internal"],
  ];
  for (const [pattern, name] of matching) assert.ok(matchesServerName(pattern, name), `${pattern} ${name}`);
  const others: [string, string][] = [
    ["*.example.com", "example.com"],
    ["*.example.com", "a.b.example.com"],
    ["*.example.com", "wwwexample.com"],
    ["example.com", "www.example.com"],
    ["www.example.com", "example.com"],
    ["*.com", "com"],
  ];
  for (const [pattern, name] of others) assert.ok(!matchesServerName(pattern, name), `${pattern} ${name}`);
});

Deno.test("a server name has labels of 63 and altogether 253 characters at most", () => {
  assert.equal(canonicalServerName(`${"a".repeat(63)}.B.`), `${"a".repeat(63)}.b`);
  assert.equal(canonicalServerName("a".repeat(64)), undefined);
  assert.equal(canonicalServerName(`${"a.".repeat(126)}a.`)?.length, 253);
  assert.equal(canonicalServerName("a.".repeat(127) + "a"), undefined);
  // The Kelvin sign is k in small letters.
  for (const text of ["", ".", "a..b", "a b", "a\n", "*.a", "ü", "\u212a"]) {
    assert.equal(canonicalServerName(text), undefined);
  }
});

Deno.test("what is no pattern is told with what to write instead", () => {
  for (const pattern of ["a", "www.example.com", "*.example.com", "WWW.example.COM.", "_x.a", "*.a"]) {
    assert.equal(whyNoServerNamePattern(pattern), undefined, pattern);
  }
  const wrong: [string, RegExp][] = [
    ["", /^"" is not a server name; write www\.example\.com or \*\.example\.com$/],
    ["*", /leave it out$/],
    ["*.*.example.com", /one whole label.*write \*\.example\.com$/],
    ["www.*.com", /only for the first/],
    ["w*.example.com", /one whole label/],
    ["*example.com", /one whole label/],
    ["10.0.0.1", /is an IP address/],
    ["::1", /is an IP address/],
    ["[::1]", /is an IP address/],
    ["https://example.com", /write it without scheme/],
    ["example.com:443", /write it without scheme, port/],
    ["a b", /spaces/],
    ["bücher.example", /write xn--bcher-kva\.example$/],
    ["*.bücher.example", /write \*\.xn--bcher-kva\.example$/],
    ["a..b", /is not a server name/],
    ["a\u001b", /^"a\\u001b" is not a server name/],
  ];
  for (const [pattern, reason] of wrong) assert.match(whyNoServerNamePattern(pattern) ?? "", reason, pattern);
});

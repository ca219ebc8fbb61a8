import assert from "node:assert/strict";
import fc from "fast-check";
import {
  canonicalServerName,
  sentServerName,
  whyNoServerName,
  wildcardOf,
} from "../../lib/core/server_name.ts";

const NAME = { wildcard: false };
const PATTERN = { wildcard: true };

Deno.test("a name is one in any case and with its final dot, a pattern has * for its first label", () => {
  for (
    const text of ["a", "www.example.com", "WWW.Example.COM.", "xn--bcher-kva.example", "a_b.c-d.e1", "1.a"]
  ) {
    assert.equal(whyNoServerName(text, NAME), undefined, text);
    assert.equal(whyNoServerName(text, PATTERN), undefined, text);
    assert.equal(whyNoServerName(`*.${text}`, PATTERN), undefined, text);
  }
  assert.equal(canonicalServerName("*.Example.COM."), "*.example.com");
});

Deno.test("what is no server name is told what to write", () => {
  const cases: [text: string, form: typeof NAME, why: string][] = [
    ["", NAME, "is not a server name; write it as www.example.com"],
    ["a b", PATTERN, "is not a server name; write it as www.example.com or *.example.com"],
    ["10.0.0.1", PATTERN, "is an IP address, which no client sends as a name; write a name"],
    ["[::1]", NAME, "is an IP address, which no client sends as a name; write a name"],
    ["fe80::1%eth0", NAME, "is an IP address, which no client sends as a name; write a name"],
    ["a.example:443", NAME, "is more than a server name; write a.example"],
    ["https://A.example/x", PATTERN, "is more than a server name; write a.example"],
    [".example.com", PATTERN, "is not a server name; write *.example.com"],
    ["*", PATTERN, "has a * that does not stand for the whole first label; write it as *.example.com"],
    [
      "a*.example.com",
      PATTERN,
      "has a * that does not stand for the whole first label; write it as *.example.com",
    ],
    ["*.*.a", PATTERN, "has a * that does not stand for the whole first label; write it as *.example.com"],
    ["*.example.com", NAME, "is not one server name; write it as www.example.com"],
    ["bücher.example", NAME, "has letters that no client sends as they are; write xn--bcher-kva.example"],
    [
      "*.Bücher.example",
      PATTERN,
      "has letters that no client sends as they are; write *.xn--bcher-kva.example",
    ],
    ["a..b", NAME, "is not a server name; write it as www.example.com"],
    ["-a.b", NAME, "is not a server name; write it as www.example.com"],
    ["a.1", NAME, "is not a server name; write it as www.example.com"],
    ["a.".repeat(127) + "b", NAME, "is not a server name; write it as www.example.com"],
    [`${"a".repeat(64)}.b`, NAME, "is not a server name; write it as www.example.com"],
  ];
  for (const [text, form, why] of cases) assert.equal(whyNoServerName(text, form), why, text);
});

Deno.test("any text is a server name or is told why not, in one line", () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.domain(), fc.ipV6());
  fc.assert(fc.property(text, fc.boolean(), (it, wildcard) => {
    const why = whyNoServerName(it, { wildcard });
    assert.ok(why === undefined || /^[^\n]+; write [^\n]+$/.test(why), why);
    if (why === undefined) assert.equal(whyNoServerName(canonicalServerName(it), { wildcard }), undefined);
  }));
});

Deno.test("a name that a client sends has labels of 63 and altogether 253 characters at most", () => {
  assert.equal(sentServerName(`${"a".repeat(63)}.B.`), `${"a".repeat(63)}.b`);
  assert.equal(sentServerName("a".repeat(64)), undefined);
  assert.equal(sentServerName(`${"a.".repeat(126)}a.`)?.length, 253);
  assert.equal(sentServerName("a.".repeat(127) + "a"), undefined);
  // The Kelvin sign is k in small letters.
  for (const text of ["", ".", "a..b", "a b", "a\n", "*.a", "ü", "\u212a"]) {
    assert.equal(sentServerName(text), undefined);
  }
});

Deno.test("the * of a pattern stands for exactly one label", () => {
  assert.equal(wildcardOf("www.example.com"), "*.example.com");
  assert.equal(wildcardOf("a.b.example.com"), "*.b.example.com");
  assert.equal(wildcardOf("localhost"), undefined);
});

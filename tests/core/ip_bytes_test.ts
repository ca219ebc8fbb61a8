import assert from "node:assert/strict";
import fc from "fast-check";
import { ipBytes, ipText } from "../../lib/core/ip_bytes.ts";
import { canonicalHost } from "../../lib/core/overlap.ts";

Deno.test("the bytes of an address give its text in the short form, and a mapped one as IPv4", () => {
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (host) => {
    assert.equal(ipText(Uint8Array.from(ipBytes(host) ?? [])), canonicalHost(host));
  }));
  assert.equal(ipText(ipBytes("::ffff:192.0.2.1") ?? []), "192.0.2.1");
  for (const host of ["::ff00:c000:201", "::ff:c000:201", "::1:ffff:c000:201"]) {
    assert.equal(ipText(ipBytes(host) ?? []), host);
  }
  assert.deepEqual(ipBytes("fe80::1%eth0"), ipBytes("fe80::1"));
});

Deno.test("what is no address has no bytes", () => {
  for (const text of ["", "a.example", "1.2.3", "01.2.3.4", "[::1]", "1::2::3"]) {
    assert.equal(ipBytes(text), undefined, text);
  }
});

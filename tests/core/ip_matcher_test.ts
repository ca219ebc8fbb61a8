import assert from "node:assert/strict";
import fc from "fast-check";
import { ipBytes, ipText, isMapped } from "../../lib/core/ip_bytes.ts";
import { ipMatcher } from "../../lib/core/ip_matcher.ts";
import { type IPRange, parseIPRange } from "../../lib/core/ip_range.ts";
import { readIP } from "../../lib/core/ip_words.ts";

Deno.test("an address is in a range when its family and its first bits are the same", () => {
  const isIn = (ip: string, ...ranges: string[]): boolean => ipMatcher(ranges.map(parseIPRange))(ip);
  assert.ok(isIn("10.255.255.255", "10.0.0.0/8"));
  assert.ok(isIn("10.0.0.1", "192.0.2.0/24", "10.0.0.0/8"));
  assert.ok(isIn("255.1.2.3", "0.0.0.0/0"));
  assert.ok(isIn("192.0.2.129", "192.0.2.128/25"));
  assert.ok(isIn("::ffff:10.1.2.3", "10.0.0.0/8"), "mapped");
  assert.ok(isIn("::ffff:a01:203", "10.0.0.0/8"), "mapped");
  assert.ok(isIn("2001:db8:ffff::1", "2001:db8::/32"));
  assert.ok(isIn("fe80::1%eth0", "fe80::/10"));
  assert.ok(isIn("10.1.2.4", "10.1.2.3", "10.0.0.0/8", "10.1.2.0/24"), "one within another");
  assert.ok(!isIn("11.0.0.0", "10.0.0.0/8"));
  assert.ok(!isIn("192.0.2.127", "192.0.2.128/25"));
  assert.ok(!isIn("2001:db9::", "2001:db8::/32"));
  assert.ok(!isIn("10.0.0.1", "::/0"), "IPv4 is no part of IPv6");
  assert.ok(!isIn("::ffff:10.0.0.1", "::/0"));
  assert.ok(!isIn("::1", "0.0.0.0/0"));
  assert.ok(!isIn("name.internal", "0.0.0.0/0"));
  assert.ok(!isIn("", "0.0.0.0/0", "::/0"));
  assert.ok(!isIn("10.0.0.1"));
});

/** As simple as can be. */
function isInOne(ip: string, ranges: readonly IPRange[]): boolean {
  const own = plainBytes(ip);
  if (own === undefined) return false;
  const bits = (bytes: readonly number[]): string =>
    bytes.map((it) => it.toString(2).padStart(8, "0")).join("");
  return ranges.some(({ network, prefixBits }) => {
    const first = ipBytes(network) ?? [];
    return first.length === own.length &&
      bits(own).slice(0, prefixBits) === bits(first).slice(0, prefixBits);
  });
}

/** Mapped IPv4 has 4. */
function plainBytes(ip: string): number[] | undefined {
  const bytes = ipBytes(ip);
  return bytes?.length === 16 && isMapped(bytes) ? bytes.slice(12) : bytes;
}

/** Few different bytes, so that ranges meet. */
const byte = fc.constantFrom(0, 1, 2, 127, 128, 254, 255);
const address = fc.oneof(
  fc.array(byte, { minLength: 4, maxLength: 4 }),
  fc.array(byte, { minLength: 16, maxLength: 16 }),
  fc.array(byte, { minLength: 4, maxLength: 4 }).map((it) => [...new Array(10).fill(0), 255, 255, ...it]),
);

const range = fc.tuple(address, fc.nat({ max: 128 })).map(([bytes, bits]): IPRange => {
  const own = bytes.length === 16 && isMapped(bytes) ? bytes.slice(12) : bytes;
  const prefixBits = bits % (8 * own.length + 1);
  const first = own.map((it, i) => it & (0xff00 >> Math.max(0, Math.min(8, prefixBits - 8 * i))) & 0xff);
  return { network: ipText(first), prefixBits };
}).filter(({ network }) => !network.startsWith("::ffff:"));

Deno.test("among many ranges an address is found as if they were looked at one by one", () => {
  const property = fc.property(fc.array(range, { maxLength: 40 }), fc.array(address), (ranges, addresses) => {
    const isIn = ipMatcher(ranges);
    for (const bytes of addresses) {
      const ip = ipText(bytes);
      assert.equal(isIn(ip), isInOne(ip, ranges), ip);
    }
  });
  fc.assert(property, { numRuns: 500 });
});

Deno.test("addresses are read in every form that there is, and nothing else is one", () => {
  const words = new Uint32Array(4);
  const read = (text: string): number[] | undefined => {
    const family = readIP(text, words);
    if (family === undefined) return undefined;
    return [...words.slice(0, family === 4 ? 1 : 4)].flatMap((it) =>
      [24, 16, 8, 0].map((n) => (it >>> n) & 255)
    );
  };
  const check = (text: string): void => assert.deepEqual(read(text), plainBytes(text), JSON.stringify(text));
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), check), { numRuns: 2_000 });
  const piece = fc.constantFrom("0", "1", "ffff", "a", ":", "::", ".", "255", "10.0.0.1", "g", "12345", "01");
  fc.assert(fc.property(fc.array(piece, { maxLength: 16 }).map((it) => it.join("")), check), {
    numRuns: 20_000,
  });
  for (
    const text of ["::", "1::", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "::1%eth0", "fe80::1%2", ":", "1:", ""]
  ) {
    check(text);
  }
});

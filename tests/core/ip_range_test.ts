import assert from "node:assert/strict";
import fc from "fast-check";
import { InputError } from "../../lib/core/errors.ts";
import { ipMatcher } from "../../lib/core/ip_matcher.ts";
import { formatIPRange, parseIPRange } from "../../lib/core/ip_range.ts";

Deno.test("a range reads back as it was written, in its shortest form", () => {
  const cases: [text: string, form?: string][] = [
    ["10.0.0.0/8"],
    ["0.0.0.0/0"],
    ["192.0.2.128/25"],
    ["127.0.0.1", "127.0.0.1/32"],
    ["2001:db8::/32"],
    ["::/0"],
    ["::1", "::1/128"],
    ["2001:DB8:0:0:0:0:0:0/33", "2001:db8::/33"],
    ["fe80::/10"],
    ["::ffff:0:0:0/80", "::ffff:0:0:0/80"],
  ];
  for (const [text, form = text] of cases) {
    assert.equal(formatIPRange(parseIPRange(text)), form);
    assert.deepEqual(parseIPRange(form), parseIPRange(text));
  }
});

Deno.test("what is no range is refused in one sentence that says what to write", () => {
  const form = "write it as 10.0.0.0/8 or 2001:db8::/32, or one address";
  const cases: [text: string, why: string][] = [
    ["", `"" is not a range of IP addresses; ${form}`],
    ["api.internal", `"api.internal" is not a range of IP addresses; ${form}`],
    ["10.0.0/8", `"10.0.0/8" is not a range of IP addresses; ${form}`],
    ["10.0.0.0/8:80", `"10.0.0.0/8:80" is not a range of IP addresses; ${form}`],
    ["10.0.0.0/", `"10.0.0.0/" is not a range of IP addresses; ${form}`],
    ["[::1]/128", `"[::1]/128" is not a range of IP addresses; ${form}`],
    ["fe80::1%eth0", `"fe80::1%eth0" is not a range of IP addresses; ${form}`],
    ["10.0.0.0/33", `"10.0.0.0/33": "33" is no number of bits; write 0 to 32`],
    ["10.0.0.0/08", `"10.0.0.0/08": "08" is no number of bits; write 0 to 32`],
    ["::/129", `"::/129": "129" is no number of bits; write 0 to 128`],
    [
      "10.1.2.3/16",
      `"10.1.2.3/16" does not begin at its first address; write 10.1.0.0/16, or 10.1.2.3 for one address`,
    ],
    [
      "2001:db8::1/32",
      `"2001:db8::1/32" does not begin at its first address; write 2001:db8::/32, or 2001:db8::1 for one address`,
    ],
    ["::ffff:10.0.0.0/104", `"::ffff:10.0.0.0/104" is IPv4 written as IPv6; write 10.0.0.0/8`],
    ["::ffff:10.0.0.0/8", `"::ffff:10.0.0.0/8" is IPv4 written as IPv6; write 10.0.0.0/8`],
    ["::ffff:a00:5", `"::ffff:a00:5" is IPv4 written as IPv6; write 10.0.0.5/32`],
    ["::ffff:0:0/96", `"::ffff:0:0/96" is IPv4 written as IPv6; write 0.0.0.0/0`],
  ];
  for (const [text, message] of cases) assert.throws(() => parseIPRange(text), new InputError(message), text);
});

Deno.test("every address is in the range of its first bits, and in no range that differs in one of them", () => {
  fc.assert(fc.property(fc.ipV4(), fc.integer({ min: 1, max: 32 }), fc.nat({ max: 31 }), (ip, bits, flip) => {
    const number = ip.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
    const text = (it: number): string => [24, 16, 8, 0].map((n) => Math.floor(it / 2 ** n) % 256).join(".");
    const first = number - number % 2 ** (32 - bits);
    const isIn = ipMatcher([parseIPRange(`${text(first)}/${bits}`)]);
    assert.ok(isIn(ip));
    const bit = 2 ** (31 - flip);
    const other = Math.floor(number / bit) % 2 === 1 ? number - bit : number + bit;
    assert.equal(isIn(text(other)), flip >= bits);
  }));
});

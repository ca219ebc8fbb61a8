import assert from "node:assert/strict";
import fc from "fast-check";
import { hashText } from "../../lib/balance/hash.ts";

/** Published for MurmurHash3_x86_32; also the reference implementation's own. */
const KNOWN: readonly [string, number, number][] = [
  ["", 0, 0],
  ["", 1, 0x514e28b7],
  ["", 0xffffffff, 0x81f16f39],
  ["\0\0\0\0", 0, 0x2362f9de],
  ["a", 0x9747b28c, 0x7fa09ea6],
  ["aa", 0x9747b28c, 0x5d211726],
  ["aaa", 0x9747b28c, 0x283e0130],
  ["aaaa", 0x9747b28c, 0x5a97808a],
  ["ab", 0x9747b28c, 0x74875592],
  ["abc", 0x9747b28c, 0xc84a62dd],
  ["abcd", 0x9747b28c, 0xf0478627],
  ["Hello, world!", 0x9747b28c, 0x24884cba],
  ["ππππππππ", 0x9747b28c, 0xd58063c1],
  ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
];

Deno.test("texts have the hashes that are published for them", () => {
  for (const [text, seed, hash] of KNOWN) assert.equal(hashText(text, seed), hash, JSON.stringify(text));
});

Deno.test("a hash is a whole number of 32 bits, of at least 0", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), fc.nat(2 ** 32 - 1), (text, seed) => {
    const hash = hashText(text, seed);
    assert.equal(hash, hash >>> 0);
    assert.equal(hash, hashText(text, seed));
  }));
});

Deno.test("one letter changes each bit of the hash in about half of the cases", () => {
  const flips = Array.from({ length: 32 }, () => 0);
  const texts = 5_000;
  for (let i = 0; i < texts; i++) {
    const changed = hashText(`10.0.0.${i}`) ^ hashText(`10.0.0.${i + 1}`);
    for (const bit of flips.keys()) flips[bit] = (flips[bit] ?? NaN) + (changed >>> bit & 1);
  }
  for (const count of flips) assert.ok(Math.abs(count / texts - 0.5) < 0.04, flips.join());
});

Deno.test("another seed is another hash", () => {
  const same = Array.from({ length: 1_000 }, (_, i) => `10.0.0.${i}:8001`)
    .filter((name) => hashText(name, 0) % 65_537 === hashText(name, 1) % 65_537);
  assert.ok(same.length <= 1, same.join());
});

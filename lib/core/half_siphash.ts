/** A number from a few words that no one can foresee who does not know the key, so that no one can choose words that collide. Pure. */

const state = new Int32Array(4);

/**
 * The 64 bits of HalfSipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF"; the variant for 32-bit words is in their
 * reference code, https://github.com/veorq/SipHash).
 *
 * @param words Hashed are the first `count` of them, in little-endian order.
 * @param key Two words.
 * @param into Gets two words.
 */
export function halfSipHash(words: Uint32Array, count: number, key: Uint32Array, into: Uint32Array): void {
  const [k0 = 0, k1 = 0] = [key[0], key[1]];
  state[0] = k0;
  state[1] = k1 ^ 0xee;
  state[2] = 0x6c796765 ^ k0;
  state[3] = 0x74656462 ^ k1;
  for (let i = 0; i < count; i++) compress(words[i] ?? 0);
  compress((4 * count) << 24);
  state[2] ^= 0xee;
  rounds(4);
  into[0] = at(1) ^ at(3);
  state[1] = at(1) ^ 0xdd;
  rounds(4);
  into[1] = at(1) ^ at(3);
}

function compress(word: number): void {
  state[3] = at(3) ^ word;
  rounds(2);
  state[0] = at(0) ^ word;
}

function rounds(count: number): void {
  let [v0, v1, v2, v3] = [at(0), at(1), at(2), at(3)];
  for (let i = 0; i < count; i++) {
    v0 = v0 + v1 | 0;
    v1 = rotated(v1, 5) ^ v0;
    v0 = rotated(v0, 16);
    v2 = v2 + v3 | 0;
    v3 = rotated(v3, 8) ^ v2;
    v0 = v0 + v3 | 0;
    v3 = rotated(v3, 7) ^ v0;
    v2 = v2 + v1 | 0;
    v1 = rotated(v1, 13) ^ v2;
    v2 = rotated(v2, 16);
  }
  state[0] = v0;
  state[1] = v1;
  state[2] = v2;
  state[3] = v3;
}

function at(i: number): number {
  return state[i] ?? 0;
}

function rotated(word: number, bits: number): number {
  return word << bits | word >>> (32 - bits);
}

/** A number from a text, well spread whatever the texts have in common. */

const encoder = new TextEncoder();

/**
 * The 32-bit hash of a text, as UTF-8: MurmurHash3_x86_32 by Austin Appleby, public domain
 * (https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp).
 *
 * Every bit of the text changes each bit of the hash in half of the cases. It is no secret: who may choose texts can
 * find many with one hash.
 *
 * @param seed A whole number; another seed is another hash.
 * @return From 0 to 2^32 - 1, the same on every machine; a picker takes it as `key`.
 */
export function hashText(text: string, seed = 0): number {
  const bytes = encoder.encode(text);
  const tail = bytes.length & ~3;
  let hash = seed;
  for (let i = 0; i < tail; i += 4) {
    hash ^= scrambled(wordAt(bytes, i));
    hash = Math.imul(hash << 13 | hash >>> 19, 5) + 0xe6546b64 | 0;
  }
  // Up to three bytes are left, and a word of zeros changes nothing.
  hash ^= scrambled(wordAt(bytes, tail));
  return finished(hash ^ bytes.length);
}

/** Four bytes from `i`, the lowest first; zeros beyond the end. */
function wordAt(bytes: Uint8Array, i: number): number {
  return (bytes[i] ?? 0) | (bytes[i + 1] ?? 0) << 8 | (bytes[i + 2] ?? 0) << 16 | (bytes[i + 3] ?? 0) << 24;
}

function scrambled(word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51);
  return Math.imul(mixed << 15 | mixed >>> 17, 0x1b873593);
}

/** Lets every bit reach every other. */
function finished(hash: number): number {
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}

import assert from "node:assert/strict";
import { crc32c } from "../../lib/wire/crc32c.ts";
import { bytes } from "../support/bytes.ts";

Deno.test("CRC-32C gives the check value of its catalogue, and the test vectors of RFC 3720", () => {
  assert.equal(crc32c(bytes("123456789")), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
  assert.equal(crc32c(new Uint8Array(0)), 0);
});

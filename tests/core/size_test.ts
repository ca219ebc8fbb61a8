import assert from "node:assert/strict";
import { InputError } from "../../lib/core/errors.ts";
import { formatSize, parseSize, parseSizeBytes } from "../../lib/core/size.ts";

Deno.test("sizes are read, and written in the shortest way", () => {
  for (
    const [text, bytes] of [["1KiB", 1_024], ["1536KiB", 1_572_864], ["10MiB", 10_485_760], [
      "1024GiB",
      2 ** 40,
    ]] as const
  ) {
    assert.equal(parseSize(text), bytes);
    assert.equal(formatSize(bytes), text);
  }
  assert.equal(formatSize(parseSize("2048KiB")), "2MiB");
  assert.equal(parseSize("0KiB"), 0);
  assert.equal(formatSize(1_025), "1025B");
  assert.equal(parseSizeBytes("1025B"), 1_025);
  assert.equal(parseSizeBytes("64KiB"), 65_536);
});

Deno.test("what is no size is told what to write", () => {
  for (
    const [text, hint] of [
      ["10MB", "write it as 10MiB"],
      ["10m", "write it as 10MiB"],
      ["1.5 MiB/s", "write it as 1536KiB"],
      ["100Mbit", "write it as 12208KiB"],
      ["1048576", "write it as 1MiB"],
      ["500", "write it as 1KiB"],
      ["1 MiB", "write it as 1MiB"],
      ["-1MiB", "it cannot be negative; write 1KiB or more"],
      ["fast", "write it as 64KiB, 10MiB or 1GiB"],
      ["", "write it as 64KiB, 10MiB or 1GiB"],
      ["99999999999999999KiB", "write it as 64KiB, 10MiB or 1GiB"],
    ] as const
  ) {
    assert.throws(() => parseSize(text), new InputError(`${JSON.stringify(text)} is not a size; ${hint}`));
  }
  assert.throws(() => parseSize("1025GiB"), new InputError('"1025GiB" is too large; write at most 1024GiB'));
});

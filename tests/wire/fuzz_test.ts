import assert from "node:assert/strict";
import fc from "fast-check";
import { inputsFrom } from "../../tools/fuzz/inputs.ts";
import { checkInput } from "../../tools/fuzz/properties.ts";
import { trapped } from "../../tools/fuzz/trapped.ts";
import { HEADERS, HELLOS } from "./recorded.ts";

Deno.test("whatever comes has an answer, the same however it comes, in linear time, without a read beyond it", () => {
  const recorded = [...HELLOS, ...HEADERS].map(({ bytes }) => bytes);
  fc.assert(
    fc.property(inputsFrom(recorded), fc.nat(4095), fc.boolean(), (bytes, splitAt, isTrapped) => {
      checkInput(bytes, splitAt, isTrapped);
    }),
    { numRuns: 4_000 },
  );
});

Deno.test("every recorded hello and header passes the checks of the fuzzer, split anywhere", () => {
  for (const { bytes } of [...HELLOS, ...HEADERS]) {
    for (let at = 0; at <= bytes.length; at += 7) checkInput(bytes, at, true);
  }
});

Deno.test("a read beyond the end springs the trap", () => {
  const { view, reads } = trapped(Uint8Array.of(1, 2, 3));
  assert.equal(view[2], 3);
  assert.throws(() => view[3], /A read at 3 of 3/);
  assert.throws(() => view.subarray(1, 2)[1], /A read at 1 of 1/);
  assert.equal(reads(), 1);
});

import assert from "node:assert/strict";
import { inTurn } from "../../lib/pool/sources.ts";

Deno.test("local addresses are taken in turn, each family by itself", () => {
  const next = inTurn(["10.0.0.1", "2001:db8::1", "10.0.0.2"], 0);
  const taken = [false, true, false, true, false].map((isIPv6) => next?.(isIPv6));
  assert.deepEqual(taken, ["10.0.0.1", "2001:db8::1", "10.0.0.2", "2001:db8::1", "10.0.0.1"]);
});

Deno.test("workers begin at different addresses", () => {
  assert.deepEqual([0, 1, 2, 3].map((worker) => inTurn(["a", "b", "c"], worker)?.(false)), [
    "a",
    "b",
    "c",
    "a",
  ]);
});

Deno.test("without an address of the family, or any at all, the system chooses", () => {
  assert.equal(inTurn(["10.0.0.1"], 0)?.(true), undefined);
  assert.equal(inTurn([], 0), undefined);
});

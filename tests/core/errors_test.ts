import assert from "node:assert/strict";
import { InputError, reasonOf, RunError } from "../../lib/core/errors.ts";

Deno.test("the reason of an error is its sentence, without the number of the operating system", () => {
  const reasons: [unknown, string][] = [
    [new Error("Connection refused (os error 111)"), "Connection refused"],
    [new InputError("wrong"), "wrong"],
    [new RunError("in use"), "in use"],
    [new TypeError(""), "TypeError"],
    ["a text", "a text"],
    [undefined, "undefined"],
    [null, "null"],
    [42, "42"],
  ];
  for (const [error, reason] of reasons) assert.equal(reasonOf(error), reason);
});

Deno.test("the reason of an error is its sentence also when the runtime adds what it was doing", () => {
  const error = new Error("Not a directory (os error 20): stat '/a/b'");
  assert.equal(reasonOf(error), "Not a directory");
});

Deno.test("the two ways to fail can be told apart", () => {
  assert.ok(!(new RunError("x") instanceof InputError));
  assert.equal(new InputError("x").name, "InputError");
  assert.equal(new RunError("x").name, "RunError");
});

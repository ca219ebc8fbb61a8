import assert from "node:assert/strict";
import { standardStreamOf } from "../../lib/core/standard_stream.ts";

Deno.test("the standard streams are known by every path that the system gives them", () => {
  for (const [number, stream] of (["stdin", "stdout", "stderr"] as const).entries()) {
    for (const path of [`/dev/${stream}`, `/dev/fd/${number}`, `/proc/self/fd/${number}`]) {
      assert.equal(standardStreamOf(path), stream, path);
    }
  }
});

Deno.test("other paths are files", () => {
  for (
    const path of [
      "",
      "-",
      "stdout",
      "/dev/null",
      "/dev/fd/3",
      "/dev/stdout/x",
      "/tmp/dev/stdout",
      "/dev/std",
    ]
  ) {
    assert.equal(standardStreamOf(path), undefined, path);
  }
});

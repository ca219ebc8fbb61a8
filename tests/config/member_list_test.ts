/** Lists of backends that come from elsewhere. */

import assert from "node:assert/strict";
import { readMemberFile, readMemberList } from "../../lib/config/member_list.ts";

Deno.test("a list that is too long is refused for that, whatever is in it", () => {
  const many = Array.from({ length: 10_001 }, () => 5);
  const message = "there are more than 10000 members, which is as many as a pool may have";
  assert.throws(() => readMemberList(many), { message });
  assert.throws(() => readMemberFile("- 5\n".repeat(10_001), "m.yaml"), { message: `m.yaml:1:1 ${message}` });
});

Deno.test("of a list that is wrong from end to end, the first faults are said", () => {
  assert.throws(() => readMemberFile("- 5\n".repeat(10_000), "m.yaml"), ({ message }: Error) => {
    const lines = message.split("\n");
    return lines.length === 20 && lines.every((line, i) => line.startsWith(`m.yaml:${i + 1}:3 [${i}]: `));
  });
});

/** Members of pools from all sources, without a balancer. */

import assert from "node:assert/strict";
import { joinMembers } from "../../lib/control/members.ts";
import { testConfig } from "../support/balancer.ts";
import { memberOf } from "../support/fake_source.ts";

Deno.test("a Unix socket that is discovered or added is no member of a pool of datagrams", () => {
  const config = testConfig({ backends: ["127.0.0.1:1"], listener: { listen: "udp:127.0.0.1:0" } });
  const added = ["unix:/run/a.sock", "127.0.0.1:2"].map(memberOf);
  const { members, refused } = joinMembers(config, {
    discovered: () => [],
    added: () => added,
    whyNotDialled: () => undefined,
  });
  assert.deepEqual([...members.get("web")?.keys() ?? []], ["127.0.0.1:1", "127.0.0.1:2"]);
  assert.deepEqual(refused.get("web"), [
    "unix:/run/a.sock: a Unix socket takes connections, and this pool has the datagrams of a listener; " +
    "write host:port",
  ]);
});

Deno.test("a pool has ten thousand members, from wherever they come", () => {
  const config = testConfig({ backends: ["127.0.0.1:1", "127.0.0.1:2"], pool: { discover: { file: "/m" } } });
  const discovered = Array.from({ length: 10_000 }, (_, i) => memberOf(`10.0.${i >> 8}.${i & 255}:80`));
  const { members, refused } = joinMembers(config, {
    discovered: () => discovered,
    added: () => [memberOf("127.0.0.1:3")],
    whyNotDialled: () => undefined,
  });
  assert.equal(members.get("web")?.size, 10_000);
  const why = "the pool has 10000 members without it, which is as many as it may have";
  assert.deepEqual(refused.get("web"), [
    `10.0.39.14:80: ${why}`,
    `10.0.39.15:80: ${why}`,
    `127.0.0.1:3: ${why}`,
  ]);
});

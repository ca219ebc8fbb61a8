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

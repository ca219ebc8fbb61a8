/** What a balancer does when another process has its sockets. */

import assert from "node:assert/strict";
import type { Balancer } from "../../lib/control/balancer.ts";
import { HandOver } from "../../lib/control/hand_over.ts";
import { parseListenAddress } from "../../lib/core/address.ts";
import { memoryLog } from "../support/memory_log.ts";

Deno.test("nothing comes into force from the moment that another process listens, while workers still accept", async () => {
  const { log, events } = memoryLog();
  const left = Promise.withResolvers<void>();
  const open = [{ address: parseListenAddress("127.0.0.1:80"), descriptors: [3], isManaged: false }];
  const balancer = {
    engine: { name: "epoll", book: { open, pass: () => true } },
    state: "running",
    plan: { listeners: [], settled: new Map() },
    journal: log,
    leaveTo: () => left.promise,
  } as unknown as Balancer;
  let isOver = false;
  const handOver = new HandOver({
    balancer,
    admin: () => parseListenAddress("unix:/admin.sock"),
    keepState: () => Promise.resolve(),
    onDone: () => isOver = true,
  });
  assert.equal(await handOver.finish([]), "no sockets have been passed");
  assert.ok("sockets" in await handOver.offer());
  const finishing = handOver.finish([]);
  assert.deepEqual([isOver, events], [true, []]);
  left.resolve();
  assert.equal(await finishing, undefined);
  assert.deepEqual(events.map(({ event }) => event), ["handed_over"]);
  assert.equal(await handOver.finish([]), "another process has its place");
});

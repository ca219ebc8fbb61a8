/** Which events reach the owner of a descriptor. */

import assert from "node:assert/strict";
import { makeBell, ring } from "../../lib/engine/epoll/bell.ts";
import { Descriptors } from "../../lib/engine/epoll/descriptors.ts";
import { openLibc } from "../../lib/engine/epoll/libc.ts";
import { EPOLLET, EPOLLIN } from "../../lib/engine/epoll/linux.ts";
import { Loop } from "../../lib/engine/epoll/loop.ts";
import { until } from "../support/balancer.ts";

Deno.test({
  name: "the events of a descriptor are heard though a higher one was closed before it was ever watched",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const libc = openLibc();
    const descriptors = new Descriptors(new SharedArrayBuffer(2 ** 16));
    const bell = makeBell(libc);
    const loop = new Loop({ libc, descriptors, bell, maxSleepMs: 0 });
    // The lowest number that is free is given, and other tests free some: until two are above all that is watched, in their order.
    const opened: number[] = [];
    for (let [low, high] = [0, 0]; low <= bell || low >= high; [low = 0, high = 0] = opened.slice(-2)) {
      opened.push(loop.adopt(makeBell(libc)));
    }
    const [low = assert.fail(), high = assert.fail()] = opened.slice(-2);

    loop.close(high);
    let heard = 0;
    loop.watch(low, EPOLLIN | EPOLLET, { onEvents: () => void heard++ });
    const ended = loop.run();
    ring(libc, low);
    await until(() => heard > 0, "it is heard");

    loop.end();
    await ended;
    for (const fd of opened.slice(0, -1)) loop.close(fd);
    assert.ok(descriptors.isEmpty);
    libc.close(bell);
    libc.unload();
  },
});

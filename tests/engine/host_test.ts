// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Descriptors belong to the process: what is closed when a thread was given up, and when it has really ended. */

import assert from "node:assert/strict";
import type { Address } from "../../lib/core/address.ts";
import { Descriptors } from "../../lib/engine/epoll/descriptors.ts";
import { EpollHost } from "../../lib/engine/epoll/host.ts";
import { openLibc } from "../../lib/engine/epoll/libc.ts";
import { SYS_GETTID } from "../../lib/engine/epoll/linux.ts";
import { settleAddresses } from "../../lib/engine/runtime/settle.ts";
import { until } from "../support/balancer.ts";

const OPTIONS = { backlog: 10, keepalive: { idleMs: 0, intervalMs: 1_000, count: 3 } };

/** What a descriptor is, as `socket:[1234]`; undefined when it is not open. */
function linkOf(fd: number): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

async function isRefused(address: Address): Promise<boolean> {
  const options = address.transport === "unix"
    ? { transport: "unix", path: address.path } as const
    : { hostname: "127.0.0.1", port: address.transport === "tcp" ? address.port : 0 };
  return await Deno.connect(options as Deno.ConnectOptions).then(
    (conn) => (conn.close(), false),
    (error) => error instanceof Deno.errors.ConnectionRefused,
  );
}

Deno.test({
  name:
    "a listening socket is closed to clients at once, and its number is free when the threads that were given up have ended",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const dir = await Deno.makeTempDir();
    const [[tcp = assert.fail()] = []] = settleAddresses([{ transport: "tcp", host: "127.0.0.1", port: 0 }]);
    assert.ok(tcp.transport === "tcp");
    for (const address of [tcp, { transport: "unix", path: `${dir}/a.sock` } as const]) {
      const host = new EpollHost();
      const libc = openLibc();
      // A thread that goes on although it was given up: this one, with a descriptor that it has not closed.
      const share = host.enter();
      const thread = new Int32Array(share.thread);
      thread[0] = libc.gettid(BigInt(SYS_GETTID));
      const left = libc.eventfd(0, 0);
      new Descriptors(share.descriptors).opened(left);
      const fd = host.listen(address, OPTIONS);
      const link = linkOf(fd);
      assert.equal(await isRefused(address), false);

      host.leave(share);
      host.closeListening(fd);
      assert.equal(await isRefused(address), true);
      await new Promise((resolve) => setTimeout(resolve, 60));
      assert.equal(linkOf(fd), link, "a thread may still use its number");
      if (address.transport === "tcp") {
        const again = host.listen(address, OPTIONS);
        assert.notEqual(again, fd);
        assert.equal(await isRefused(address), false, "the address can be listened on meanwhile");
        host.closeListening(again);
      }
      // It has ended.
      thread[0] = 0;
      await until(() => linkOf(fd) !== link, "the socket is closed");

      const last = host.listen(tcp, OPTIONS);
      const lastLink = linkOf(last);
      host.closeListening(last);
      assert.notEqual(linkOf(last), lastLink, "without such a thread it is closed at once");
      libc.unload();
      await host.close();
    }
    await Deno.remove(dir, { recursive: true });
  },
});

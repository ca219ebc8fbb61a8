/** The sockets of workers that read datagrams: one each, and the same one in every generation. */

import assert from "node:assert/strict";
import { RunError } from "../../lib/core/errors.ts";
import { EpollSockets, HeldByBook } from "../../lib/control/epoll_sockets.ts";
import { SocketBook } from "../../lib/control/socket_book.ts";
import type { ListenerOptions } from "../../lib/dataplane/messages.ts";
import { EpollHost } from "../../lib/engine/epoll/host.ts";
import { freePort } from "../support/ports.ts";
import { UdpPeer } from "../support/udp.ts";

const ignore = Deno.build.os !== "linux";
const KEEPALIVE = { idleMs: 0, intervalMs: 1_000, count: 3 };

function listener(port: number): ListenerOptions {
  const address = { transport: "udp", host: "127.0.0.1", port } as const;
  return { name: "dns", address, backlog: 0, keepalive: KEEPALIVE } as ListenerOptions;
}

Deno.test({
  name:
    "each worker has a socket of its own, and a later generation has the same ones until the last has gone",
  ignore,
  fn: async () => {
    const host = new EpollHost();
    const book = new SocketBook(host);
    const options = listener(freePort());
    const socketsOf = (sockets: EpollSockets): (number | undefined)[] => {
      return [0, 1, 2].map((index) => sockets.forWorker(options, index, 3).sockets?.[0]);
    };
    const held = new HeldByBook(book);
    assert.ok(options.address.transport === "udp");
    await held.hold(options.address, options);
    const first = new EpollSockets(book, [options]);
    await first.prepare();
    await held.release();
    const descriptors = socketsOf(first);
    assert.equal(new Set(descriptors).size, 3);
    assert.deepEqual(socketsOf(first), descriptors);

    const second = new EpollSockets(book, [options]);
    await second.prepare();
    await first.remove();
    assert.deepEqual(socketsOf(second), descriptors);
    const ofTwo = [0, 1].map((index) => second.forWorker(options, index, 2).sockets);
    const [a, b, c] = descriptors;
    assert.deepEqual(ofTwo, [[a, c], [b]], "of two workers one reads what the third had");
    await second.remove();
    using _free = new UdpPeer("127.0.0.1", options.address.port);
    await host.close();
  },
});

Deno.test({
  name:
    "an address that another program reads cannot be shared with it, although workers share it among themselves",
  ignore,
  fn: async () => {
    const [ours, others] = [new EpollHost(), new EpollHost()];
    const options = listener(freePort());
    const other = new EpollSockets(new SocketBook(others), [options]);
    await other.prepare();
    other.forWorker(options, 1, 2);
    const own = new EpollSockets(new SocketBook(ours), [options]);
    await assert.rejects(own.prepare(), (error) => {
      assert.ok(error instanceof RunError);
      assert.match(error.message, /^cannot listen on udp:127\.0\.0\.1:\d+: .*in use/);
      return true;
    });
    await other.remove();
    await own.prepare();
    await own.remove();
    await Promise.all([ours.close(), others.close()]);
  },
});

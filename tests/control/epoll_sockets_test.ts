/** Listening sockets of the engine epoll, opened once in the process: what becomes of a Unix socket whose file is gone. */

import assert from "node:assert/strict";
import { EpollSockets } from "../../lib/control/epoll_sockets.ts";
import { SocketBook } from "../../lib/control/socket_book.ts";
import type { ListenerOptions } from "../../lib/dataplane/messages.ts";
import { EpollHost } from "../../lib/engine/epoll/host.ts";

const ignore = Deno.build.os !== "linux";
const KEEPALIVE = { idleMs: 0, intervalMs: 1_000, count: 3 };

Deno.test({
  name:
    "a socket that took the place of one without a file is passed on, and given up when its generation could not begin",
  ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/web.sock`;
    const address = { transport: "unix", path } as const;
    const file = { mode: 0o660, group: undefined };
    const options = { name: "web", address, backlog: 16, keepalive: KEEPALIVE, file } as ListenerOptions;
    const host = new EpollHost();
    const book = new SocketBook(host);
    const openNow = (): readonly (readonly number[])[] => book.open.map(({ descriptors }) => descriptors);
    const descriptors = (sockets: EpollSockets): readonly number[] | undefined =>
      sockets.forWorker(options, 0, 1).sockets;

    const first = new EpollSockets(book, [options]);
    await first.prepare();
    await Deno.remove(path);
    assert.equal(await first.areInPlace(), false);
    await first.takeOverPaths();

    const second = new EpollSockets(book, [options]);
    await second.prepare();
    assert.notDeepEqual(descriptors(second), descriptors(first));
    assert.deepEqual(openNow(), [descriptors(second)]);
    await second.withdraw();
    assert.deepEqual(openNow(), [descriptors(first)]);

    const third = new EpollSockets(book, [options]);
    await third.prepare();
    await first.remove();
    assert.deepEqual(openNow(), [descriptors(third)]);
    (await Deno.connect(address)).close();
    assert.equal(await third.areInPlace(), true);
    await third.remove();
    assert.deepEqual(openNow(), []);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
    await host.close();
    await Deno.remove(folder);
  },
});

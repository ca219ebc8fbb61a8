/** Listening sockets that several threads watch, where the system wakes one of them for each connection. */

import assert from "node:assert/strict";
import type { ClientSocket } from "../../lib/engine/contract.ts";
import { openLibc } from "../../lib/engine/epoll/libc.ts";
import { SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "../../lib/engine/epoll/linux.ts";
import { encodeAddress } from "../../lib/engine/epoll/sockaddr.ts";
import { settleAddresses } from "../../lib/engine/runtime/settle.ts";
import { makeRigged } from "../support/engine_rig.ts";

Deno.test({
  name: "a connection for which a thread was woken is served by it, though it stops before it has looked",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const rigged = makeRigged("epoll");
    const [[at = assert.fail()] = []] = settleAddresses([{ transport: "tcp", host: "127.0.0.1", port: 0 }]);
    const listener = await rigged.listen(at);
    const stop = new AbortController();
    const served: ClientSocket[] = [];
    const accepting = listener.accept({
      limiter: { enter: () => true, leave: () => {}, freed: () => Promise.resolve() },
      serve: (client) => void served.push(client),
      stop: stop.signal,
      onTrouble: assert.fail,
    });
    const libc = openLibc();
    const { family, bytes } = encodeAddress(at);
    const fd = libc.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    // On the loopback it is there at once; the loop has had no turn since.
    libc.connect(fd, bytes, bytes.length);
    stop.abort();
    assert.equal(served.length, 1);
    await accepting;
    for (const client of served) client.close();
    libc.close(fd);
    libc.unload();
    await rigged.close();
  },
});

import assert from "node:assert/strict";
import { HandoverSocket, passDescriptors } from "../../lib/engine/epoll/given/handover.ts";
import { listensOn } from "../../lib/engine/epoll/given/listening_socket.ts";
import { openListening } from "../../lib/engine/epoll/listening.ts";
import { openLibc } from "../../lib/engine/epoll/libc.ts";
import type { Address, StreamAddress } from "../../lib/core/address.ts";

const isLinux = { ignore: Deno.build.os !== "linux" };
const OPTIONS = { backlog: 8, keepalive: { idleMs: 0, intervalMs: 0, count: 0 } };

/** More than fit into one message. */
const MANY = 300;

Deno.test(
  "descriptors are passed in their order, more than one message takes, and stay open where they were",
  isLinux,
  async () => {
    const folder = await Deno.makeTempDir();
    const libc = openLibc();
    const at = { transport: "unix", path: `${folder}/admin.sock.fds` } as const;
    const receiver = new HandoverSocket(at);
    assert.equal((await Deno.stat(at.path)).mode ?? 0, 0o140_600);
    assert.deepEqual(receiver.take(), [], "no one has connected");
    const own = Array.from({ length: MANY }, (_, i): StreamAddress => {
      return { transport: "unix", path: `${folder}/${i}.sock` };
    });
    const descriptors = own.map((address) => openListening(libc, address, OPTIONS));
    // One that only looks whether the path is answered passes nothing.
    (await Deno.connect({ transport: "unix", path: at.path })).close();
    assert.equal(passDescriptors(libc, at, descriptors), true);
    const received = receiver.take();
    receiver.close();
    assert.deepEqual(received.map((fd) => listensOn(libc, fd)), own);
    assert.deepEqual(descriptors.map((fd) => listensOn(libc, fd)), own);
    for (const fd of [...received, ...descriptors]) libc.close(fd);
    assert.throws(() => passDescriptors(libc, at, [0]), { code: "ENOENT" });
    libc.unload();
    await Deno.remove(folder, { recursive: true });
  },
);

Deno.test(
  "what a descriptor listens on is found out; one that is no listening socket is none",
  isLinux,
  () => {
    const libc = openLibc();
    const opened = [
      { transport: "tcp", host: "127.0.0.1", port: 0 },
      { transport: "tcp", host: "::1", port: 0 },
      { transport: "tcp", host: "::", port: 0 },
    ] as const satisfies readonly Address[];
    for (const address of opened) {
      const fd = openListening(libc, address, OPTIONS);
      const found = listensOn(libc, fd);
      assert.ok(found?.transport === "tcp" && found.port > 0);
      assert.deepEqual({ ...found, port: 0 }, address);
      libc.close(fd);
    }
    const [AF_UNIX, STREAM, DATAGRAM] = [1, 1, 2];
    for (const type of [STREAM, DATAGRAM]) {
      const fd = libc.socket(AF_UNIX, type, 0);
      assert.equal(listensOn(libc, fd), undefined);
      libc.close(fd);
    }
    assert.equal(listensOn(libc, 1_000_000), undefined);
    libc.unload();
  },
);

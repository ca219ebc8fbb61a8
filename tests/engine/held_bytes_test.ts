import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { Buffers, COPY_BYTES, MAX_HELD_BYTES, RECEIVE_BYTES } from "../../lib/engine/epoll/buffers.ts";
import { EAGAIN } from "../../lib/engine/epoll/errno.ts";
import { type Libc, openLibc } from "../../lib/engine/epoll/libc.ts";
import type { EpollSocket } from "../../lib/engine/epoll/socket.ts";
import { startBackend } from "../support/backend.ts";
import { until } from "../support/balancer.ts";
import { pattern, readExactly, same } from "../support/bytes.ts";
import { type RigSession, startRig } from "../support/engine_rig.ts";

Deno.test("a few bytes that a slow reader has left do not keep a whole buffer", () => {
  const buffers = new Buffers();
  const data = pattern(RECEIVE_BYTES);
  buffers.current.set(data);
  const first = buffers.current.buffer;
  const held = buffers.hold(0, RECEIVE_BYTES);
  const rest = buffers.sent(held, RECEIVE_BYTES - 10);
  assert.equal(rest?.buffer.byteLength, 10);
  assert.equal(buffers.heldBytes, 10);
  buffers.hold(0, RECEIVE_BYTES);
  assert.ok(buffers.current.buffer === first, "the buffer is used again");
  buffers.current.fill(0);
  assert.ok(rest !== undefined && same(rest, data.subarray(-10)));
  assert.equal(buffers.sent(rest, 10), undefined);
});

/** The C library, of whose sockets some take nothing, as if their peers did not read. */
function stalling(): { readonly libc: Libc; readonly stalled: Set<number> } {
  const real = openLibc();
  const stalled = new Set<number>();
  let isStalled = false;
  const libc: Libc = {
    ...real,
    errno: () => isStalled ? EAGAIN : real.errno(),
    send: (fd, ...rest) => {
      isStalled = stalled.has(fd);
      return isStalled ? -1 : real.send(fd, ...rest);
    },
    recv: (...all) => {
      isStalled = false;
      return real.recv(...all);
    },
  };
  return { libc, stalled };
}

/** What a side has not taken, and the memory of that. */
function heldFor(socket: unknown): { readonly bytes: number; readonly memory: number } {
  const { held } = socket as EpollSocket;
  return { bytes: held?.length ?? 0, memory: held?.buffer.byteLength ?? 0 };
}

Deno.test({
  name: "a session whose peers both take nothing has 256 KiB of memory for what is held back",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const data = pattern(2 ** 20);
    const { libc, stalled } = stalling();
    const go = Promise.withResolvers<void>();
    const ends: Deno.TcpConn[] = [];
    const backend = startBackend(async (conn) => {
      ends.push(conn);
      await go.promise;
      await writeAll(conn, data).catch(() => {});
    });
    {
      await using rig = await startRig("epoll", backend, { libc });
      using client = await Deno.connect({ hostname: "127.0.0.1", port: rig.port });
      const session: RigSession = await rig.session(0);
      await until(() => session.backend !== undefined, "it relays");
      for (const side of [session.client, session.backend]) stalled.add((side as unknown as EpollSocket).fd);
      go.resolve();
      await until(() => session.pendingWrites === 1, "the client holds up the backend");
      const sending = writeAll(client, data).catch(() => {});
      await until(() => session.pendingWrites === 2, "the backend holds up the client");
      const [out, back] = [heldFor(session.client), heldFor(session.backend)];
      assert.ok(out.bytes > 0 && back.bytes > 0);
      assert.ok(out.memory + back.memory <= MAX_HELD_BYTES, `${out.memory} and ${back.memory} bytes`);
      assert.equal(rig.heldBytes(), out.bytes + back.bytes);
      session.end();
      assert.equal(rig.heldBytes(), 0);
      await sending;
    }
    await backend.stop();
  },
});

Deno.test({
  name: "a client that takes nothing, and for which a whole buffer is held back, can send on without end",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const question = pattern(4 * 2 ** 20);
    const { libc, stalled } = stalling();
    const go = Promise.withResolvers<void>();
    const got = Promise.withResolvers<Uint8Array>();
    const backend = startBackend(async (conn) => {
      await go.promise;
      const sending = writeAll(conn, pattern(2 ** 20)).catch(() => {});
      got.resolve(await readExactly(conn, question.length));
      await sending;
    });
    {
      await using rig = await startRig("epoll", backend, { libc });
      using client = await Deno.connect({ hostname: "127.0.0.1", port: rig.port });
      const session = await rig.session(0);
      await until(() => session.backend !== undefined, "it relays");
      stalled.add((session.client as unknown as EpollSocket).fd);
      go.resolve();
      await until(() => heldFor(session.client).bytes > COPY_BYTES, "a whole buffer is held back");
      await writeAll(client, question);
      assert.ok(same(await got.promise, question));
      session.end();
    }
    await backend.stop();
  },
});

// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Bytes that arrive just before a reset are delivered, whichever event the loop handles first. */

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type Libc, openLibc } from "../../lib/engine/epoll/libc.ts";
import { until } from "../support/balancer.ts";
import { joined, pattern, same } from "../support/bytes.ts";
import { startRig } from "../support/engine_rig.ts";
import { startNodeBackend } from "../support/node_backend.ts";

const ONLY_LINUX = { ignore: Deno.build.os !== "linux" };

/** A C library whose epoll_wait reports no event while `isPaused`. */
function pausable(): { readonly libc: Libc; isPaused: boolean } {
  const real = openLibc();
  const made: { libc: Libc; isPaused: boolean } = {
    isPaused: false,
    libc: {
      ...real,
      epoll_wait: (...call: Parameters<Libc["epoll_wait"]>) => made.isPaused ? 0 : real.epoll_wait(...call),
    } as Libc,
  };
  return made;
}

/** Resolves when it is closed, with an error or without. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.once("close", () => resolve()));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test(
  "what a backend sent before its reset arrives though sending to it fails first",
  ONLY_LINUX,
  async () => {
    const wait = pausable();
    const answer = pattern(50_000);
    const reached = Promise.withResolvers<Socket>();
    const backend = await startNodeBackend(reached.resolve);
    {
      await using rig = await startRig("epoll", backend, { libc: wait.libc });
      const client = connect({ host: "127.0.0.1", port: rig.port });
      const got: Uint8Array[] = [];
      client.on("data", (data) => got.push(data)).on("error", () => {});
      const isClosed = closed(client);
      const socket = await reached.promise;
      await until(() => rig.sessions[0]?.backend !== undefined, "the backend is reached");
      await pause(20);
      wait.isPaused = true;
      client.write("question");
      await pause(20);
      socket.write(answer, () => setTimeout(() => socket.resetAndDestroy(), 20));
      await closed(socket);
      wait.isPaused = false;
      await isClosed;
      assert.ok(same(joined(got), answer));
    }
    await backend.stop();
  },
);

Deno.test(
  "what a client sent before its reset arrives though sending to it fails first",
  ONLY_LINUX,
  async () => {
    const wait = pausable();
    const question = pattern(50_000);
    const reached = Promise.withResolvers<Socket>();
    const backend = await startNodeBackend(reached.resolve);
    {
      await using rig = await startRig("epoll", backend, { libc: wait.libc });
      const client = connect({ host: "127.0.0.1", port: rig.port });
      client.on("error", () => {});
      const socket = await reached.promise;
      const got: Uint8Array[] = [];
      socket.on("data", (data) => got.push(data));
      await until(() => rig.sessions[0]?.backend !== undefined, "the backend is reached");
      await pause(20);
      wait.isPaused = true;
      socket.write("answer");
      await pause(20);
      client.write(question, () => setTimeout(() => client.resetAndDestroy(), 20));
      await closed(client);
      wait.isPaused = false;
      await closed(socket);
      assert.ok(same(joined(got), question));
    }
    await backend.stop();
  },
);

Deno.test(
  "a slow reader that ends its side gets all that came before the reset of its backend",
  ONLY_LINUX,
  async () => {
    const answer = pattern(2 * 2 ** 20);
    const reached = Promise.withResolvers<Socket>();
    const backend = await startNodeBackend((socket) => reached.resolve(socket.pause()));
    {
      await using rig = await startRig("epoll", backend);
      const client = connect({ host: "127.0.0.1", port: rig.port, allowHalfOpen: true });
      client.on("error", () => {}).pause();
      const socket = await reached.promise;
      const session = await rig.session(0);
      client.write("question");
      socket.end(answer);
      await until(() => session.told.includes("out ended"), "the answer was passed on");
      await pause(20);
      socket.resetAndDestroy();
      // What is sent to a backend that has gone is answered with a reset.
      for (let i = 0; i < 20 && !session.told.includes("client told"); i++) {
        client.write("more");
        await pause(10);
      }
      assert.ok(session.told.includes("client told"));
      client.end();
      await pause(20);
      assert.ok(session.isOver);
      let received = 0;
      client.on("data", (data) => received += data.length).resume();
      await closed(client);
      assert.equal(received, answer.length);
    }
    await backend.stop();
  },
);

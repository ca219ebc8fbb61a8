/** What an exchange on epoll tells of itself, with a socket of the test's own in its place. */

import assert from "node:assert/strict";
import type { EpollClient } from "../../lib/engine/epoll/client.ts";
import { EpollExchange } from "../../lib/respond/epoll_exchange.ts";

type Bytes = Uint8Array<ArrayBuffer>;

Deno.test("a peer that only takes what was left to be sent is not idle", () => {
  const told: string[] = [];
  const taken: number[] = [];
  const client = {
    isReadable: false,
    isAtEnd: false,
    early: undefined,
    held: undefined,
    tools: { buffers: { current: new Uint8Array(8) }, loop: {} },
    flush: () => 0,
    sendFrom: ({ length }: Bytes) => {
      taken.push(length);
      // Two bytes at a time.
      return Math.min(2, length);
    },
  } as unknown as EpollClient;
  const exchange = { opening: new TextEncoder().encode("answer"), received: () => undefined, isOver: true };
  const on = (event: string) => (): void => void told.push(event);
  new EpollExchange(client, exchange, { moved: on("moved"), over: on("over"), gone: on("gone") }).begin();
  assert.deepEqual(told, []);
  client.owner?.onReady(client, true);
  assert.deepEqual(told, ["moved"]);
  client.owner?.onReady(client, true);
  assert.deepEqual(told, ["moved", "moved", "over"]);
  assert.deepEqual(taken, [6, 4, 2]);
});

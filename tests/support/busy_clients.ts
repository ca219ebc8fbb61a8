import assert from "node:assert/strict";
import net from "node:net";

/** More than four times as many as the runtime serves in one turn of its event loop. */
const CLIENTS = 600;
const ANSWERS_EACH = 60;
/** A server that serves in order leaves 0.92 to 0.98, one that does not 0.3 to 0.87. */
const FAIR_SHARE = 0.85;

/**
 * Hundreds of clients of a server that echoes: each asks again as soon as it is answered, until all together have so many
 * answers. Fails when one of them has had much less than its fair share.
 *
 * Sockets of node:net are served in the order in which they become ready, so that what is unfair is the server. On a busy
 * machine one pause at the wrong moment can cost a client its turns: a share that is too small must be seen again.
 */
export async function assertFairShares(port: number): Promise<void> {
  const share = await leastShare(port);
  if (share >= FAIR_SHARE) return;
  const again = [await leastShare(port), await leastShare(port)];
  assert.ok(Math.min(...again) >= FAIR_SHARE, `one had ${share} of its share, then ${again.join(" and ")}`);
}

async function leastShare(port: number): Promise<number> {
  const answers = new Array<number>(CLIENTS).fill(0);
  const enough = Promise.withResolvers<void>();
  let total = 0;
  const clients = await Promise.all(answers.map((_, i) =>
    connect(port, () => {
      answers[i] = (answers[i] ?? 0) + 1;
      if (++total === CLIENTS * ANSWERS_EACH) enough.resolve();
    }, enough.reject)
  ));
  // Whoever is connected first has no start.
  for (const client of clients) client.write("?");
  await enough.promise;
  const counts = [...answers];
  const closed = clients.map((socket) => new Promise((resolve) => socket.on("close", resolve)));
  for (const socket of clients) socket.removeAllListeners("error").on("error", () => {}).destroy();
  await Promise.all(closed);
  return Math.min(...counts) / ANSWERS_EACH;
}

/** A client that asks again after each answer. */
function connect(port: number, onAnswer: () => void, onError: (error: Error) => void): Promise<net.Socket> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => resolve(socket));
    socket.on("error", onError);
    socket.on("data", () => {
      onAnswer();
      socket.write("?");
    });
  });
}

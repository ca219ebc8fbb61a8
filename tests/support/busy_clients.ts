import net from "node:net";

/** More than four times as many as the runtime serves in one turn of its event loop. */
const CLIENTS = 600;
const ANSWERS_EACH = 60;

/**
 * Hundreds of clients of a server that echoes: each asks again as soon as it is answered, until all together have so many
 * answers; gives the least that one of them has had, of what would be its fair share.
 *
 * Sockets of node:net are served in the order in which they become ready, so that what is unfair is the server.
 */
export async function leastShare(port: number): Promise<number> {
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

import assert from "node:assert/strict";
import net from "node:net";
import { startTestBalancer } from "../support/balancer.ts";

/** More than four times as many as the runtime serves in one turn of its event loop. */
const SESSIONS = 600;
const ANSWERS_EACH = 60;

/** Sockets of node:net on both ends: theirs are served in the order in which they become ready. */
async function startEcho(): Promise<{ readonly port: number; readonly server: net.Server }> {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => socket.write(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", SESSIONS, resolve));
  return { port: (server.address() as net.AddressInfo).port, server };
}

/** Each client asks again as soon as it is answered, until all together have their answers; gives those of each. */
async function askAtOnce(port: number): Promise<number[]> {
  const answers = new Array<number>(SESSIONS).fill(0);
  const enough = Promise.withResolvers<void>();
  let total = 0;
  const clients = answers.map((_, i) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write("?"));
    socket.on("error", enough.reject);
    socket.on("data", () => {
      answers[i] = (answers[i] ?? 0) + 1;
      if (++total === SESSIONS * ANSWERS_EACH) enough.resolve();
      socket.write("?");
    });
    return socket;
  });
  await enough.promise;
  const counts = [...answers];
  const closed = clients.map((socket) => new Promise((resolve) => socket.on("close", resolve)));
  for (const socket of clients) socket.removeAllListeners("error").on("error", () => {}).destroy();
  await Promise.all(closed);
  return counts;
}

Deno.test("of hundreds of sessions that are busy at once none is served more often than the others", async () => {
  const { port, server } = await startEcho();
  await using balancer = await startTestBalancer({ backends: [`127.0.0.1:${port}`], workers: 1 });
  const answers = await askAtOnce(balancer.port);
  const [least, most] = [Math.min(...answers), Math.max(...answers)];
  assert.ok(least >= 0.75 * most, `one had ${least} answers, another one ${most}`);
  await balancer.stop();
  await new Promise((resolve) => server.close(resolve));
});

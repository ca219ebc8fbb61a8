import net from "node:net";
import { startTestBalancer } from "../support/balancer.ts";
import { assertFairShares } from "../support/busy_clients.ts";

/** Of node:net, whose sockets are served in the order in which they become ready. */
async function startEcho(): Promise<{ readonly port: number; readonly server: net.Server }> {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => socket.write(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", 1024, resolve));
  return { port: (server.address() as net.AddressInfo).port, server };
}

Deno.test("of hundreds of sessions that are busy at once each has its share", async () => {
  const { port, server } = await startEcho();
  await using balancer = await startTestBalancer({ backends: [`127.0.0.1:${port}`], workers: 1 });
  await assertFairShares(balancer.port);
  await balancer.stop();
  await new Promise((resolve) => server.close(resolve));
});

/// <reference lib="deno.worker" />

/**
 * A server that echoes, in a thread of its own. Of node:net, whose sockets are served in the order in which they become ready; it
 * tells its port.
 */

import net from "node:net";

const server = net.createServer((socket) => {
  socket.on("error", () => {});
  socket.on("data", (bytes) => socket.write(bytes));
});
server.listen(0, "127.0.0.1", 1024, () => self.postMessage((server.address() as net.AddressInfo).port));

/** A data-plane worker that tries what it may not do and says what came of it, then does its work. */

import "../../../lib/dataplane/worker.ts";

async function attempt(what: string, action: () => unknown): Promise<void> {
  let outcome = "allowed";
  try {
    await action();
  } catch (error) {
    outcome = error instanceof Error ? error.name : String(error);
  }
  self.postMessage({ type: "warning", event: "attempted", fields: { what, outcome } });
}

await attempt("dial", () => Deno.connect({ hostname: "127.0.0.1", port: 9 }));
await attempt("listen", () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
await attempt(
  "take datagrams",
  () => Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 }),
);
await attempt("send datagrams", async () => {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
  await socket.send(new Uint8Array(1), { transport: "udp", hostname: "127.0.0.1", port: 9 })
    .finally(() => socket.close());
});
await attempt("read", () => Deno.readTextFile("/etc/hostname"));
await attempt("write", () => Deno.writeTextFile("/tmp/sockbal-nosy", ""));
await attempt("env", () => Deno.env.get("HOME"));
await attempt("run", () => new Deno.Command("true").output());
await attempt("sys", () => Deno.hostname());

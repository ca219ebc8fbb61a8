import assert from "node:assert/strict";
import { type HandlerName, handlers } from "../../lib/respond/handlers.ts";
import { startBackend } from "../support/backend.ts";
import { ask, bytes, pattern, readAll, readExactly, same, text } from "../support/bytes.ts";
import { CONTEXT } from "./memory_connection.ts";

/** A server on a free port that has only this handler. */
function serve(name: HandlerName): ReturnType<typeof startBackend> {
  return startBackend(async (conn) => {
    await handlers[name](conn, CONTEXT);
    await conn.closeWrite();
    await readAll(conn);
  });
}

Deno.test("every handler answers over a real socket, and ends when its peer does", async () => {
  const answers: Record<Exclude<HandlerName, "chargen">, [string, string]> = {
    echo: ["häl\0lo", "häl\0lo"],
    upper: ["hello\n", "HELLO\n"],
    reverse: ["hello\n", "olleh\n"],
    discard: ["hello\n", ""],
    daytime: ["", "2026-01-02T03:04:05.678Z\n"],
    whoami: ["who?\n", "one\n"],
    http: [
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n\r\none\n",
    ],
  };
  await Promise.all(
    Object.entries(answers).map(async ([name, [sent, answer]]) => {
      const server = serve(name as HandlerName);
      assert.equal(text(await ask(server.port, bytes(sent))), answer, name);
      await server.stop();
    }),
  );
});

Deno.test("echo gives back 8 MiB while they are still being sent", async () => {
  const server = serve("echo");
  const sent = pattern(8 * 1024 * 1024);
  assert.ok(same(await ask(server.port, sent), sent));
  await server.stop();
});

Deno.test("chargen fills a real socket until its peer ends", async () => {
  const server = serve("chargen");
  using client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  const first = text(await readExactly(client, 100_000));
  assert.ok(first.startsWith(" !\"#$%&'"));
  await client.closeWrite();
  await readAll(client);
  await server.stop();
});

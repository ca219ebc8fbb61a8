// deno-lint-ignore-file no-await-in-loop -- backends here answer in loops

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { parseDialAddress } from "../../lib/core/address.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { type ConversationOptions, converse } from "../../lib/talk/conversation.ts";
import { startBackend } from "../support/backend.ts";
import { readProxyHeader } from "../../lib/wire/read_proxy_header.ts";
import { bytes, pattern, readAll, same, text } from "../support/bytes.ts";

interface Conversation {
  readonly output: Uint8Array;
  readonly failure: string | undefined;
}

/** Runs a client whose input is these bytes, in pieces, and collects its output. */
async function talk(
  address: string,
  input: Uint8Array,
  options: Partial<ConversationOptions> = {},
): Promise<Conversation> {
  const parts: Uint8Array[] = [];
  let rest = input;
  const failure = await converse({
    connect: parseDialAddress(address),
    messages: [],
    timeoutMs: 0,
    stop: new AbortController().signal,
    isInputEndless: false,
    input: {
      read: (buffer) => {
        if (rest.length === 0) return Promise.resolve(null);
        const taken = Math.min(rest.length, buffer.length, 10_000);
        buffer.set(rest.subarray(0, taken));
        rest = rest.subarray(taken);
        return Promise.resolve(taken);
      },
    },
    output: {
      write: (chunk) => {
        parts.push(chunk.slice());
        return Promise.resolve(chunk.length);
      },
    },
    ...options,
  }).then(() => undefined, (error: Error) => `${error.name}: ${error.message}`);
  return {
    output: new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer()),
    failure,
  };
}

Deno.test("messages are sent with a newline each, then the sending side is ended", async () => {
  let asked = new Uint8Array();
  const backend = startBackend(async (conn) => {
    asked = await readAll(conn) as Uint8Array<ArrayBuffer>;
    await writeAll(conn, bytes("done"));
  });
  const { output, failure } = await talk(backend.address, bytes("not sent"), { messages: ["one", "two ü"] });
  assert.equal(failure, undefined);
  assert.ok(same(asked, bytes("one\ntwo ü\n")));
  assert.ok(same(output, bytes("done")));
  await backend.stop();
});

Deno.test("a pipe carries every byte both ways at once", async () => {
  const backend = startBackend(async (conn) => {
    const buffer = new Uint8Array(5_000);
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      await writeAll(conn, buffer.subarray(0, n));
    }
  });
  const sent = pattern(3_000_000);
  const { output, failure } = await talk(backend.address, sent);
  assert.equal(failure, undefined);
  assert.ok(same(output, sent));
  await backend.stop();
});

Deno.test("what a server says before its end is printed although it did not want the message", async () => {
  const backend = startBackend((conn) => writeAll(conn, bytes("go away\n")));
  const { output } = await talk(backend.address, new Uint8Array(), { messages: ["hi"] });
  assert.ok(same(output, bytes("go away\n")));
  await backend.stop();
});

Deno.test("a connection that is reset is one plain sentence", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.resetAndDestroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const { failure } = await talk(`127.0.0.1:${address.port}`, new Uint8Array(), { messages: ["hi"] });
  assert.equal(failure, `RunError: 127.0.0.1:${address.port}: the connection was reset by the peer`);
  server.close();
  await once(server, "close");
});

Deno.test("a path that is a directory, or a file that is no socket, is said to be so", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/file`;
  await Deno.writeTextFile(file, "");
  const failureAt = async (path: string): Promise<string | undefined> =>
    (await talk(`unix:${path}`, new Uint8Array(), { messages: ["hi"] })).failure;
  assert.equal(
    await failureAt(folder),
    `RunError: unix:${folder}: is a directory; name the socket in it`,
  );
  assert.equal(await failureAt(file), `RunError: unix:${file}: is no socket`);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("an output that is closed ends the conversation, and is no failure", async () => {
  const backend = startBackend(async (conn) => {
    for (;;) {
      await writeAll(conn, new Uint8Array(10_000));
    }
  });
  const { failure } = await talk(backend.address, new Uint8Array(), {
    messages: ["more"],
    output: { write: () => Promise.reject(new Deno.errors.BrokenPipe("Broken pipe")) },
  });
  assert.equal(failure, undefined);
  await backend.stop();
});

Deno.test("the wish to stop ends a waiting conversation, and is no failure", async () => {
  const stop = new AbortController();
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const backend = startBackend(async (conn) => {
    await readAll(conn);
    resolve();
    await held.promise;
  });
  const talking = talk(backend.address, new Uint8Array(), { messages: ["hi"], stop: stop.signal });
  await asked;
  stop.abort();
  assert.equal((await talking).failure, undefined);
  held.resolve();
  await backend.stop();
});

Deno.test("input is sent to its end although the peer has ended its own side first", async () => {
  const sent = pattern(5_000_000);
  const { promise: received, resolve } = Promise.withResolvers<Uint8Array>();
  const backend = startBackend(async (conn) => {
    await conn.closeWrite();
    resolve(await readAll(conn));
  });
  const { failure } = await talk(backend.address, sent);
  assert.equal(failure, undefined);
  assert.ok(same(await received, sent));
  await backend.stop();
});

Deno.test("input that a peer no longer takes is a failure, not silence", async () => {
  const backend = startBackend(() => {});
  const { failure } = await talk(backend.address, pattern(20_000_000));
  assert.match(
    failure ?? "",
    /^RunError: .*: (the connection was reset by the peer|the peer closed the connection .*)$/,
  );
  await backend.stop();
});

Deno.test("who speaks is said first, and the conversation follows", async () => {
  for (const proxyProtocol of ["v1", "v2"] as const) {
    let asked = new Uint8Array();
    let end: Deno.NetAddr | undefined;
    const backend = startBackend(async (conn) => {
      end = conn.remoteAddr as Deno.NetAddr;
      asked = await readAll(conn) as Uint8Array<ArrayBuffer>;
    });
    const { failure } = await talk(backend.address, new Uint8Array(), { messages: ["hi"], proxyProtocol });
    assert.equal(failure, undefined);
    const header = readProxyHeader(asked);
    assert.ok(typeof header === "object" && "source" in header);
    assert.equal(`v${header.version}`, proxyProtocol);
    assert.deepEqual(header.source, { transport: "tcp", host: "127.0.0.1", port: end?.port });
    assert.deepEqual(header.destination, { transport: "tcp", host: "127.0.0.1", port: backend.port });
    assert.equal(text(asked.subarray(header.length)), "hi\n");
    await backend.stop();
  }
});

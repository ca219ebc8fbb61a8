import assert from "node:assert/strict";
import { CHUNK_BYTES, chunks, writeAll } from "../../lib/core/connection.ts";
import { bytes, text } from "../support/bytes.ts";

Deno.test("writeAll writes on until a sink that takes little has taken all", async () => {
  let taken = "";
  const sink = {
    write: (data: Uint8Array): Promise<number> => {
      taken += text(data.subarray(0, 3));
      return Promise.resolve(Math.min(3, data.length));
    },
  };
  await writeAll(sink, bytes("hello, world"));
  assert.equal(taken, "hello, world");
});

Deno.test("writeAll does not call the sink for nothing", async () => {
  await writeAll({ write: () => assert.fail("called") }, new Uint8Array());
});

Deno.test("writeAll rejects when the sink does", async () => {
  const sink = { write: () => Promise.reject(new Error("gone")) };
  await assert.rejects(writeAll(sink, bytes("x")), new Error("gone"));
});

Deno.test("chunks gives what is read, in order, until the end", async () => {
  const parts = ["one", "two", "three"];
  let asked = 0;
  const source = {
    read: (buffer: Uint8Array): Promise<number | null> => {
      assert.equal(buffer.length, CHUNK_BYTES);
      const part = parts[asked++];
      if (part !== undefined) buffer.set(bytes(part));
      return Promise.resolve(part?.length ?? null);
    },
  };
  const read: string[] = [];
  for await (const chunk of chunks(source)) read.push(text(chunk));
  assert.deepEqual(read, parts);
  assert.equal(asked, 4);
});

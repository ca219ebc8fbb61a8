import assert from "node:assert/strict";
import { acceptsGzip, gzipped } from "../../lib/admin/gzip.ts";
import { pattern, same } from "../support/bytes.ts";
import { fakeBackend } from "./fake_operations.ts";
import { connectTo, requestBytes } from "./http_client.ts";
import { startTestAdmin } from "./test_admin.ts";

async function unzipped(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

Deno.test("only a client that says so takes gzip", () => {
  for (
    const header of [
      ...[
        "gzip",
        "GZIP",
        "gzip, deflate, br",
        "deflate;q=0.5, gzip;q=0.1",
        "x-gzip",
        "*",
        "identity, *;q=0.5",
      ],
      "gzip; q=1.0",
    ]
  ) assert.ok(acceptsGzip(header), header);
  for (
    const header of [
      undefined,
      "",
      "identity",
      "br",
      "gzip;q=0",
      "gzip;q=0.0",
      "*;q=0",
      "gzip;q=0, *",
      "gzipped",
    ]
  ) {
    assert.ok(!acceptsGzip(header), header);
  }
});

Deno.test("what was compressed reads back, and what is short is left alone", async () => {
  for (const length of [1_400, 64 * 1024, 64 * 1024 + 1, 1_000_000]) {
    const bytes = new Uint8Array(pattern(length));
    // deno-lint-ignore no-await-in-loop -- one length after the other
    assert.ok(same(await unzipped(await gzipped(bytes) ?? new Uint8Array()), bytes));
  }
  assert.equal(await gzipped(new Uint8Array(1_399)), undefined);
});

Deno.test("metrics come in gzip for those who take it, as text for others, and caches are told", async () => {
  await using admin = await startTestAdmin();
  const backends = Array.from({ length: 200 }, (_, i) => fakeBackend(`b${i}`));
  const [pool] = admin.operations.statusNow.pools;
  assert.ok(pool);
  admin.operations.statusNow = { ...admin.operations.statusNow, pools: [{ ...pool, backends }] };

  const plain = await admin.ask({ path: "/metrics" });
  assert.equal(plain.headers.get("content-encoding"), null);
  assert.match(plain.headers.get("vary") ?? "", /accept-encoding/i);

  using conn = await connectTo(admin.address);
  const asking = { path: "/metrics", headers: [["Accept-Encoding", "gzip"]] } as const;
  await conn.write(requestBytes(admin.address, asking));
  const answer = new Uint8Array(await new Response(conn.readable).arrayBuffer());
  const headEnd = new TextDecoder("latin1").decode(answer).indexOf("\r\n\r\n") + 4;
  const head = new TextDecoder().decode(answer.subarray(0, headEnd));
  assert.match(head, /^HTTP\/1\.1 200 /);
  assert.match(head, /\r\ncontent-encoding: gzip\r\n/i);
  assert.match(head, /\r\nvary: accept-encoding\r\n/i);
  assert.match(head, /\r\ncontent-type: text\/plain; version=0\.0\.4/i);
  assert.ok(answer.length * 5 < plain.body.length, `${answer.length} of ${plain.body.length}`);

  const fetched = await fetch(`http://${admin.address}/metrics`);
  assert.equal(await fetched.text(), plain.body);
});

import assert from "node:assert/strict";
import fc from "fast-check";
import { type HttpRequest, HttpRequestReader } from "../../lib/respond/http_requests.ts";
import { bytes } from "../support/bytes.ts";
import { splitAt } from "./memory_connection.ts";

/** The requests in these segments. */
function requestsIn(...segments: readonly (string | Uint8Array)[]): HttpRequest[] {
  const reader = new HttpRequestReader();
  return segments.flatMap((it) => [...reader.read(typeof it === "string" ? bytes(it) : it)]);
}

function joined(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  return new Uint8Array(parts.flatMap((it) => [...typeof it === "string" ? bytes(it) : it]));
}

const GET: HttpRequest = { isHead: false, keepAlive: true, isHttp10: false };
const HEAD: HttpRequest = { isHead: true, keepAlive: true, isHttp10: false };
const LAST: HttpRequest = { isHead: false, keepAlive: false, isHttp10: false };

/** Requests as text and what is to be known of them. */
const REQUESTS: [string, HttpRequest][] = [
  ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", GET],
  ["HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n", HEAD],
  ["OPTIONS * HTTP/1.1\r\n\r\n", GET],
  ["GET http://a/b?c=d HTTP/1.1\r\nHost: a\r\n\r\n", GET],
  ["\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", GET],
  ["X-odd!method / HTTP/1.1\r\n\r\n", GET],
  ["HEADER / HTTP/1.1\r\n\r\n", GET],
  ["GET / HTTP/1.1\r\nEmpty:\r\nSpaced: \t a b \t \r\nColons: a:b\r\n\r\n", GET],
  ["GET / HTTP/1.1\r\nConnection: close\r\n\r\n", LAST],
  ["GET / HTTP/1.1\r\nconnection:  Close \r\n\r\n", LAST],
  ["GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n", GET],
  ["GET / HTTP/1.0\r\n\r\n", { ...LAST, isHttp10: true }],
  ["GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", { ...GET, isHttp10: true }],
  ["HEAD / HTTP/1.0\r\n\r\n", { isHead: true, keepAlive: false, isHttp10: true }],
  ["POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", GET],
  ["POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", GET],
  ["POST / HTTP/1.1\r\ncontent-length:12\r\n\r\n\r\nGET / HTTP", GET],
  ["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", GET],
  ["POST / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", GET],
  [
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\r\r\n0A\r\n0\r\n\r\n56789\r\n000\r\n\r\n",
    GET,
  ],
  ['PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b;c="d"\r\nhi\r\n0;last\r\n\r\n', GET],
  [
    "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2 \t;a\r\nhi\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n",
    GET,
  ],
];

Deno.test("each kind of request is read, with what its answer needs to know", () => {
  for (const [text, request] of REQUESTS) assert.deepEqual(requestsIn(text), [request], JSON.stringify(text));
});

Deno.test("a request is whole with its last byte and not before, one byte at a time", () => {
  for (const [text, request] of REQUESTS) {
    const reader = new HttpRequestReader();
    const buffer = new Uint8Array(1);
    const all = bytes(text);
    for (const [i, byte] of all.entries()) {
      // The same buffer is used again, as a connection does.
      buffer[0] = byte;
      const expected = i === all.length - 1 ? [request] : [];
      assert.deepEqual([...reader.read(buffer)], expected, `${JSON.stringify(text)} at ${i}`);
    }
  }
});

Deno.test("pipelined requests are read one after the other, out of one segment", () => {
  const all = REQUESTS.map(([text]) => text).join("");
  assert.deepEqual(requestsIn(all), REQUESTS.map(([, request]) => request));
});

Deno.test("however a stream is split, the requests are the same", () => {
  const stream = fc.array(fc.constantFrom(...REQUESTS), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(stream, fc.array(fc.nat(), { maxLength: 12 }), (requests, places) => {
      const segments = splitAt(bytes(requests.map(([text]) => text).join("")), places);
      assert.deepEqual(requestsIn(...segments), requests.map(([, request]) => request));
    }),
    { numRuns: 500 },
  );
});

Deno.test("a body of any bytes and any length is passed over, plain and in chunks of any size", () => {
  const body = fc.uint8Array({ maxLength: 3_000 });
  fc.assert(
    fc.property(body, fc.array(fc.nat(), { maxLength: 6 }), fc.array(fc.nat()), (data, cuts, places) => {
      const chunks = splitAt(data, cuts).filter((it) => it.length > 0);
      const all = joined(
        `POST / HTTP/1.1\r\nContent-Length: ${data.length}\r\n\r\n`,
        data,
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        ...chunks.flatMap((chunk) => [`${chunk.length.toString(16)}\r\n`, chunk, "\r\n"]),
        "0\r\n\r\nHEAD / HTTP/1.1\r\n\r\n",
      );
      assert.deepEqual(requestsIn(...splitAt(all, places)), [GET, GET, HEAD]);
    }),
  );
});

Deno.test("a large body is passed over without being kept", () => {
  const reader = new HttpRequestReader();
  const block = new Uint8Array(1024 * 1024);
  assert.deepEqual(
    [...reader.read(bytes(`PUT / HTTP/1.1\r\nContent-Length: ${100 * block.length}\r\n\r\n`))],
    [],
  );
  for (let i = 1; i < 100; i++) assert.deepEqual([...reader.read(block)], []);
  assert.deepEqual([...reader.read(block)], [GET]);
});

Deno.test("a head of just under 16 KiB is read", () => {
  const start = "GET / HTTP/1.1\r\nX: ";
  const head = (length: number): string => `${start}${"x".repeat(length - start.length)}\r\n\r\n`;
  assert.deepEqual(requestsIn(head(16_000)), [GET]);
  assert.deepEqual(requestsIn(head(16 * 1024)), [GET]);
});

Deno.test("whether a head is too large does not depend on how it is split", () => {
  const start = "GET / HTTP/1.1\r\nX: ";
  const head = bytes(`${start}${"x".repeat(16 * 1024 - start.length)}\r\n\r\n`);
  for (let cut = 1; cut <= 4; cut++) {
    assert.deepEqual(
      requestsIn(...splitAt(head, [head.length - cut])),
      [GET],
      `cut ${cut} bytes before its end`,
    );
  }
});

import assert from "node:assert/strict";
import fc from "fast-check";
import { http } from "../../lib/respond/http.ts";
import { bytes, text } from "../support/bytes.ts";
import { answerTo, CONTEXT, memoryConnection, splitAt } from "./memory_connection.ts";

const START = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n";
const OK = `${START}\r\none\n`;
const OK_HEAD = `${START}\r\n`;
const OK_LAST = `${START}Connection: close\r\n\r\none\n`;
const BAD = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const CLOSE = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";

async function answer(...segments: string[]): Promise<string> {
  return text(await answerTo(http, ...segments));
}

Deno.test("each request is answered with the name, and the connection is kept", async () => {
  assert.equal(await answer(GET), OK);
  assert.equal(await answer(GET, POST, GET), OK + OK + OK);
});

Deno.test("pipelined requests are answered in order, out of one segment", async () => {
  const head = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
  assert.equal(await answer(GET + POST + head + CLOSE), OK + OK + OK_HEAD + OK_LAST);
});

Deno.test("HEAD is answered with the same head and no body", async () => {
  assert.equal(await answer("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"), OK_HEAD);
});

Deno.test("the length counts bytes, not characters", async () => {
  const connection = memoryConnection(GET);
  await http(connection, { ...CONTEXT, name: "ü😀" });
  const [head = "", body] = text(connection.received()).split("\r\n\r\n");
  assert.equal(body, "ü😀\n");
  assert.match(head, /\r\nContent-Length: 7$/);
});

Deno.test("after a request that closes, the answer says so and nothing else is read", async () => {
  assert.equal(await answer(CLOSE, GET), OK_LAST);
  assert.equal(await answer(CLOSE + GET), OK_LAST);
  assert.equal(await answer("GET / HTTP/1.0\r\n\r\n", GET), OK_LAST);
});

Deno.test("what follows a request that closes cannot spoil its answer", async () => {
  assert.equal(await answer(`${CLOSE}this is not HTTP\r\n\r\n`), OK_LAST);
});

Deno.test("an HTTP/1.0 client that wants the connection kept is told that it is (RFC 9112, C.2.2)", async () => {
  const kept = await answer("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  assert.match(kept, /\r\nConnection: keep-alive\r\n/i);
});

Deno.test("a client that waits for 100 Continue is told to go on before its body comes, once", async () => {
  const head = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
  assert.equal(await answer(head, "hel", "lo", GET), CONTINUE + OK + OK);
  assert.equal(await answer(GET + head, "hello"), OK + CONTINUE + OK);
  assert.equal(await answer(`${head}hello`), OK);
});

Deno.test("a bad request is answered with 400, and nothing after it is read", async () => {
  assert.equal(await answer("hello\r\n\r\n"), BAD);
  assert.equal(await answer(GET, "hello\r\n\r\n", GET), OK + BAD);
  assert.equal(await answer("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"), BAD);
  assert.equal(await answer(`GET /${"x".repeat(20_000)} HTTP/1.1\r\n\r\n`), BAD);
});

Deno.test("a good request is answered also when a bad one comes in the same segment", async () => {
  assert.equal(await answer(`${GET}hello\r\n\r\n`), OK + BAD);
});

Deno.test("a peer that ends, even within a request, ends the conversation", async () => {
  assert.equal(await answer(), "");
  assert.equal(await answer("GET / HTTP/1.1\r\nHo"), "");
  assert.equal(await answer(GET, POST.slice(0, -1)), OK);
});

Deno.test("however the requests are split, the answers are the same", async () => {
  const request = fc.constantFrom(GET, POST, "HEAD / HTTP/1.1\r\n\r\n");
  const stream = fc.tuple(fc.array(request, { maxLength: 4 }), fc.constantFrom("", CLOSE));
  await fc.assert(
    fc.asyncProperty(stream, fc.array(fc.nat(), { maxLength: 8 }), async ([some, last], places) => {
      const sent = some.join("") + last;
      const expected = some.map((it) => it.startsWith("HEAD") ? OK_HEAD : OK).join("") +
        (last === "" ? "" : OK_LAST);
      assert.equal(text(await answerTo(http, ...splitAt(bytes(sent), places))), expected);
    }),
  );
});

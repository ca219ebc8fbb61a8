// deno-lint-ignore-file no-await-in-loop -- the cases are short, and a failing one is easier to read alone
import assert from "node:assert/strict";
import { whoamiOrHttp } from "../../lib/respond/whoami_or_http.ts";
import { text } from "../support/bytes.ts";
import { answerTo } from "./memory_connection.ts";

async function answer(...segments: string[]): Promise<string> {
  return text(await answerTo(whoamiOrHttp, ...segments));
}

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

Deno.test("an HTTP request is answered with HTTP", async () => {
  const requests: string[][] = [
    [GET],
    ["GET / HTTP/1.0\r\n\r\n"],
    ["GET / HTTP/1.1\r\n", "Host: a\r\n\r\n"],
    [`GET / HTTP/1.1\r\nX: ${"x".repeat(3_000)}\r\n\r\n`],
  ];
  for (const segments of requests) {
    assert.match(await answer(...segments), /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\none\n$/);
  }
});

Deno.test("the requests that follow are answered with HTTP too", async () => {
  const one = await answer(GET);
  assert.equal(await answer(GET, GET), one + one);
  assert.equal(await answer(GET + GET + GET), one + one + one);
});

Deno.test("anything else is answered with the name", async () => {
  const others = [
    "",
    "hi\n",
    "get / http/1.1\r\n\r\n",
    "GET /\r\n",
    "GET / HTTP/2.0\r\n",
    "\x16\x03\x01",
    "HTTP/1.1 200 OK\r\n",
  ];
  for (const sent of others) assert.equal(await answer(sent), "one\n", JSON.stringify(sent));
});

import assert from "node:assert/strict";
import { HttpRequestReader } from "../../lib/respond/http_requests.ts";
import { bytes } from "../support/bytes.ts";

const PLAIN = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
const CHUNKED = "POST / HTTP/1.1\r\nExpect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n";

/** How many requests are whole with this text, and whether the client then waits for "100 Continue". */
function after(...segments: readonly string[]): { whole: number; waits: boolean } {
  const reader = new HttpRequestReader();
  const whole = segments.reduce((sum, it) => sum + [...reader.read(bytes(it))].length, 0);
  return { whole, waits: reader.takeWantsContinue() };
}

Deno.test("a client that announces a body and sends none yet waits for 100 Continue", () => {
  for (const head of [PLAIN, CHUNKED]) {
    assert.deepEqual(after(head), { whole: 0, waits: true });
    assert.deepEqual(after(...head), { whole: 0, waits: true });
    assert.deepEqual(after(`GET / HTTP/1.1\r\n\r\n${head}`), { whole: 1, waits: true });
  }
});

Deno.test("it is told so only once", () => {
  const reader = new HttpRequestReader();
  assert.deepEqual([...reader.read(bytes(PLAIN))], []);
  assert.equal(reader.takeWantsContinue(), true);
  assert.equal(reader.takeWantsContinue(), false);
  assert.equal([...reader.read(bytes("hi"))].length, 1);
  assert.equal(reader.takeWantsContinue(), false);
});

Deno.test("a client whose body is on its way waits for nothing", () => {
  assert.deepEqual(after(`${PLAIN}h`), { whole: 0, waits: false });
  assert.deepEqual(after(`${PLAIN}hi`), { whole: 1, waits: false });
  assert.deepEqual(after(PLAIN, "h"), { whole: 0, waits: false });
  assert.deepEqual(after(`${CHUNKED}2\r\nh`), { whole: 0, waits: false });
  assert.deepEqual(after(`${CHUNKED}2\r\nhi\r\n0\r\n\r\n`), { whole: 1, waits: false });
});

Deno.test("a client whose empty chunked body has come waits for nothing", () => {
  assert.deepEqual(after(`${CHUNKED}0\r\n\r\n`), { whole: 1, waits: false });
});

Deno.test("a client that announces no body, or expects something else, waits for nothing", () => {
  assert.deepEqual(after("GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n"), { whole: 1, waits: false });
  assert.deepEqual(after("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n"), {
    whole: 1,
    waits: false,
  });
  assert.deepEqual(after("POST / HTTP/1.1\r\nExpect: cookies\r\nContent-Length: 2\r\n\r\n"), {
    whole: 0,
    waits: false,
  });
});

Deno.test("an HTTP/1.0 client knows no 100 Continue, so it is sent none (RFC 9110, 10.1.1)", () => {
  assert.deepEqual(after(PLAIN.replace("HTTP/1.1", "HTTP/1.0")), { whole: 0, waits: false });
});

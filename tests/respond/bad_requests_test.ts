import assert from "node:assert/strict";
import { HttpRequestReader, HttpSyntaxError } from "../../lib/respond/http_requests.ts";
import { bytes } from "../support/bytes.ts";

function refuse(text: string): void {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  const whole = new HttpRequestReader();
  assert.throws(() => [...whole.read(bytes(text))], HttpSyntaxError, JSON.stringify(shown));
  const piecemeal = new HttpRequestReader();
  const sizeBytes = text.length > 2_500 ? 997 : 1;
  assert.throws(
    () => {
      const all = bytes(text);
      for (let at = 0; at < all.length; at += sizeBytes) [...piecemeal.read(all.slice(at, at + sizeBytes))];
    },
    HttpSyntaxError,
    `${JSON.stringify(shown)} in pieces`,
  );
}

/** A request with a body in these chunks. */
function chunked(body: string): string {
  return `POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;
}

Deno.test("a request line that is none is refused", () => {
  const lines = [
    "hello",
    "GET",
    "GET /",
    "GET / HTTP/1.1 ",
    " GET / HTTP/1.1",
    "GET  / HTTP/1.1",
    "GET /  HTTP/1.1",
    "GET /a b HTTP/1.1",
    "GET / HTTP/1.2",
    "GET / HTTP/2.0",
    "PRI * HTTP/2.0",
    "GET / HTTP/0.9",
    "GET / http/1.1",
    "GET / HTTP/1.1.1",
    "GET / HTTPS/1.1",
    "G(T / HTTP/1.1",
    "\x16\x03\x01\x02\x00 / HTTP/1.1",
    "GET\t/\tHTTP/1.1",
  ];
  for (const line of lines) refuse(`${line}\r\n\r\n`);
});

Deno.test("a header field that is none is refused", () => {
  for (const field of ["no colon", ": no name", ":", " "]) {
    refuse(`GET / HTTP/1.1\r\n${field}\r\nA: b\r\n\r\n`);
  }
});

Deno.test("a space before the colon of a field is refused (RFC 9112, 5.1)", () => {
  refuse("POST / HTTP/1.1\r\nContent-Length : 5\r\n\r\n");
  refuse("POST / HTTP/1.1\r\nContent-Length\t: 5\r\n\r\n");
});

Deno.test("a field that goes on in the next line is refused (RFC 9112, 5.2)", () => {
  refuse("GET / HTTP/1.1\r\nA: b\r\n c: d\r\n\r\n");
});

Deno.test("a Content-Length that is no length is refused", () => {
  for (const length of ["-1", "+5", "5.0", "0x5", "five", "1e3", "", "5, 6", "5 5", "9".repeat(16)]) {
    refuse(`POST / HTTP/1.1\r\nContent-Length: ${length}\r\n\r\n`);
  }
});

Deno.test("two lengths that differ are refused (RFC 9112, 6.3)", () => {
  refuse("POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!");
});

Deno.test("a transfer coding other than chunked is refused", () => {
  for (const coding of ["gzip", "gzip, chunked", "identity", "chunked, gzip", "chunked chunked", ""]) {
    refuse(`POST / HTTP/1.1\r\nTransfer-Encoding: ${coding}\r\n\r\n`);
  }
});

Deno.test("another transfer coding is refused also when it stands in a field of its own", () => {
  refuse("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n");
});

Deno.test("a chunk whose size cannot be read is refused", () => {
  for (const size of ["", "g", "-1", "0x5", "5 5", " 5", "5,", "1".repeat(14), `5;${"x".repeat(2_000)}`]) {
    refuse(chunked(`${size}\r\nhello\r\n0\r\n\r\n`));
  }
});

Deno.test("a chunk that is longer than its size is refused", () => {
  refuse(chunked("3\r\nhello\r\n0\r\n\r\n"));
});

Deno.test("a head that is too large is refused, and is not waited for", () => {
  refuse(`GET /${"x".repeat(17_000)} HTTP/1.1\r\n\r\n`);
  refuse(`GET / HTTP/1.1\r\nX: ${"x".repeat(17_000)}\r\n\r\n`);
  refuse("x".repeat(17_000));
  refuse(`GET / HTTP/1.1\r\n${"A: b\r\n".repeat(3_000)}`);
  refuse(chunked(`0\r\nTrailer: ${"x".repeat(17_000)}`));
  refuse(chunked("1".repeat(2_000)));
});

Deno.test("requests before the bad one are still good, whatever is in the same segment", () => {
  const reader = new HttpRequestReader();
  let whole = 0;
  assert.throws(() => {
    for (const _ of reader.read(bytes("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nbad\r\n\r\n"))) whole++;
    [...reader.read(new Uint8Array())];
  }, HttpSyntaxError);
  assert.equal(whole, 2);
});

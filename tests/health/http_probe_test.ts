// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import fc from "fast-check";
import { finalStatus, prepareHttp } from "../../lib/health/http_probe.ts";
import { prepareProbe } from "../../lib/health/probe.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend } from "../support/backend.ts";
import { bytes, text } from "../support/bytes.ts";
import {
  answeringBackend,
  drippingBackend,
  httpCheck,
  local,
  probe,
  probeAt,
  readRequest,
  silentBackend,
} from "./checks.ts";

/** What a check of a backend with this answer sees; statuses 200 to 399 are expected. */
async function seen(...pieces: readonly (string | Uint8Array)[]): Promise<string> {
  const backend = answeringBackend(...pieces);
  const result = await probe(backend.port, httpCheck());
  await backend.stop();
  return `${result?.ok ? "well" : "unwell"}: ${result?.saw}`;
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

for (
  const [what, answer, expected] of [
    ["200 is well", OK, "well: HTTP 200"],
    ["204 is well without a body", "HTTP/1.1 204 No Content\r\n\r\n", "well: HTTP 204"],
    ["301 is not followed", "HTTP/1.1 301 Moved\r\nLocation: http://192.0.2.1/\r\n\r\n", "well: HTTP 301"],
    ["404 is not in the range", "HTTP/1.1 404 Not Found\r\n\r\n", "unwell: HTTP 404"],
    ["503 is not in the range", "HTTP/1.1 503 Service Unavailable\r\n\r\n", "unwell: HTTP 503"],
    ["a status that no range reaches is not well", "HTTP/1.1 999 \r\n\r\n", "unwell: HTTP 999"],
    ["HTTP/1.0 will do", "HTTP/1.0 200 OK\r\n\r\n", "well: HTTP 200"],
    ["a status line is enough", "HTTP/1.1 200 OK\r\n", "well: HTTP 200"],
    ["a line may end with LF alone", "HTTP/1.1 200 OK\n\n", "well: HTTP 200"],
    ["the reason may be empty", "HTTP/1.1 200 \r\n\r\n", "well: HTTP 200"],
    ["the space before an empty reason may be missing", "HTTP/1.1 200\r\n\r\n", "well: HTTP 200"],
    [
      "an interim response is not the answer",
      `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}`,
      "well: HTTP 200",
    ],
    [
      "of several interim responses none is",
      `${"HTTP/1.1 100 Continue\r\n\r\n".repeat(3)}${OK}`,
      "well: HTTP 200",
    ],
    ["101 is an answer", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "unwell: HTTP 101"],
    [
      "an interim response alone is no answer",
      "HTTP/1.1 100 Continue\r\n\r\n",
      `unwell: answered "HTTP/1.1 100 Continue\\r\\n\\r\\n", then closed`,
    ],
    [
      "a line without an end is not a status",
      "HTTP/1.1 200 OK",
      `unwell: answered "HTTP/1.1 200 OK", then closed`,
    ],
    ["CR alone ends no line", "HTTP/1.1 200 OK\r", `unwell: answered "HTTP/1.1 200 OK\\r", then closed`],
    ["HTTP/0.9 is not HTTP", "<html>", `unwell: answered "<html>", which is not HTTP`],
    [
      "HTTP/2 is not what was asked for",
      "HTTP/2 200\r\n\r\n",
      `unwell: answered "HTTP/2 200\\r\\n\\r\\n", which is not HTTP`,
    ],
    [
      "another protocol is not HTTP",
      "SSH-2.0-x\r\n",
      `unwell: answered "SSH-2.0-x\\r\\n", which is not HTTP`,
    ],
    [
      "a status of two digits is none",
      "HTTP/1.1 20 OK\r\n",
      `unwell: answered "HTTP/1.1 20 OK\\r\\n", which is not HTTP`,
    ],
    [
      "a status of four digits is none",
      "HTTP/1.1 2000 OK\r\n",
      `unwell: answered "HTTP/1.1 2000 OK\\r\\n", which is not HTTP`,
    ],
    [
      "a status below 100 is none",
      "HTTP/1.1 099 OK\r\n",
      `unwell: answered "HTTP/1.1 099 OK\\r\\n", which is not HTTP`,
    ],
    [
      "a space too many is not HTTP",
      "HTTP/1.1  200 OK\r\n",
      `unwell: answered "HTTP/1.1  200 OK\\r\\n", which is not HTTP`,
    ],
    [
      "a space too early is not HTTP",
      " HTTP/1.1 200\r\n",
      `unwell: answered " HTTP/1.1 200\\r\\n", which is not HTTP`,
    ],
    [
      "an empty line first is not HTTP",
      "\r\nHTTP/1.1 200\r\n",
      `unwell: answered "\\r\\nHTTP/1.1 200\\r\\n", which is not HTTP`,
    ],
    [
      "what could steer a terminal is escaped and cut short",
      `\x1b[2J\x07\x9b\u202e${"x".repeat(100)}\n`,
      `unwell: answered "\\u001b[2J\\u0007\\u009b\\u202e${"x".repeat(33)}…", which is not HTTP`,
    ],
  ] as const
) {
  Deno.test(`http: ${what}`, async () => assert.equal(await seen(answer), expected));
}

Deno.test("http: bytes that are no text are not HTTP", async () => {
  assert.equal(
    await seen(new Uint8Array([0, 0, 6, 4, 0, 255, 254])),
    String.raw`unwell: answered "\u0000\u0000\u0006\u0004\u0000\ufffd\ufffd", which is not HTTP`,
  );
});

Deno.test("http: a byte order mark before the status line is not passed over", async () => {
  assert.equal(
    await seen(`\ufeffHTTP/1.1 200\r\n`),
    String.raw`unwell: answered "\ufeffHTTP/1.1 200\r\n", which is not HTTP`,
  );
});

Deno.test("http: an answer may come one byte at a time", async () => {
  assert.equal(await seen(...OK), "well: HTTP 200");
  assert.equal(await seen(...`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}`), "well: HTTP 200");
  assert.equal(await seen(..."HTTP/1.0 500 No\r\n\r\n"), "unwell: HTTP 500");
});

Deno.test("http: a line that has not ended after 1 KiB is given up, and so are interim responses without an answer", async () => {
  const long = `HTTP/1.1 200 ${"x".repeat(2000)}`;
  assert.match(await seen(`${long}\r\n\r\n`), /^unwell: answered "HTTP.*…", which is not HTTP$/);
  assert.match(await seen(long), /^unwell: answered "HTTP.*…", which is not HTTP$/);
  const interim = `HTTP/1.1 103 Early Hints\r\nLink: ${"x".repeat(900)}\r\n\r\n`.repeat(30);
  assert.match(await seen(interim), /^unwell: answered "HTTP.*…", not as expected in 16 KiB$/);
});

Deno.test("http: a body without an end is not waited for", async () => {
  let sent = 0;
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const backend = startBackend(async (conn) => {
    await readRequest(conn);
    await writeAll(conn, bytes("HTTP/1.1 200 OK\r\n\r\n"));
    try {
      for (const chunk = new Uint8Array(64 * 1024);;) sent += await conn.write(chunk);
    } catch {
      resolve();
    }
  });
  assert.deepEqual(await probe(backend.port, httpCheck()), { ok: true, saw: "HTTP 200" });
  await gone;
  assert.ok(sent < 64 * 1024 * 1024, String(sent));
  await backend.stop();
});

Deno.test("http: a status line that drips without an end is given up at the timeout", async () => {
  const backend = startBackend(async (conn) => {
    await writeAll(conn, bytes("HTTP/1.1 200 "));
    for (;;) {
      await writeAll(conn, bytes("x"));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  const result = await probe(backend.port, httpCheck({ timeoutMs: 250 }));
  assert.equal(result?.ok, false);
  assert.match(result?.saw ?? "", /^answered "HTTP\/1.1 200 x*", not as expected within 250ms$/);
  await backend.stop();
  const garbage = drippingBackend("x");
  const refused = await probe(garbage.port, httpCheck());
  assert.match(refused?.saw ?? "", /^answered "x+…?", which is not HTTP$/);
  await garbage.stop();
});

Deno.test("http: the statuses that are well are those in one of the ranges, both ends included", async () => {
  const expectStatus = [{ from: 200, to: 200 }, { from: 301, to: 308 }, { from: 404, to: 404 }];
  for (
    const [status, ok] of [[200, true], [201, false], [300, false], [301, true], [308, true], [309, false], [
      404,
      true,
    ]]
  ) {
    const backend = answeringBackend(`HTTP/1.1 ${status} x\r\n\r\n`);
    assert.deepEqual(await probe(backend.port, httpCheck({ expectStatus })), { ok, saw: `HTTP ${status}` });
    await backend.stop();
  }
});

Deno.test("http: the request is a whole one, for the address that is checked", async () => {
  const { promise: asked, resolve } = Promise.withResolvers<string>();
  const backend = startBackend(async (conn) => {
    resolve(await readRequest(conn));
    await writeAll(conn, bytes("HTTP/1.1 200 OK\r\n\r\n"));
  });
  const check = httpCheck({ path: "/health?deep=1", port: backend.port });
  const result = await probeAt(local(1), prepareProbe(check));
  assert.deepEqual(result, { ok: true, saw: "HTTP 200" });
  assert.equal(
    await asked,
    `GET /health?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:${backend.port}\r\nConnection: close\r\n` +
      "User-Agent: sockbal-health-check\r\n\r\n",
  );
  await backend.stop();
});

Deno.test("http: the Host field is the one that is given, or else the address in the form of a URL", () => {
  const hostFor = (
    host: string | undefined,
    address: Parameters<ReturnType<typeof prepareHttp>>[0],
  ): string => {
    const check = { type: "http", path: "/", host, expectStatus: [] } as const;
    return /^Host: (.*)\r$/m.exec(text(prepareHttp(check)(address).send))?.[1] ?? "";
  };
  assert.equal(hostFor("example.com:81", local(80)), "example.com:81");
  assert.equal(hostFor(undefined, local(80)), "127.0.0.1:80");
  assert.equal(hostFor(undefined, { transport: "tcp", host: "::1", port: 80 }), "[::1]:80");
  assert.equal(hostFor(undefined, { transport: "tcp", host: "fe80::1%eth0", port: 80 }), "[fe80::1]:80");
  assert.equal(hostFor(undefined, { transport: "unix", path: "/run/a.sock" }), "localhost");
});

Deno.test("http: a path or a host that could end its line in the request is refused before anything is sent", () => {
  for (const word of ["", "/a b", "/a\r\nX: y", "/a\n", "/\0", "/é", "/\x7f"]) {
    assert.throws(
      () => prepareProbe(httpCheck({ path: word })),
      { name: "RangeError" },
      JSON.stringify(word),
    );
    assert.throws(
      () => prepareProbe(httpCheck({ host: word })),
      { name: "RangeError" },
      JSON.stringify(word),
    );
  }
});

Deno.test("http: a backend that answers without having listened has answered", async () => {
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const backend = startBackend(async (conn) => {
    await writeAll(conn, bytes(OK));
    await conn.closeWrite();
    await over;
  });
  assert.deepEqual(await probe(backend.port, httpCheck()), { ok: true, saw: "HTTP 200" });
  end();
  await backend.stop();
});

Deno.test("http: a backend that never answers is given up at the timeout", async () => {
  const backend = silentBackend();
  const result = await probe(backend.port, httpCheck({ timeoutMs: 250 }));
  assert.deepEqual(result, { ok: false, saw: "no answer within 250ms" });
  await backend.stop();
});

Deno.test("whatever comes, a status is found once and for good: more of the answer does not change it", () => {
  const begin = fc.constantFrom(
    "",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 100 C\r\n\r\n",
    "HTTP/1.0 503\n",
    "HTTP/1.",
  );
  const unit = fc.constantFrom("H", "T", "P", "/", "1", ".", " ", "2", "0", "\r", "\n", "x", "\0");
  fc.assert(fc.property(begin, fc.string({ unit, maxLength: 40 }), fc.nat(), (start, rest, at) => {
    const whole = start + rest;
    const early = finalStatus(whole.slice(0, at % (whole.length + 1)));
    if (early !== "incomplete") assert.equal(finalStatus(whole), early);
  }));
});

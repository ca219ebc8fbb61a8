import assert from "node:assert/strict";
import fc from "fast-check";
import type { Expect } from "../../lib/load/plan.ts";
import { CORRUPT, type Replies } from "../../lib/load/replies.ts";
import { repliesOf } from "../../lib/load/reply_readers.ts";
import { type Requests, requestsOf } from "../../lib/load/request.ts";

const encoder = new TextEncoder();

interface Reading {
  readonly replies: Replies;
  readonly requests: Requests;
  readonly names: string[];
  read(text: string | Uint8Array, sent?: number): number;
}

function reading(
  expect: Expect,
  { request = { text: "hi\n" } as { text: string } | { bytes: number }, verify = false, connection = 0 } = {},
): Reading {
  const plan = { expect, verify, request };
  const requests = requestsOf(plan);
  const names: string[] = [];
  const replies = repliesOf({ plan, requests, onName: (name) => names.push(name) }, connection);
  return {
    replies,
    requests,
    names,
    read: (text, sent = 1_000) => {
      const bytes = typeof text === "string" ? encoder.encode(text) : new Uint8Array(text);
      return replies.read(bytes, bytes.length, sent);
    },
  };
}

Deno.test("an echo has as many bytes as the request, however they come", () => {
  const { read, replies } = reading({ kind: "echo" });
  assert.deepEqual([read("h"), read("i"), read("\n"), read("hi\nhi\nh"), read("i\n")], [0, 0, 1, 2, 1]);
  assert.equal(replies.end(), false);
});

Deno.test("more than was asked for is corrupt", () => {
  assert.equal(reading({ kind: "echo" }).read("hi\nh", 1), CORRUPT);
  assert.equal(reading({ kind: "bytes", bytes: 2 }).read("1234", 1), CORRUPT);
  assert.equal(reading({ kind: "lines" }).read("hi\nh", 1), CORRUPT);
  assert.equal(reading({ kind: "http" }).read("HTTP/1.1 204 No\r\n\r\nHTTP/1.1 204 No\r\n\r\n", 1), CORRUPT);
});

Deno.test("where no reply is waited for, what comes is nothing", () => {
  assert.equal(reading({ kind: "bytes", bytes: 0 }).read("1", 1), 0);
});

Deno.test("datagrams are counted, whatever is in them, and more of them than were asked for are corrupt", () => {
  const one = reading({ kind: "datagrams", datagrams: 1 });
  assert.deepEqual([one.read("", 1), one.read("one\n", 2), one.read("x", 2)], [1, 1, CORRUPT]);
  assert.deepEqual(one.names, ["one"]);
  const two = reading({ kind: "datagrams", datagrams: 2 });
  assert.deepEqual([two.read("a", 1), two.read("b", 1), two.read("c", 1)], [0, 1, CORRUPT]);
  const compared = (text: string): number =>
    reading({ kind: "datagrams", datagrams: 1 }, { verify: true }).read(text, 1);
  assert.deepEqual(["hi\n", "hi", "ho\n", "hi\nhi\n", ""].map(compared), [
    1,
    CORRUPT,
    CORRUPT,
    CORRUPT,
    CORRUPT,
  ]);
  // Nothing is no answer to a later request, either.
  const second = reading({ kind: "datagrams", datagrams: 1 }, { verify: true });
  assert.deepEqual([second.read("hi\n", 1), second.read("", 2)], [1, CORRUPT]);
});

Deno.test("a reply that ends with the connection and is longer than what was sent is corrupt, where they are compared", () => {
  const { read, replies } = reading({ kind: "eof" }, { verify: true });
  assert.deepEqual([read("hi\n", 1), replies.end()], [0, true]);
  assert.equal(read("hi\n", 1), CORRUPT);
});

Deno.test("lines are counted as the request has them, whatever their length", () => {
  const { read } = reading({ kind: "lines" }, { request: { text: "a\nb\n" } });
  assert.deepEqual([read("one\n"), read("two\nthree\n"), read("four"), read("\n")], [0, 1, 0, 1]);
});

Deno.test("a comparison finds one wrong byte, wherever it is and however the replies come", () => {
  for (const kind of ["echo", "lines", "eof"] as const) {
    const right = "hi\nhi\nhi\n";
    for (let wrong = 0; wrong < right.length; wrong++) {
      const text = right.slice(0, wrong) + "x" + right.slice(wrong + 1);
      for (const cut of [0, 1, 4, 8]) {
        const { read } = reading({ kind }, { verify: true });
        const results = [read(text.slice(0, cut)), read(text.slice(cut))];
        assert.ok(results.includes(CORRUPT), `${kind}, byte ${wrong}, cut at ${cut}`);
      }
    }
    assert.equal(reading({ kind }, { verify: true }).read(right), kind === "eof" ? 0 : 3);
  }
});

Deno.test("with a comparison each request differs from those before and from those of other connections", () => {
  const { requests, read } = reading({ kind: "echo" }, {
    request: { bytes: 32 },
    verify: true,
    connection: 3,
  });
  const texts = new Set<string>();
  for (let connection = 0; connection < 20; connection++) {
    for (let n = 0; n < 20; n++) texts.add(requests.of(connection, n).toString());
  }
  assert.equal(texts.size, 400);
  assert.equal(read(requests.of(3, 0)), 1);
  assert.equal(read(requests.of(3, 2)), CORRUPT);
  const other = reading({ kind: "echo" }, { request: { bytes: 32 }, verify: true, connection: 3 });
  assert.equal(other.read(requests.of(4, 0)), CORRUPT);
});

Deno.test("a reply that ends with the connection is whole then, and says a name", () => {
  const { read, replies, names } = reading({ kind: "eof" });
  assert.deepEqual([read("o"), read("ne\n"), replies.end()], [0, 0, true]);
  assert.deepEqual(names, ["one"]);
  const compared = reading({ kind: "eof" }, { verify: true });
  assert.deepEqual([compared.read("hi"), compared.replies.end()], [0, false]);
});

Deno.test("a connection that ends without a byte is no reply", () => {
  assert.equal(reading({ kind: "eof" }).replies.end(), false);
});

Deno.test("the response to a request for a head has no body, whatever length it says", () => {
  const { read } = reading({ kind: "http" }, { request: { text: "HEAD / HTTP/1.1\r\n\r\n" } });
  const both = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" +
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (let cut = 0; cut < both.length; cut++) {
    assert.equal(read(both.slice(0, cut)) + read(both.slice(cut)), 2, String(cut));
  }
});

Deno.test("a large request is made in no time, and no two of its parts are alike", () => {
  const requests = requestsOf({
    request: { bytes: 64 * 1024 * 1024 },
    verify: true,
    expect: { kind: "echo" },
  });
  const bytes = requests.of(0, 0);
  assert.equal(bytes.length, 64 * 1024 * 1024);
  const part = (k: number): string => String.fromCharCode(...bytes.subarray(k * 65_536, k * 65_536 + 64));
  assert.equal(new Set(Array.from({ length: 1_024 }, (_, k) => part(k))).size, 1_024);
});

Deno.test("a name is one line, without whom it was said to", () => {
  const named = (text: string): string[] => {
    const { read, replies, names } = reading({ kind: "eof" });
    read(text);
    replies.end();
    return names;
  };
  assert.deepEqual(named("one (client 127.0.0.1:5000)\n"), ["one"]);
  assert.deepEqual(named("ein Náme\r\n"), ["ein Náme"]);
  for (const no of ["", "one", "one\ntwo\n", "a\0b\n", `${"x".repeat(129)}\n`, `${"x".repeat(2_000)}\n`]) {
    assert.deepEqual(named(no), [], no);
  }
});

const HEAD = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";

Deno.test("responses of HTTP end by length, by chunks, without a body, or with the connection", () => {
  const bodies: [string, boolean][] = [
    [`${HEAD}one\n`, false],
    ["HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", false],
    ["HTTP/1.1 204 No Content\r\n\r\n", false],
    ["HTTP/1.1 200 OK\nConnection: close\nContent-Length: 2\n\nno", true],
    ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false],
    [
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\none\n\r\n1\r\n\n\r\n0\r\nA: b\r\n\r\n",
      false,
    ],
    [`HTTP/1.1 500 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno`, true],
    ["HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nno", true],
    ["HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nno", false],
  ];
  for (const [text, isLast] of bodies) {
    for (let cut = 0; cut < text.length; cut++) {
      const { read, replies } = reading({ kind: "http" });
      const ended = read(text.slice(0, cut)) + read(text.slice(cut));
      assert.deepEqual([ended, replies.isLast], [1, isLast], `${JSON.stringify(text)} cut at ${cut}`);
    }
  }
  const { read, replies, names } = reading({ kind: "http" });
  assert.equal(read("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\none\n"), 0);
  assert.equal(replies.end(), true);
  assert.deepEqual(names, ["one"]);
});

Deno.test("responses that follow one another are told apart, in any pieces, and each says its name", () => {
  const names = ["one", "two", "one", "three", "three"];
  const stream = names.map((name) => `HTTP/1.1 200 OK\r\nContent-Length: ${name.length + 1}\r\n\r\n${name}\n`)
    .join("");
  const cuts = fc.array(fc.nat(stream.length), { maxLength: 12 }).map((list) => list.sort((a, b) => a - b));
  fc.assert(
    fc.property(cuts, (cuts) => {
      const http = reading({ kind: "http" });
      const ended = [...cuts, stream.length].map((end, i) =>
        http.read(stream.slice(i === 0 ? 0 : cuts[i - 1], end))
      );
      assert.equal(ended.reduce((sum, it) => sum + it), names.length);
      assert.deepEqual(http.names, names);
    }),
    { numRuns: 200 },
  );
});

Deno.test("what is no response of HTTP is corrupt, and half of one is not whole at the end", () => {
  const wrong = [
    "SSH-2.0-x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "x".repeat(70_000),
  ];
  for (const text of wrong) assert.equal(reading({ kind: "http" }).read(text), CORRUPT, text.slice(0, 60));
  // It is known as soon as the first bytes are others.
  for (const text of ["one\n", "\n", "HTTP/2 200 OK\r\n", "HTTQ"]) {
    for (let cut = 0; cut < text.length; cut++) {
      const { read } = reading({ kind: "http" });
      const [first, second] = [read(text.slice(0, cut)), read(text.slice(cut))];
      assert.ok(first === CORRUPT || second === CORRUPT, `${JSON.stringify(text)} cut at ${cut}`);
    }
  }
  for (const half of ["HTT", "HTTP/1.1 2", `${HEAD}on`]) {
    const { read, replies } = reading({ kind: "http" });
    assert.deepEqual([read(half), replies.end()], [0, false]);
  }
});

Deno.test("a made-up request is one line, the same in every run", () => {
  const { requests } = reading({ kind: "echo" }, { request: { bytes: 8 } });
  const text = new TextDecoder().decode(requests.of(0, 0));
  assert.match(text, /^[a-z]{7}\n$/);
  assert.equal(new TextDecoder().decode(requests.of(5, 9)), text);
  assert.deepEqual([requests.bytes, requests.lines], [8, 1]);
});

import assert from "node:assert/strict";
import { MAX_CLIENT_HELLO_BYTES } from "../../lib/wire/client_hello.ts";
import { Malformed } from "../../lib/wire/malformed.ts";
import { bytes, joined } from "../support/bytes.ts";
import {
  alpn,
  extension,
  handshake,
  hello,
  helloIn,
  helloMessage,
  number,
  padding,
  record,
  records,
  serverName,
  vector,
  versions,
} from "./hello_builder.ts";
import { HELLOS } from "./recorded.ts";

function reasonOf(data: Uint8Array): string {
  const answer = helloIn(data);
  assert.ok(answer instanceof Malformed, JSON.stringify(answer));
  return answer.reason;
}

function read(
  data: Uint8Array,
): { serverName: string | undefined; alpn: readonly string[] } {
  const answer = helloIn(data);
  assert.ok(typeof answer === "object" && !(answer instanceof Malformed), JSON.stringify(answer));
  return answer;
}

for (const { from, bytes, serverName, alpn } of HELLOS) {
  Deno.test(`the hello of ${from} says what the program was started with`, () => {
    assert.deepEqual(helloIn(bytes), { serverName, alpn });
  });
}

Deno.test("a hello without extensions, without a server name or with GREASE is read", () => {
  assert.deepEqual(read(record(helloMessage())), { serverName: undefined, alpn: [] });
  assert.deepEqual(read(hello()), { serverName: undefined, alpn: [] });
  const grease = [extension(0x0a0a, new Uint8Array(0)), extension(0xfafa, new Uint8Array(1))];
  assert.deepEqual(
    read(
      hello(
        ...grease,
        serverName("a.example"),
        alpn(number(0x1a1a, 2), "h2"),
        versions(0x2a2a, 0x0304, 0x0303),
      ),
    ),
    { serverName: "a.example", alpn: ["\\x1a\\x1a", "h2"] },
  );
});

Deno.test("an older version in the TLS record does not matter", () => {
  for (const version of [0x0300, 0x0301, 0x0303, 0x0304]) {
    assert.equal(
      read(record(helloMessage({ extensions: [serverName("a.example")] }), 22, version)).serverName,
      "a.example",
    );
  }
});

Deno.test("of an encrypted hello the outer name is taken", () => {
  const ech = extension(0xfe0d, joined([number(0, 1), new Uint8Array(200).fill(9)]));
  assert.equal(read(hello(ech, serverName("public.example"))).serverName, "public.example");
});

Deno.test("a server name is given in small letters and without the dot at its end", () => {
  assert.equal(read(hello(serverName("WWW.Example.COM."))).serverName, "www.example.com");
  assert.equal(read(hello(serverName("xn--bcher-kva.example"))).serverName, "xn--bcher-kva.example");
  assert.equal(read(hello(serverName("_x.a_b"))).serverName, "_x.a_b");
});

Deno.test("a server name that is no name of a host is malformed, and not quoted", () => {
  const hostile = [
    "a\nb",
    "a\r\nend=completed",
    "\x1b[31mred",
    "a b",
    "*.example.com",
    "a\0.example.com",
    "bücher.example",
    "[::1]",
    "a..b",
    ".a",
    ".",
    "",
    "a/../b",
    "a%0ab",
    `${"a".repeat(64)}.example`,
    "a.".repeat(127) + "b",
    "x".repeat(5000),
  ];
  for (const name of hostile) {
    assert.match(
      reasonOf(hello(serverName(name))),
      /^the ClientHello names a server by what is no name of a host$/,
      name,
    );
  }
  reasonOf(hello(serverName(Uint8Array.of(0xff, 0xfe))));
});

Deno.test("two server names, in one extension or in two, are malformed", () => {
  assert.match(reasonOf(hello(serverName("a.example"), serverName("a.example"))), /one extension twice/);
  assert.match(reasonOf(hello(serverName("a.example", "b.example"))), /names two servers/);
  assert.match(reasonOf(hello(alpn("h2"), alpn("h2"))), /one extension twice/);
});

Deno.test("a name of another kind than a host's is passed over", () => {
  const other = joined([number(7, 1), vector(bytes("id"), 2)]);
  const host = joined([number(0, 1), vector(bytes("a.example"), 2)]);
  assert.equal(read(hello(extension(0, vector(joined([other, host]), 2)))).serverName, "a.example");
  assert.equal(read(hello(extension(0, vector(other, 2)))).serverName, undefined);
});

Deno.test("many protocols are all given, in their order", () => {
  const many = Array.from({ length: 1500 }, (_, i) => `p${i}`);
  assert.deepEqual(read(hello(alpn(...many))).alpn, many);
});

Deno.test("a protocol that is no printable ASCII is written so that no two have one text", () => {
  const raw = [Uint8Array.of(0x0a, 0x0a), "\\x0a\\x0a", "h2\r\n", "ü", "a b", "\x7f"];
  assert.deepEqual(read(hello(alpn(...raw))).alpn, [
    "\\x0a\\x0a",
    "\\x5cx0a\\x5cx0a",
    "h2\\x0d\\x0a",
    "\\xc3\\xbc",
    "a b",
    "\\x7f",
  ]);
});

Deno.test("lengths that do not fit are malformed", () => {
  const broken: Record<string, Uint8Array> = {
    "no body": record(handshake(1, new Uint8Array(0))),
    "an end within the random": record(handshake(1, new Uint8Array(20))),
    "a session id of 33 bytes": record(helloMessage({ sessionId: new Uint8Array(33) })),
    "no cipher suites": record(helloMessage({ cipherSuites: new Uint8Array(0) })),
    "half a cipher suite": record(helloMessage({ cipherSuites: new Uint8Array(3) })),
    "no compressions": record(helloMessage({ compressions: new Uint8Array(0) })),
    "a byte behind the extensions": record(
      handshake(1, joined([helloMessage({ extensions: [] }).subarray(4), number(0, 1)])),
    ),
    "an extension behind the extensions": record(
      handshake(1, joined([helloMessage({ extensions: [] }).subarray(4), alpn("h2")])),
    ),
    "an extension beyond the end": hello(joined([number(99, 2), number(10, 2), number(0, 1)])),
    "half the header of an extension": hello(number(0, 3)),
    "an empty server name extension": hello(extension(0, new Uint8Array(0))),
    "an empty list of names": hello(extension(0, number(0, 2))),
    "a list of names that is longer than its extension": hello(extension(0, number(9, 2))),
    "a name beyond its list": hello(extension(0, vector(joined([number(0, 1), number(9, 2)]), 2))),
    "a byte behind the list of names": hello(
      extension(0, joined([vector(joined([number(0, 1), vector(bytes("a"), 2)]), 2), number(0, 1)])),
    ),
    "no protocols": hello(extension(16, number(0, 2))),
    "an empty protocol": hello(alpn("h2", "")),
    "a protocol beyond its list": hello(extension(16, vector(joined([number(9, 1), bytes("h2")]), 2))),
  };
  for (const [what, data] of Object.entries(broken)) {
    assert.match(reasonOf(data), /^[a-z][ -~]+[^.]$/, what);
  }
});

Deno.test("what is not TLS is so at the first byte that shows it", () => {
  const others = [
    "GET / HTTP/1.1\r\n",
    "SSH-2.0-",
    "\r\n\r\n\0\r\nQUIT\n",
    "\0\0\0\x08\x04\xd2\x16\x2f",
    "\x80\x2e\x01\0\x02",
  ];
  for (const text of others) {
    assert.equal(
      helloIn(Uint8Array.from(text, (it) => it.charCodeAt(0)).subarray(0, 1)),
      "not_tls",
      text,
    );
  }
  assert.equal(helloIn(Uint8Array.of()), "incomplete");
  assert.equal(helloIn(Uint8Array.of(22)), "incomplete");
  assert.equal(helloIn(Uint8Array.of(22, 2)), "not_tls");
  assert.equal(helloIn(Uint8Array.of(22, 0xfe, 0xff)), "not_tls", "DTLS");
});

Deno.test("the hello of SSL 2.0 is not TLS", () => {
  const sslv2 = joined([number(0x802e, 2), number(1, 1), number(0x0301, 2), new Uint8Array(41)]);
  assert.equal(helloIn(sslv2), "not_tls");
});

Deno.test("a short hello is incomplete, and TLS that does not begin with one is malformed", () => {
  assert.equal(helloIn(Uint8Array.of(22, 3, 1, 0, 40, 1, 0, 0)), "incomplete");
  assert.match(reasonOf(record(handshake(2, new Uint8Array(40)))), /no ClientHello/);
  assert.equal(helloIn(record(Uint8Array.of(2, 40), 21)), "not_tls", "an alert");
});

Deno.test("records that are empty, too long or of another kind within a hello are malformed", () => {
  const message = helloMessage({ extensions: [serverName("a.example")] });
  const [head, tail] = [record(message.subarray(0, 50)), record(message.subarray(50))];
  assert.match(reasonOf(record(new Uint8Array(0))), /is empty/);
  assert.match(reasonOf(joined([head, record(new Uint8Array(0)), tail])), /is empty/);
  assert.match(reasonOf(joined([head, record(Uint8Array.of(1), 20), tail])), /another TLS record/);
  assert.match(reasonOf(joined([head, bytes("GET / HTTP/1.1")])), /another TLS record/);
  assert.match(reasonOf(Uint8Array.of(22, 3, 1, 0x40, 1)), /longer than 16384/);
});

Deno.test("a hello of 16 KiB and more is read, one beyond the bound is refused as soon as it says so", () => {
  const sized = (length: number): Uint8Array => {
    const empty = helloMessage({ extensions: [serverName("pq.example")] }).length;
    return helloMessage({ extensions: [padding(length - empty), serverName("pq.example")] });
  };
  for (const length of [2_000, 16_384, 17_000]) {
    assert.equal(read(records(sized(length), 16_384)).serverName, "pq.example", `${length}`);
  }
  const most = MAX_CLIENT_HELLO_BYTES - 2 * 5;
  const longest = records(sized(most), 16_384);
  assert.equal(longest.length, MAX_CLIENT_HELLO_BYTES);
  assert.equal(read(longest).serverName, "pq.example");
  assert.match(reasonOf(records(sized(most + 1), 16_384).subarray(0, 9)), /longer than 20480 bytes/);
  assert.match(
    reasonOf(records(sized(most + 1), 16_384)),
    /longer than 20480 bytes/,
    "also when all of it is there",
  );
  assert.match(reasonOf(Uint8Array.of(22, 3, 1, 0, 4, 1, 255, 255, 255)), /longer than/);
});

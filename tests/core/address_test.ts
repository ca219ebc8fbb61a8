import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Address,
  formatAddress,
  formatHostPort,
  hasName,
  parseConnectAddress,
  parseDialAddress,
  parseListenAddress,
  parseStreamListenAddress,
  type TcpAddress,
} from "../../lib/core/address.ts";
import { InputError } from "../../lib/core/errors.ts";

function tcp(host: string, port: number): TcpAddress {
  return { transport: "tcp", host, port };
}

function refusal(read: (text: string) => Address, text: string): string {
  try {
    read(text);
  } catch (error) {
    assert.ok(error instanceof InputError, `${text}: ${error}`);
    return error.message;
  }
  assert.fail(`${JSON.stringify(text)} was accepted`);
}

Deno.test("every form of an address is read", () => {
  const forms: [string, Address][] = [
    ["127.0.0.1:8001", tcp("127.0.0.1", 8001)],
    ["0.0.0.0:1", tcp("0.0.0.0", 1)],
    ["localhost:65535", tcp("localhost", 65535)],
    ["a.b-c.example:80", tcp("a.b-c.example", 80)],
    ["app_1.internal.:80", tcp("app_1.internal.", 80)],
    ["1password.com:443", tcp("1password.com", 443)],
    [`${"a".repeat(63)}:80`, tcp("a".repeat(63), 80)],
    ["[::1]:8001", tcp("::1", 8001)],
    ["[::]:8001", tcp("::", 8001)],
    ["[2001:db8::1]:443", tcp("2001:db8::1", 443)],
    ["[fe80::1%eth0]:22", tcp("fe80::1%eth0", 22)],
    ["[fe80::1%3]:22", tcp("fe80::1%3", 22)],
    ["[fe80::1%tap_0.12]:22", tcp("fe80::1%tap_0.12", 22)],
    ["unix:/run/web.sock", { transport: "unix", path: "/run/web.sock" }],
    ["unix:web.sock", { transport: "unix", path: "web.sock" }],
    ["unix:/with a: colon", { transport: "unix", path: "/with a: colon" }],
  ];
  for (const [text, address] of forms) {
    assert.deepEqual(parseListenAddress(text), address, text);
    assert.deepEqual(parseDialAddress(text), address, text);
  }
});

Deno.test("an address of UDP is one of TCP behind udp:, where datagrams are spoken", () => {
  for (const place of ["127.0.0.1:53", "[::1]:53", "[fe80::1%eth0]:53", "dns.example:53"]) {
    const udp: Address = { ...parseDialAddress(place) as TcpAddress, transport: "udp" };
    assert.deepEqual(parseListenAddress(`udp:${place}`), udp);
    assert.deepEqual(parseConnectAddress(`udp:${place}`), udp);
    assert.equal(formatAddress(udp), `udp:${place}`);
    for (const read of [parseStreamListenAddress, parseDialAddress]) {
      const sentence = `"udp:${place}": UDP does not fit here; write host:port or unix:/path`;
      assert.equal(refusal(read, `udp:${place}`), sentence);
    }
  }
  assert.deepEqual(parseListenAddress("udp::0"), { transport: "udp", host: "", port: 0 });
  assert.deepEqual(parseConnectAddress("unix:/a"), { transport: "unix", path: "/a" });
});

Deno.test("what is no address of UDP is refused with what to write behind udp:", () => {
  const refused: [string, string][] = [
    ["udp::53", '"udp::53" names no host to dial; write udp:127.0.0.1:53'],
    ["udp:a:0", '"udp:a:0": port 0 cannot be dialled; write 1 to 65535'],
    ["udp:53", '"udp:53" is only a port; write udp::53 or udp:127.0.0.1:53'],
    ["udp:a", '"udp:a" has no port; write udp:host:port or udp:[v6]:port'],
    ["udp:", '"udp:" has no port; write udp:host:port or udp:[v6]:port'],
    ["udp://1.1.1.1:53", '"udp://1.1.1.1:53" is not an address; write only host:port, as udp:1.1.1.1:53'],
    ["udp:*:53", '"udp:*:53": * is no host; to listen on all addresses write udp::53'],
    ["udp:a:65536", '"udp:a:65536": "65536" is not a port; the port is a number from 0 to 65535'],
    ["udp:::1:53", '"udp:::1:53": write an IPv6 address in brackets, as [::1]:8001'],
    ["udp:unix:/a", '"udp:unix:/a": "/a" is not a port; the port is a number from 0 to 65535'],
  ];
  for (const [text, message] of refused) assert.equal(refusal(parseConnectAddress, text), message);
});

Deno.test("a listener may stand on all addresses, and on port 0", () => {
  assert.deepEqual(parseListenAddress(":5678"), tcp("", 5678));
  assert.deepEqual(parseListenAddress("127.0.0.1:0"), tcp("127.0.0.1", 0));
  assert.deepEqual(parseListenAddress(":0"), tcp("", 0));
});

Deno.test("a dial needs a host and a port, and the message says what to write", () => {
  assert.equal(refusal(parseDialAddress, ":80"), `":80" names no host to dial; write 127.0.0.1:80`);
  assert.equal(refusal(parseDialAddress, "a:0"), `"a:0": port 0 cannot be dialled; write 1 to 65535`);
});

Deno.test("what is no address is refused with one sentence that says what to write", () => {
  const refused: [string, string][] = [
    ["", "has no port; write host:port, [v6]:port or unix:/path"],
    ["80", "is only a port; write :80 or 127.0.0.1:80"],
    ["localhost", "has no port"],
    ["tcp:127.0.0.1:80", "write it without tcp:, as 127.0.0.1:80"],
    ["a:", "the port is a number from 0 to 65535"],
    ["a:65536", "the port is a number from 0 to 65535"],
    ["a:123456", "the port is a number from 0 to 65535"],
    ["a:-1", "the port is a number from 0 to 65535"],
    ["a:+80", "the port is a number from 0 to 65535"],
    ["a:8o", "the port is a number from 0 to 65535"],
    ["a: 80", "contains a space"],
    ["a:0x50", "the port is a number from 0 to 65535"],
    ["::1:80", "write an IPv6 address in brackets, as [::1]:8001"],
    ["[::1:80", "write an IPv6 address in brackets"],
    ["[localhost]:80", "what stands in brackets is not an IPv6 address"],
    ["[127.0.0.1]:80", "what stands in brackets is not an IPv6 address"],
    ["[]:80", "what stands in brackets is not an IPv6 address"],
    ["[fe80::1]:80", "a link-local address needs its network interface; write it as [fe80::1%eth0]:80"],
    ["[FE80::1]:80", "a link-local address needs its network interface; write it as [FE80::1%eth0]:80"],
    ["[febf::1%]:80", `"" is not a network interface; write it as [febf::1%eth0]:80`],
    ["[fe80::1%an-interface-too-long]:80", `"an-interface-too-long" is not a network interface`],
    ["[::1%lo]:80", "only a link-local address (fe80::…) has a network interface; write [::1]:80"],
    [
      "[2001:db8::1%2]:80",
      "only a link-local address (fe80::…) has a network interface; write [2001:db8::1]:80",
    ],
    ["256.0.0.1:80", `"256.0.0.1" is neither a host name nor an IP address`],
    ["10.1:80", `"10.1" is neither a host name nor an IP address`],
    ["1:80", `"1" is neither a host name nor an IP address`],
    ["a b:80", "contains a space"],
    [" a:80", "contains a space"],
    ["-a:80", "neither a host name nor an IP address"],
    ["a-:80", "neither a host name nor an IP address"],
    ["a..b:80", "neither a host name nor an IP address"],
    [".:80", "neither a host name nor an IP address"],
    ["über:80", "neither a host name nor an IP address"],
    [`${"a".repeat(64)}:80`, "neither a host name nor an IP address"],
    [`${"a.".repeat(127)}:80`, "neither a host name nor an IP address"],
    ["unix:", "names no socket file; write unix:/path/to.sock"],
    ["unix:@web", "an abstract socket has no file that says who may connect; write unix:/path/to.sock"],
    ["unix:/run/", "names no socket file; write unix:/path/to.sock"],
    [`unix:/${"x".repeat(107)}`, "bytes; this has 108"],
    [`unix:/${"ü".repeat(54)}`, "bytes; this has 109"],
    ["unix:/a\0b", "the path of a socket has no zero byte"],
  ];
  for (const [text, part] of refused) {
    for (const read of [parseListenAddress, parseDialAddress]) {
      const message = refusal(read, text);
      assert.ok(message.startsWith(JSON.stringify(text)), message);
      assert.ok(message.includes(part), message);
      assert.ok(!message.includes("\n"), message);
    }
  }
});

Deno.test("a path to listen on leaves room for the name under which its socket is made", () => {
  const path = (bytes: number): string => `unix:/${"x".repeat(bytes - 1)}`;
  for (const read of [parseListenAddress, parseStreamListenAddress]) {
    assert.equal(formatAddress(read(path(103))), path(103));
    for (const bytes of [104, 107, 108, 200]) {
      const why = `the path of a socket to listen on has at most 103 bytes; this has ${bytes}`;
      assert.equal(refusal(read, path(bytes)), `${JSON.stringify(path(bytes))}: ${why}`);
    }
  }
  assert.equal(formatAddress(parseDialAddress(path(107))), path(107));
  assert.match(
    refusal(parseDialAddress, path(108)),
    /the path of a socket has at most 107 bytes; this has 108$/,
  );
});

Deno.test("a hexadecimal number is no host name: resolvers read it as an odd IPv4 address", () => {
  assert.match(refusal(parseDialAddress, "0x7f000001:80"), /neither a host name nor an IP address/);
});

Deno.test("a URL is not taken for an IPv6 address without brackets", () => {
  assert.doesNotMatch(refusal(parseDialAddress, "http://127.0.0.1:8001"), /IPv6/);
});

Deno.test("an IPv6 address is formatted in brackets, an IPv4-mapped one as IPv4", () => {
  assert.equal(formatHostPort("::1", 80), "[::1]:80");
  assert.equal(formatHostPort("::ffff:10.0.0.1", 80), "10.0.0.1:80");
  assert.equal(formatHostPort("::ffff:a00:1", 80), "[::ffff:a00:1]:80");
  assert.equal(formatHostPort("10.0.0.1", 80), "10.0.0.1:80");
  assert.equal(formatHostPort("", 80), ":80");
});

Deno.test("only a name has to be resolved", () => {
  const literal = [
    tcp("", 80),
    tcp("127.0.0.1", 80),
    tcp("::1", 80),
    tcp("fe80::1%eth0", 80),
    tcp("fe80::1%tap_0", 80),
  ];
  for (const it of [...literal, { transport: "unix", path: "/a" } as const]) assert.ok(!hasName(it));
  for (const it of [tcp("localhost", 80), tcp("a.example", 80)]) assert.ok(hasName(it));
});

const host = fc.oneof(
  fc.constant(""),
  fc.ipV4(),
  fc.ipV6().filter((it) => !it.startsWith("::ffff:") && !/^fe[89ab]/i.test(it)),
  fc.constantFrom("fe80::1%eth0", "fe80::a:b%tap_0", "febf::1%2"),
  fc.domain(),
);
/** As the parser makes them. */
const PLAIN = { noNullPrototype: true };
const path = fc.string({ minLength: 1, maxLength: 100 }).filter((it) =>
  !it.startsWith("@") && !it.endsWith("/")
);
const address: fc.Arbitrary<Address> = fc.oneof(
  fc.record({ transport: fc.constant("tcp" as const), host, port: fc.nat(65535) }, PLAIN),
  fc.record({ transport: fc.constant("unix" as const), path }, PLAIN),
);

Deno.test("formatAddress is the inverse of parseListenAddress", () => {
  fc.assert(fc.property(address, (it) => {
    assert.deepEqual(parseListenAddress(formatAddress(it)), it);
  }));
});

Deno.test("whatever the text, it is an address or an InputError", () => {
  const nearly = fc.string({ unit: fc.constantFrom(..."[]:.%-_/0159afunix\0\n "), maxLength: 24 });
  fc.assert(fc.property(fc.oneof(fc.string(), nearly), (text) => {
    for (const read of [parseListenAddress, parseDialAddress]) {
      try {
        const found = read(text);
        if (found.transport === "tcp") assert.ok(found.port >= 0 && found.port <= 65535);
      } catch (error) {
        assert.ok(error instanceof InputError, String(error));
      }
    }
  }));
});

import assert from "node:assert/strict";
import { flags, refusal } from "./arguments.ts";

const CLIENT = "--role client --connect a:1";
const TLS = `${CLIENT} --tls`;

Deno.test("a client needs to know whom to talk to, and nothing else", () => {
  assert.equal(refusal("--role client"), "--connect is missing");
  assert.equal(refusal("--role client --message x"), "--connect is missing");
  const { load: _, ...talk } = flags(CLIENT);
  assert.deepEqual(talk, {
    role: "client",
    connect: { transport: "tcp", host: "a", port: 1 },
    messages: [],
    timeoutMs: 0,
    proxyProtocol: undefined,
    tls: false,
    serverName: undefined,
    ca: undefined,
    cert: undefined,
    key: undefined,
    alpn: [],
    insecure: false,
    logLevel: undefined,
    logFormat: undefined,
  });
});

Deno.test("each flag of the client is read in both forms", () => {
  for (const separator of [" ", "="]) {
    assert.deepEqual(flags(`--role client --connect${separator}[::1]:80`).connect, {
      transport: "tcp",
      host: "::1",
      port: 80,
    });
    assert.deepEqual(flags(`--role client --connect${separator}unix:/a`).connect, {
      transport: "unix",
      path: "/a",
    });
    assert.deepEqual(flags(`--role client --connect${separator}udp:[::1]:53`).connect, {
      transport: "udp",
      host: "::1",
      port: 53,
    });
    assert.deepEqual(flags(`${CLIENT} --message${separator}hi`).messages, ["hi"]);
    assert.equal(flags(`${CLIENT} --timeout${separator}250ms`).timeoutMs, 250);
    assert.equal(flags(`${CLIENT} --proxy-protocol${separator}v1`).proxyProtocol, "v1");
    const { ca, cert, key, serverName, alpn } = flags(
      `${TLS} --ca=ca.pem --cert=a.pem --key=a.key --server-name=A.Example. --alpn=h2,http/1.1`
        .replaceAll("=", separator),
    );
    assert.deepEqual([ca, cert, key, serverName, alpn], [
      "ca.pem",
      "a.pem",
      "a.key",
      "a.example",
      ["h2", "http/1.1"],
    ]);
  }
});

Deno.test("messages may be repeated, keep their order, and may be empty", () => {
  assert.deepEqual(flags(`--message one ${CLIENT} --message= --message=a=b --message one`).messages, [
    "one",
    "",
    "a=b",
    "one",
  ]);
});

Deno.test("a value that is wrong is refused with the flag and what to write", () => {
  const wrong: [string, string][] = [
    ["--role client --connect :80", '--connect: ":80" names no host to dial; write 127.0.0.1:80'],
    [
      "--role client --connect udp::80",
      '--connect: "udp::80" names no host to dial; write udp:127.0.0.1:80',
    ],
    ["--role client --connect a:0", '--connect: "a:0": port 0 cannot be dialled; write 1 to 65535'],
    ["--role client --connect a", '--connect: "a" has no port; write host:port, [v6]:port or unix:/path'],
    [`${CLIENT} --timeout 5`, '--timeout: "5" is not a duration; add the unit, as 5s or 5ms'],
    [`${CLIENT} --proxy-protocol 2`, '--proxy-protocol: "2" is not known; use v1, v2'],
    [
      `${TLS} --server-name *.a.example`,
      '--server-name: "*.a.example" is not one server name; write www.a.example',
    ],
    [
      `${TLS} --server-name a.example:443`,
      '--server-name: "a.example:443" is more than a server name; write it without scheme, port, path or spaces, as www.example.com',
    ],
    [
      `${TLS} --alpn h2,`,
      '--alpn: "h2," is not a list of protocols; write their names between commas, as h2,http/1.1',
    ],
    [`${TLS} --alpn h2,http/1.1,h2`, '--alpn: "h2,http/1.1,h2" has h2 a second time'],
    [`${TLS} --ca=`, "--ca: the name of the file is empty"],
    [`${CLIENT} --tls=yes`, "--tls takes no value"],
  ];
  for (const [line, message] of wrong) assert.equal(refusal(line), message);
});

Deno.test("a flag without its value, or twice where once is meant, is refused", () => {
  assert.equal(refusal("--role client --connect"), "--connect needs a value, ADDR");
  assert.equal(refusal(`${CLIENT} --message`), "--message needs a value, TEXT");
  assert.equal(refusal(`${CLIENT} --timeout`), "--timeout needs a value, TIME");
  assert.equal(refusal(`${CLIENT} --connect a:1`), "--connect is given twice");
  assert.equal(refusal(`${CLIENT} --timeout 1s --timeout 1s`), "--timeout is given twice");
});

Deno.test("a flag of TLS without those that it needs, or beside one that leaves it no use, is refused", () => {
  const wrong: [string, string][] = [
    [`${CLIENT} --server-name b.example`, "--server-name is for TLS; add --tls"],
    [`${CLIENT} --ca ca.pem --insecure`, "--ca is for TLS; add --tls"],
    [`${CLIENT} --cert a.pem --key a.key`, "--cert is for TLS; add --tls"],
    [`${CLIENT} --key a.key`, "--key is for TLS; add --tls"],
    [`${CLIENT} --alpn h2`, "--alpn is for TLS; add --tls"],
    [`${CLIENT} --insecure`, "--insecure is for TLS; add --tls"],
    [`${TLS} --cert a.pem`, "--cert needs --key, its private key (which may be in the same file)"],
    [`${TLS} --key a.pem`, "--key needs --cert, its certificate (which may be in the same file)"],
    [
      `${TLS} --insecure --ca ca.pem`,
      "with --insecure any certificate is taken, so --ca has no use; leave one of them out",
    ],
    [
      "--role client --connect unix:/a --tls",
      "a Unix socket has no host that its certificate could name; add --server-name",
    ],
  ];
  for (const [line, message] of wrong) assert.equal(refusal(line), message);
  flags("--role client --connect unix:/a --tls --insecure");
  flags("--role client --connect unix:/a --tls --server-name a.example");
});

Deno.test("with UDP a flag that is for connections alone is refused, also where it would need another one", () => {
  const udp = "--role client --connect udp:a:53";
  const wrong = [
    "--proxy-protocol v2",
    "--tls",
    "--server-name b.example",
    "--ca ca.pem",
    "--cert a.pem",
    "--key a.key",
    "--alpn h2",
    "--insecure",
  ];
  for (const flag of wrong) {
    const [name] = flag.split(" ");
    assert.equal(refusal(`${udp} ${flag}`), `${name} is for connections, and UDP has none; leave it out`);
  }
  flags(`${udp} --timeout 1s --message hi --log-format json`);
});

Deno.test("a message that is longer than a datagram can be is refused with its length", () => {
  const udp = "--role client --connect udp:a:53";
  const longest = "ü".repeat(32_753);
  assert.deepEqual(flags(`${udp} --message hi --message ${longest}`).messages, ["hi", longest]);
  assert.equal(
    refusal(`${udp} --message hi --message ${longest}x`),
    "--message: a datagram has at most 65507 bytes; with its newline this one has 65508",
  );
  flags(`${CLIENT} --message ${longest}x`);
});

import assert from "node:assert/strict";
import { HANDLER_NAMES } from "../../lib/cli/flags.ts";
import { flags, refusal } from "./arguments.ts";

const SERVER = "--role server";

Deno.test("a server that is told nothing echoes on port 1234 of this machine", () => {
  assert.deepEqual({ ...flags(SERVER) }, {
    role: "server",
    listen: { transport: "tcp", host: "127.0.0.1", port: 1234 },
    handler: "echo",
    name: undefined,
    maxConnections: 0,
    idleTimeoutMs: 0,
    proxyProtocol: false,
    engine: "runtime",
    tlsCert: undefined,
    tlsKey: undefined,
    logLevel: undefined,
    logFormat: undefined,
    misbehaviour: {
      delay: undefined,
      failRate: undefined,
      failHow: undefined,
      bytesPerSecond: undefined,
      closeAfter: undefined,
      flap: undefined,
      seed: undefined,
    },
  });
});

Deno.test("each flag of the server is read in both forms", () => {
  const forms: [string, string, string, unknown][] = [
    ["--listen", ":80", "listen", { transport: "tcp", host: "", port: 80 }],
    ["--listen", "[::1]:0", "listen", { transport: "tcp", host: "::1", port: 0 }],
    ["--listen", "udp::53", "listen", { transport: "udp", host: "", port: 53 }],
    ["--listen", "udp:127.0.0.1:53", "listen", { transport: "udp", host: "127.0.0.1", port: 53 }],
    ["--listen", "unix:/run/a.sock", "listen", { transport: "unix", path: "/run/a.sock" }],
    ...HANDLER_NAMES.map((name): [string, string, string, unknown] => ["--handler", name, "handler", name]),
    ["--name", "one", "name", "one"],
    ["--name", "Straße=1", "name", "Straße=1"],
    ["--max-connections", "0", "maxConnections", 0],
    ["--max-connections", "1000000", "maxConnections", 1_000_000],
    ["--idle-timeout", "1m30s", "idleTimeoutMs", 90_000],
    ["--idle-timeout", "0s", "idleTimeoutMs", 0],
  ];
  for (const [flag, text, key, value] of forms) {
    assert.deepEqual(flags(`${SERVER} ${flag} ${text}`)[key], value);
    assert.deepEqual(flags(`${SERVER} ${flag}=${text}`)[key], value);
  }
});

Deno.test("a value that is wrong is refused with the flag and what to write", () => {
  const wrong: [string, string][] = [
    ["--listen=80", '--listen: "80" is only a port; write :80 or 127.0.0.1:80'],
    ["--listen=", '--listen: "" has no port; write host:port, [v6]:port or unix:/path'],
    ["--listen=udp:53", '--listen: "udp:53" is only a port; write udp::53 or udp:127.0.0.1:53'],
    ["--handler=whoam", `--handler: "whoam" is not known; did you mean whoami?`],
    ["--handler=smtp", `--handler: "smtp" is not known; use ${HANDLER_NAMES.join(", ")}`],
    ["--handler=", `--handler: "" is not known; use ${HANDLER_NAMES.join(", ")}`],
    ["--name=", "--name: a name has 1 to 128 characters, none of them a control character"],
    ["--name=a\tb", "--name: a name has 1 to 128 characters, none of them a control character"],
    [`--name=${"x".repeat(129)}`, "--name: a name has 1 to 128 characters, none of them a control character"],
    ["--max-connections=-1", '--max-connections: "-1" is not a whole number from 0 to 1000000'],
    ["--max-connections=1000001", '--max-connections: "1000001" is not a whole number from 0 to 1000000'],
    ["--max-connections=1.5", '--max-connections: "1.5" is not a whole number from 0 to 1000000'],
    ["--max-connections=1e3", '--max-connections: "1e3" is not a whole number from 0 to 1000000'],
    ["--max-connections=", '--max-connections: "" is not a whole number from 0 to 1000000'],
    ["--idle-timeout=5", '--idle-timeout: "5" is not a duration; add the unit, as 5s or 5ms'],
    [
      "--idle-timeout=-5s",
      '--idle-timeout: "-5s" is not a duration; it cannot be negative; write 0s or more',
    ],
    ["--idle-timeout=597h", '--idle-timeout: "597h" is too long; a duration is at most 596h'],
  ];
  for (const [flag, message] of wrong) {
    assert.equal(refusal(`${SERVER} ${flag}`), message);
    const value = flag.slice(flag.indexOf("=") + 1);
    if (value !== "") assert.equal(refusal(`${SERVER} ${flag.replace("=", " ")}`), message);
  }
});

Deno.test("a flag without its value is refused", () => {
  const values: [string, string][] = [
    ["--listen", "ADDR"],
    ["--handler", "NAME"],
    ["--name", "NAME"],
    ["--max-connections", "N"],
    ["--idle-timeout", "TIME"],
    ["--tls-cert", "FILE"],
    ["--tls-key", "FILE"],
    ["--log-level", "LEVEL"],
    ["--log-format", "FORMAT"],
  ];
  for (const [flag, metavar] of values) {
    assert.equal(refusal(`${SERVER} ${flag}`), `${flag} needs a value, ${metavar}`);
  }
});

Deno.test("a flag that stands twice is refused, even with the same value", () => {
  for (
    const flag of ["--listen :1", "--handler echo", "--name x", "--max-connections 1", "--idle-timeout 1s"]
  ) {
    const [name] = flag.split(" ");
    assert.equal(refusal(`${SERVER} ${flag} ${flag}`), `${name} is given twice`);
    assert.equal(
      refusal(`${SERVER} ${flag} ${flag.replace(" ", "=")}`),
      `${name} is given twice`,
    );
  }
});

Deno.test("a certificate and its key go together", () => {
  const { tlsCert, tlsKey } = flags(`${SERVER} --tls-cert a.pem --tls-key=a.key`);
  assert.deepEqual([tlsCert, tlsKey], ["a.pem", "a.key"]);
  assert.equal(
    refusal(`${SERVER} --tls-cert a.pem`),
    "--tls-cert needs --tls-key, its private key (which may be in the same file)",
  );
  assert.equal(
    refusal(`${SERVER} --tls-key a.pem`),
    "--tls-key needs --tls-cert, its certificate (which may be in the same file)",
  );
});

Deno.test("the PROXY protocol is a word without a value for a server, also before its role", () => {
  assert.equal(flags(`${SERVER} --proxy-protocol`).proxyProtocol, true);
  assert.equal(flags("--proxy-protocol --role server").proxyProtocol, true);
  assert.equal(refusal(`${SERVER} --proxy-protocol v1`), 'unexpected argument "v1"');
});

Deno.test("with UDP a flag that is for connections alone is refused, unless it only says what holds anyway", () => {
  const udp = `${SERVER} --listen udp::53`;
  const wrong = [
    "--max-connections 1",
    "--idle-timeout 1s",
    "--proxy-protocol",
    "--tls-cert a.pem --tls-key a.key",
    "--tls-key a.key",
  ];
  for (const flag of wrong) {
    const [name] = flag.split(" ");
    assert.equal(refusal(`${udp} ${flag}`), `${name} is for connections, and UDP has none; leave it out`);
  }
  flags(`${udp} --max-connections 0 --idle-timeout 0s --name one --handler whoami --log-level debug`);
});

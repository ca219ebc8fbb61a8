import assert from "node:assert/strict";
import { isLoad, type LoadFlags } from "../../lib/cli/load_flags.ts";
import { command, flags, refusal, shown } from "./arguments.ts";

const CLIENT = "--role client --connect a:1";
const LOAD = `${CLIENT} --requests 10`;
const UDP_LOAD = "--role client --connect udp:a:1 --requests 10";

function load(line: string): LoadFlags {
  return flags(line).load as LoadFlags;
}

Deno.test("a client is a load as soon as it is said how much, for how long, or to hold", () => {
  assert.equal(isLoad(load(CLIENT)), false);
  assert.equal(isLoad(load(`${CLIENT} --message x`)), false);
  for (const flag of ["--requests 1", "--duration 5s", "--hold"]) {
    assert.equal(isLoad(load(`${CLIENT} ${flag}`)), true);
  }
});

Deno.test("each flag of a load is read", () => {
  const line =
    `${LOAD} --duration 1m --connections 50 --new-connection --payload-size 64KiB --rate 500 --ramp 10s ` +
    "--expect bytes:0 --engine epoll --workers 2 --max-errors 3 --json";
  assert.deepEqual({ ...load(line) }, {
    requests: 10,
    durationMs: 60_000,
    hold: false,
    connections: 50,
    newConnection: true,
    payloadBytes: 65_536,
    pipeline: undefined,
    rate: 500,
    rampMs: 10_000,
    expect: { kind: "bytes", bytes: 0 },
    verify: false,
    engine: "epoll",
    workers: 2,
    maxErrors: 3,
    json: true,
    csv: false,
  });
  assert.equal(load(`${LOAD} --pipeline 16`).pipeline, 16);
  assert.equal(load(`${LOAD} --verify`).verify, true);
  assert.equal(load(`${LOAD} --csv`).csv, true);
  for (const kind of ["echo", "eof", "lines", "http"]) {
    assert.deepEqual(load(`${LOAD} --expect ${kind}`).expect, { kind });
  }
});

Deno.test("a load of datagrams has the flags that have a meaning for them", () => {
  const line =
    `${UDP_LOAD} --connections 5 --new-connection --payload-size 1KiB --rate 5 --ramp 1s --workers 2 --verify`;
  assert.equal(load(line).connections, 5);
  assert.deepEqual(load(`${UDP_LOAD} --expect datagrams:3`).expect, { kind: "datagrams", datagrams: 3 });
});

Deno.test("a value of a load that is wrong is refused with what to write", () => {
  const wrong: [string, string][] = [
    ["--requests 0", '--requests: "0" is not a whole number from 1 to 999999999'],
    ["--connections x", '--connections: "x" is not a whole number from 1 to 100000'],
    ["--payload-size 64", '--payload-size: "64" is not a size; add the unit, as 64B or 64KiB'],
    ["--payload-size 64k", '--payload-size: "64k" is not a size; write it as 64KiB'],
    ["--payload-size 0B", '--payload-size: "0B" is not a size from 1B to 1GiB'],
    [
      "--expect all",
      '--expect: "all" is not known; use echo, eof, lines, http, bytes:N, as bytes:512, or datagrams:N',
    ],
    [
      "--expect bytes",
      '--expect: "bytes" is not known; use echo, eof, lines, http, bytes:N, as bytes:512, or datagrams:N',
    ],
    ["--duration 0s", "--duration: a load of 0s is none; write 10s"],
    ["--rate 0", '--rate: "0" is not a whole number from 1 to 10000000'],
  ];
  for (const [flag, message] of wrong) assert.equal(refusal(`${CLIENT} ${flag}`), message);
});

Deno.test("a flag of a load without a load, or beside one that leaves it no use, is refused", () => {
  const wrong: [string, string][] = [
    [`${CLIENT} --connections 5`, "--connections is for a load; add --requests N, --duration TIME or --hold"],
    [`${CLIENT} --tls --verify`, "--verify is for a load; add --requests N, --duration TIME or --hold"],
    [`${LOAD} --json --csv`, "--json and --csv are two forms of one output; leave one of them out"],
    [
      `${LOAD} --message x --payload-size 1KiB`,
      "--payload-size has no use beside --message; leave one of them out",
    ],
    [`${LOAD} --hold`, "--hold sends no requests; leave --requests and --message out"],
    [`${CLIENT} --hold --message x`, "--hold sends no requests; leave --requests and --message out"],
    [`${CLIENT} --hold --rate 5`, "--rate is for requests, and --hold sends none; leave one of them out"],
    [
      `${LOAD} --new-connection --pipeline 2`,
      "--pipeline has no use with --new-connection: a connection has one request",
    ],
    [
      `${LOAD} --expect eof --pipeline 2`,
      "--pipeline has no use with --expect eof: a connection has one request",
    ],
    [
      `${LOAD} --expect http --verify`,
      "--verify compares replies with requests, so it is for --expect echo, lines, eof and datagrams:1",
    ],
    [
      `${LOAD} --expect http --payload-size 1KiB`,
      "--expect http sends GET / by itself, or what --message says; leave --payload-size out",
    ],
    [`${LOAD} --workers 2`, "--workers share the connections, and there is 1; add --connections 2"],
    [
      `${LOAD} --workers 4 --connections 3`,
      "--workers share the connections, and there are 3; add --connections 4",
    ],
    [
      `${UDP_LOAD} --pipeline 2`,
      "--pipeline is for connections: a socket waits for the answer to one datagram; add --connections instead",
    ],
    [
      "--role client --connect udp:a:1 --hold",
      "--hold keeps connections open, and UDP has none; leave it out",
    ],
    [
      `${UDP_LOAD} --expect eof`,
      "--expect eof is for connections; with UDP take datagrams:1, echo or bytes:0",
    ],
    [
      `${UDP_LOAD} --expect http`,
      "--expect http is for connections; with UDP take datagrams:1, echo or bytes:0",
    ],
    [
      `${UDP_LOAD} --payload-size 64KiB`,
      "--payload-size: a datagram has at most 65507 bytes; this one has 65536",
    ],
    [
      `${UDP_LOAD} --message ${"x".repeat(40_000)} --message ${"x".repeat(40_000)}`,
      "--message: a datagram has at most 65507 bytes; this one has 80002",
    ],
    [`${UDP_LOAD} --tls`, "--tls is for connections, and UDP has none; leave it out"],
    [
      `${UDP_LOAD} --verify --expect datagrams:2`,
      "--verify compares replies with requests, so it is for --expect echo, lines, eof and datagrams:1",
    ],
    [
      `${LOAD} --expect datagrams:1`,
      "--expect datagrams:N is for UDP; with connections take another one, as bytes:N",
    ],
    [`${LOAD} --tls --engine epoll`, "TLS is opened by the engine runtime; leave --engine out"],
  ];
  for (const [line, message] of wrong) assert.equal(refusal(line), message);
});

Deno.test("two reports are compared without a peer", () => {
  assert.deepEqual(command("--role client --compare a.json b.json"), {
    run: "compare",
    flags: { role: "client", one: "a.json", other: "b.json" },
  });
  assert.equal(command("--role client --compare=a.json b.json").run, "compare");
  assert.match(refusal("--role client --compare a.json"), /FILE/);
  assert.equal(
    refusal("--role client --connect a:1 --compare a.json b.json"),
    "--compare reads two reports; leave --connect out",
  );
  assert.equal(refusal("--role client --compare a.json b.json c.json"), 'unexpected argument "c.json"');
  assert.match(
    shown("--role client --compare a.json --help"),
    /^sockbal --role client --compare A.json B.json/,
  );
});

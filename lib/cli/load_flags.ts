/** The flags of the client's load, and which of them need one another. */

import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional } from "@optique/core/modifiers";
import { argument, option } from "@optique/core/primitives";
import type { InferValue } from "@optique/core/parser";
import type { Address } from "../core/address.ts";
import { MAX_DATAGRAM_BYTES } from "../core/datagram.ts";
import { InputError } from "../core/errors.ts";
import { count, duration, expectation, filePath, oneOf, size } from "./values.ts";

/** What `--engine` can name; a test holds it against the configuration. */
export const ENGINE_NAMES = ["auto", "runtime", "epoll"] as const;

const MAX_COUNT = 999_999_999;

export const loadFlags = object("Load", {
  requests: optional(option("--requests", count(1, MAX_COUNT), {
    description: message`Load the peer with so many requests, and report.`,
  })),
  durationMs: optional(option("--duration", duration(), {
    description: message`Load it for so long; beside --requests, whatever comes first.`,
  })),
  hold: option("--hold", {
    description: message`Open the connections and keep them silent, for --duration or until Ctrl-C.`,
  }),
  connections: optional(option("--connections", count(1, 100_000), {
    description: message`Connections at once, or sockets for datagrams (1).`,
  })),
  newConnection: option("--new-connection", {
    description: message`Each request has a connection, or a socket, of its own.`,
  }),
  payloadBytes: optional(option("--payload-size", size(1, 2 ** 30), {
    description: message`What a request sends, instead of --message: so many made-up bytes (64B).`,
  })),
  pipeline: optional(option("--pipeline", count(1, 10_000), {
    description: message`Requests that wait for their replies on one connection (1).`,
  })),
  rate: optional(option("--rate", count(1, 10_000_000), {
    description:
      message`Begin so many requests a second, on schedule, answered or not; latency counts from the time on the schedule. Without it each waits for a reply.`,
  })),
  rampMs: optional(option("--ramp", duration(), {
    description: message`Time until all connections are open, and --rate is reached (0s).`,
  })),
  expect: optional(option("--expect", expectation(), {
    description:
      message`What ends a reply: echo, as many bytes as were sent; eof; lines, as many as were sent; bytes:N; http, a response; datagrams:N (echo, with UDP datagrams:1).`,
  })),
  verify: option("--verify", { description: message`Compare each reply with what was sent.` }),
  engine: optional(option("--engine", oneOf("NAME", ENGINE_NAMES), {
    description: message`How sockets are driven: runtime, epoll (Linux, with --allow-ffi) or auto (auto).`,
  })),
  workers: optional(
    option("--workers", count(1, 256), { description: message`Threads that make the load (1).` }),
  ),
  maxErrors: optional(option("--max-errors", count(0, MAX_COUNT), {
    description: message`With more requests that failed, or were never sent, the exit status is 1 (0).`,
  })),
  json: option("--json", { description: message`Report as JSON.` }),
  csv: option("--csv", { description: message`Instead of a report: a row of CSV a second.` }),
});

/** `--compare A.json B.json`, which needs no peer. */
export const compareFlags = object({
  role: option("-r", "--role", oneOf("ROLE", ["client"])),
  one: option("--compare", filePath(), { description: message`What a run with --json has written.` }),
  other: argument(filePath(), { description: message`The same of another run.` }),
});

export type LoadFlags = InferValue<typeof loadFlags>;
export type CompareFlags = InferValue<typeof compareFlags>;

/** Whether the client is to load its peer, rather than to talk to it. */
export function isLoad({ requests, durationMs, hold }: LoadFlags): boolean {
  return requests !== undefined || durationMs !== undefined || hold;
}

interface ClientLoadFlags {
  readonly connect: Address;
  readonly load: LoadFlags;
  readonly messages: readonly string[];
  readonly tls: boolean;
}

/** @throws {InputError} when a flag needs another one, or has no use beside it. */
export function checkLoad({ connect, load, messages, tls }: ClientLoadFlags): void {
  const given = Object.entries({
    "--connections": load.connections,
    "--new-connection": load.newConnection,
    "--payload-size": load.payloadBytes,
    "--pipeline": load.pipeline,
    "--rate": load.rate,
    "--ramp": load.rampMs,
    "--expect": load.expect,
    "--verify": load.verify,
    "--engine": load.engine,
    "--workers": load.workers,
    "--max-errors": load.maxErrors,
    "--json": load.json,
    "--csv": load.csv,
  }).filter(([, value]) => value !== undefined && value !== false).map(([flag]) => flag);
  if (!isLoad(load)) {
    if (given.length === 0) return;
    throw new InputError(`${given[0]} is for a load; add --requests N, --duration TIME or --hold`);
  }
  if (load.durationMs === 0) throw new InputError("--duration: a load of 0s is none; write 10s");
  const refuse = (flags: readonly string[], why: string): void => {
    const flag = flags.find((it) => given.includes(it));
    if (flag !== undefined) throw new InputError(`${flag} ${why}`);
  };
  if (connect.transport === "udp") checkUdpLoad(load, messages);
  else if (load.expect?.kind === "datagrams") {
    throw new InputError("--expect datagrams:N is for UDP; with connections take another one, as bytes:N");
  }
  if (load.json && load.csv) {
    throw new InputError("--json and --csv are two forms of one output; leave one of them out");
  }
  if (messages.length > 0) refuse(["--payload-size"], "has no use beside --message; leave one of them out");
  if (load.hold) {
    if (load.requests !== undefined || messages.length > 0) {
      throw new InputError("--hold sends no requests; leave --requests and --message out");
    }
    refuse(
      ["--new-connection", "--payload-size", "--pipeline", "--rate", "--expect", "--verify"],
      "is for requests, and --hold sends none; leave one of them out",
    );
  }
  if (load.newConnection || load.expect?.kind === "eof") {
    const cause = load.newConnection ? "--new-connection" : "--expect eof";
    refuse(["--pipeline"], `has no use with ${cause}: a connection has one request`);
  }
  if (load.verify && load.expect !== undefined && !isComparable(load.expect)) {
    throw new InputError(
      "--verify compares replies with requests, so it is for --expect echo, lines, eof and datagrams:1",
    );
  }
  if (load.expect?.kind === "http" && load.payloadBytes !== undefined) {
    throw new InputError(
      "--expect http sends GET / by itself, or what --message says; leave --payload-size out",
    );
  }
  const { workers = 1, connections = 1 } = load;
  if (workers > connections) {
    const there = connections === 1 ? "is 1" : `are ${connections}`;
    throw new InputError(`--workers share the connections, and there ${there}; add --connections ${workers}`);
  }
  if (tls && load.engine === "epoll") {
    throw new InputError("TLS is opened by the engine runtime; leave --engine out");
  }
}

type Expected = NonNullable<LoadFlags["expect"]>;

/** Whether replies can be what was sent. */
function isComparable(expect: Expected): boolean {
  return expect.kind === "datagrams" ? expect.datagrams === 1 : !["http", "bytes"].includes(expect.kind);
}

/** What has a meaning for connections alone. */
function checkUdpLoad(
  { hold, pipeline, expect, payloadBytes = 0 }: LoadFlags,
  messages: readonly string[],
): void {
  if (hold) throw new InputError("--hold keeps connections open, and UDP has none; leave it out");
  if (pipeline !== undefined) {
    throw new InputError(
      "--pipeline is for connections: a socket waits for the answer to one datagram; add --connections instead",
    );
  }
  if (expect?.kind === "eof" || expect?.kind === "http") {
    throw new InputError(
      `--expect ${expect.kind} is for connections; with UDP take datagrams:1, echo or bytes:0`,
    );
  }
  const sent = new TextEncoder().encode(messages.map((message) => `${message}\n`).join("")).length;
  if (Math.max(payloadBytes, sent) <= MAX_DATAGRAM_BYTES) return;
  const [flag, bytes] = sent > 0 ? ["--message", sent] : ["--payload-size", payloadBytes];
  throw new InputError(`${flag}: a datagram has at most ${MAX_DATAGRAM_BYTES} bytes; this one has ${bytes}`);
}

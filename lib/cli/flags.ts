/** The flags of each role: one description that gives the types, the checks and the help text. */

import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple, optional, withDefault } from "@optique/core/modifiers";
import type { InferValue } from "@optique/core/parser";
import { option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { LOG_FORMATS, LOG_LEVELS } from "../core/log.ts";
import { ENGINE_NAMES, loadFlags } from "./load_flags.ts";
import { misbehaviourFlags } from "./misbehaviour_flags.ts";
import { clientTlsFlags, serverTlsFlags } from "./tls_flags.ts";
import {
  connectAddress,
  count,
  dialAddress,
  duration,
  filePath,
  listenAddress,
  oneOf,
  plainName,
} from "./values.ts";

export const ROLES = ["server", "client", "balancer"] as const;

/** What `--handler` can name; a test holds it against lib/respond. */
export const HANDLER_NAMES = [
  "echo",
  "upper",
  "reverse",
  "discard",
  "chargen",
  "daytime",
  "whoami",
  "http",
] as const;

/** What `--algorithm` can name; a test holds it against the configuration. */
export const ALGORITHM_NAMES = [
  "round_robin",
  "least_connections",
  "random_two",
  "random",
  "first",
  "maglev",
] as const;

export { ENGINE_NAMES } from "./load_flags.ts";

const PROXY_PROTOCOL_VERSIONS = ["v1", "v2"] as const;

const role = option("-r", "--role", oneOf("ROLE", ROLES), {
  description: message`server, client or balancer.`,
});

const logFlags = {
  logLevel: optional(option("--log-level", oneOf("LEVEL", LOG_LEVELS), {
    description: message`The least level that is logged: debug, info, warn or error (info).`,
  })),
  logFormat: optional(option("--log-format", oneOf("FORMAT", LOG_FORMATS), {
    description: message`How log records are written to stderr: text or json (text).`,
  })),
};

export const serverFlags = object({
  role,
  listen: withDefault(
    option("--listen", listenAddress(), {
      description: message`Where to accept connections, or datagrams (127.0.0.1:1234).`,
    }),
    { transport: "tcp", host: "127.0.0.1", port: 1234 } as const,
  ),
  handler: withDefault(
    option("--handler", oneOf("NAME", HANDLER_NAMES), {
      description:
        message`What to answer: echo, upper, reverse, discard, chargen, daytime, whoami or http (echo).`,
    }),
    "echo" as const,
  ),
  name: optional(option("--name", plainName(), {
    description: message`What whoami and http answer; by default the address.`,
  })),
  maxConnections: withDefault(
    option("--max-connections", count(0, 1_000_000), {
      description: message`Connections at once; 0 is no limit; at the limit accepting pauses (0).`,
    }),
    0,
  ),
  idleTimeoutMs: withDefault(
    option("--idle-timeout", duration(), {
      description: message`Close a connection when no byte moved for so long; 0s is never (0s).`,
    }),
    0,
  ),
  proxyProtocol: option("--proxy-protocol", {
    description:
      message`Take only connections that begin with a PROXY protocol header, v1 or v2; whoami and http then name the true client, too.`,
  }),
  engine: withDefault(
    option("--engine", oneOf("NAME", ENGINE_NAMES), {
      description:
        message`How sockets are driven: runtime, epoll (Linux, with --allow-ffi; without TLS and UDP) or auto (runtime).`,
    }),
    "runtime" as const,
  ),
  ...serverTlsFlags,
  ...logFlags,
  misbehaviour: misbehaviourFlags,
});

export const clientFlags = object({
  role,
  connect: option("--connect", connectAddress(), { description: message`Whom to talk to; needed.` }),
  messages: multiple(option("--message", string({ metavar: "TEXT" }), {
    description:
      message`Send this and a newline, with UDP as one datagram; may be repeated. Without it, stdin is sent.`,
  })),
  timeoutMs: withDefault(
    option("--timeout", duration(), {
      description:
        message`Give up when nothing moved for so long; 0s is never, but for TLS to open, answers by UDP, and a load, which have 10s (0s).`,
    }),
    0,
  ),
  proxyProtocol: optional(option("--proxy-protocol", oneOf("VERSION", PROXY_PROTOCOL_VERSIONS), {
    description: message`Say first who connects, by a PROXY protocol header: v1 or v2.`,
  })),
  ...clientTlsFlags,
  ...logFlags,
  load: loadFlags,
});

export const balancerFlags = object({
  role,
  config: optional(option("--config", filePath(), {
    description:
      message`The configuration: a file, a folder, etcd://HOST:2379/KEY, or - for stdin; by default ./balancer.yaml, or the built-in sample when there is none.`,
  })),
  listen: optional(option("--listen", listenAddress(), {
    description: message`Instead of a configuration: where to accept connections (127.0.0.1:5678).`,
  })),
  backends: multiple(option("--backend", dialAddress(), {
    description:
      message`Instead of a configuration: a backend; may be repeated (127.0.0.1:8001, 8002, 8003).`,
  })),
  algorithm: optional(option("--algorithm", oneOf("NAME", ALGORITHM_NAMES), {
    description:
      message`Instead of a configuration: round_robin, least_connections, random_two, random, first or maglev (round_robin).`,
  })),
  workers: optional(option("--workers", count(1, 256), {
    description: message`Data-plane threads; by default one a core.`,
  })),
  engine: optional(option("--engine", oneOf("NAME", ENGINE_NAMES), {
    description:
      message`How workers drive their sockets: runtime, epoll (Linux, with --allow-ffi) or auto, which is epoll where it can be had (auto).`,
  })),
  check: option("--check", { description: message`Check the configuration and exit.` }),
  watch: option("--watch", {
    description:
      message`Read the configuration again whenever its file, or its key in etcd, changes; with --status, show it again every second.`,
  }),
  takeOver: option("--take-over", {
    description:
      message`Take the place of the balancer that runs at the admin's Unix socket: use its listening sockets, and let it drain; engine epoll.`,
  }),
  status: option("--status", {
    description: message`Show the state of a running balancer and exit, with status 1 when it is not ready.`,
  }),
  json: option("--json", { description: message`With --status: as JSON, for programs.` }),
  admin: optional(option("--admin", dialAddress(), {
    description:
      message`With --status or --take-over: where its admin side is; by default as the configuration says.`,
  })),
  printSchema: option("--print-schema", {
    description: message`Print the JSON Schema of the configuration and exit.`,
  }),
  printPermissions: option("--print-permissions", {
    description: message`Print the narrowest Deno permission flags for this configuration and exit.`,
  }),
  ...logFlags,
});

export const demoFlags = object({
  demo: option("--demo", { description: message`The sample configuration, its backends and some traffic.` }),
  chaos: option("--chaos", {
    description: message`One of the backends fails and recovers, over and over, each time in another way.`,
  }),
  ...logFlags,
});

export const rehearsalFlags = object({
  rehearse: option("--rehearse", filePath("PLAN"), {
    description:
      message`The plan: servers, a balancer and a load in one process, what happens to them, and what must hold.`,
  }),
  ...logFlags,
});

export type ServerFlags = InferValue<typeof serverFlags>;
export type ClientFlags = InferValue<typeof clientFlags>;
export type BalancerFlags = InferValue<typeof balancerFlags>;
export type DemoFlags = InferValue<typeof demoFlags>;
export type RehearsalFlags = InferValue<typeof rehearsalFlags>;

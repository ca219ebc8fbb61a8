/**
 * The schema of balancer.yaml: one description that gives the types, the checks, the messages, the JSON Schema and the
 * reference.
 *
 * Keys are snake_case in the file and camelCase with their unit in the program; each section's `transform` is the one
 * place where that changes. What a single value cannot know (does this pool exist?) is in cross_checks.ts.
 */

import { z } from "zod";
import { zoneOf } from "../core/zone.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../core/log.ts";
import type { Path } from "./place.ts";
import {
  choice,
  duration,
  filePath,
  name,
  refuse,
  refuseTruth,
  section,
  streamListenAddress,
} from "./fields.ts";
import { CONFINEMENTS, ENGINES } from "./engine_names.ts";
import { fleet } from "./fleet_schema.ts";
import { listener } from "./listener_schema.ts";
import { pool } from "./pool_schema.ts";
import { socketGroup, socketMode } from "./socket_file_schema.ts";
import { defaults, include } from "./short_schema.ts";

export { ALGORITHMS } from "./pool_schema.ts";

const log = section("log", {
  level: choice("level", LOG_LEVELS, "The least level that is written.").prefault("info"),
  format: choice("format", LOG_FORMATS, "Text for people, JSON for programs.").prefault("text"),
  sessions: z.union(
    [z.boolean(), z.literal("served")],
    refuseTruth("true, false or served", "write one of these"),
  )
    .meta({
      description:
        "Whether each session leaves a record when it ends; served leaves out those in which no byte moved and nothing failed, as the probes of another balancer.",
    }).prefault(true),
  file: filePath(
    "Where the records of sessions go, instead of stderr; SIGUSR2 opens the file again. Also /dev/stdout. Everything else stays on stderr.",
  ).optional(),
}, "write log: { level: info }").meta({ description: "The log, on stderr." });

const admin = section("admin", {
  listen: streamListenAddress(
    "Where the page, the API and the metrics are: host:port, [v6]:port, :port or unix:/path.",
  ).refine((address) => address.transport === "unix" || zoneOf(address.host) === undefined, {
    error: "the admin side cannot listen on a link-local address; write another one of this machine",
  }),
  token_file: filePath(
    "A file whose only line is the token (at least 16 characters) that everything but /healthz and /readyz asks for; needed unless only this machine can reach the address.",
  ).optional(),
  mode: socketMode.optional(),
  group: socketGroup.optional(),
}, "write admin: { listen: 127.0.0.1:9901 }").transform(({ listen, token_file, mode, group }) => ({
  listen,
  tokenFile: token_file,
  ...(mode === undefined ? {} : { mode }),
  ...(group === undefined ? {} : { group }),
}))
  .meta({ description: "The admin page, API and metrics; without it there are none." });

/** What is said where there is no list, or no map. */
export const LISTENERS_FORM = refuse("a list", "list the listeners, as - listen: 127.0.0.1:5678");
export const POOLS_FORM = refuse("a map", "write the pools by name, as web: { backends: [ … ] }");

const workersRefused = refuse("a number of workers", "write auto or 1 to 256");

/** The whole configuration. */
export const configSchema = section("the configuration", {
  listeners: z.array(listener, LISTENERS_FORM)
    .min(1, { error: "empty; list at least one listener" })
    .meta({ description: "Where connections are accepted." }),
  pools: z.record(
    name("The name of a pool."),
    pool,
    POOLS_FORM,
  )
    .refine((pools) => Object.keys(pools).length > 0, { error: "empty; write at least one pool" })
    .meta({ description: "Groups of backends, by name." }),
  admin: admin.optional(),
  log: log.prefault({}),
  defaults: defaults.meta({ description: "What listeners and pools have that do not say it themselves." })
    .optional(),
  include: include.meta({
    description:
      "Other files, with listeners, pools and include of their own: paths, or patterns as pools.d/*.yaml, whose files come in the order of their names.",
  }).optional(),
  engine: choice(
    "engine",
    ENGINES,
    "How workers drive their sockets: runtime, by Deno's own; epoll, by calls of the system, on Linux and with --allow-ffi; auto takes epoll where it can be had.",
  ).prefault("auto"),
  confinement: choice(
    "confinement",
    CONFINEMENTS,
    "Workers of the engine epoll have the kernel take away what they do not need (Landlock, seccomp): best_effort, as far as the kernel can; required: not starting where it lacks a part.",
  ).prefault("best_effort"),
  state_file: filePath(
    "A file that keeps what the operator wants over a restart: drained and disabled backends, weights, and backends that were added. Without it that is forgotten.",
  ).optional(),
  fleet: fleet.meta({
    description:
      "What several balancers of one service share through etcd: who they are, and what the operator wants of backends.",
  }).optional(),
  workers: z.union(
    [z.literal("auto"), z.int().min(1, workersRefused).max(256, workersRefused)],
    workersRefused,
  )
    .meta({ description: "Data-plane threads; auto is one a core." }).prefault("auto"),
  shutdown_delay: duration(
    "How long accepting goes on after SIGTERM while /readyz says 503, so that a balancer in front can notice; 0s: stops at once.",
  )
    .prefault("0s"),
  shutdown_timeout: duration(
    "How long sessions may finish after SIGTERM before they are closed; 0s closes them at once.",
  )
    .prefault("30s"),
  reload_drain_timeout: duration(
    "How long sessions may go on after a reload that has replaced their workers; 0s: as long as they take.",
  )
    .prefault("0s"),
}).transform((it) => ({
  listeners: it.listeners,
  pools: it.pools,
  admin: it.admin,
  log: it.log,
  engine: it.engine,
  confinement: it.confinement,
  stateFile: it.state_file,
  fleet: it.fleet,
  workers: it.workers,
  shutdownDelayMs: it.shutdown_delay,
  shutdownTimeoutMs: it.shutdown_timeout,
  reloadDrainTimeoutMs: it.reload_drain_timeout,
}));

/** What the schema makes of a document. */
export type CheckedConfig = z.output<typeof configSchema>;

/** A text of a configuration that comes from the environment, and may be a secret. */
export interface Hidden {
  readonly path: Path;
  /** As the file has it, with `${NAME}`. */
  readonly written: string;
}

/** A configuration that was checked; durations are milliseconds, addresses are parsed, defaults are in. */
export interface Config extends CheckedConfig {
  /** What is allowed but probably not meant, a whole line each, as faults are shown. */
  readonly notes: readonly string[];
  /** What is shown only as it is written; left out when there is none. */
  readonly hidden?: readonly Hidden[];
}

/** The JSON Schema (draft 2020-12) of balancer.yaml, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(configSchema, { io: "input" });
  return { $schema, title: "sockbal balancer configuration", ...rest };
}

/**
 * The schema of balancer.yaml: one description that gives the types, the checks, the messages and the JSON Schema.
 *
 * Keys are snake_case in the file and camelCase with their unit in the program; each section's `transform` is the one
 * place where that changes. What a single value cannot know (does this pool exist?) is in cross_checks.ts.
 */

import { z } from "zod";
import { type Address, formatAddress, parseDialAddress, parseListenAddress } from "../core/address.ts";
import { parseDurationMs } from "../core/duration.ts";
import { InputError } from "../core/errors.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../core/log.ts";
import { nearest } from "../core/nearest.ts";

/** The load-balancing algorithms that a pool can name. */
export const ALGORITHMS = ["round_robin"] as const;

/** Names stand in logs and in the paths of the admin API, so they are plain. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.:\/-]{0,127}$/;

/** A found value as it is shown in a message. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** `missing; WANTED`, `empty; WANTED` or `VALUE is not THING; WANTED`. */
function refuse(thing: string, wanted: string): { error: (issue: { input?: unknown }) => string } {
  return {
    error: ({ input }) => {
      if (input === undefined) return `missing; ${wanted}`;
      if (input === null) return `empty; ${wanted}`;
      // Without quotes these would not be text.
      if (typeof input === "string" && /^(true|false|-?\d{1,15})$/.test(input) && !thing.includes("name")) {
        return `${shown(input)} is text because of its quotes; ${wanted}`;
      }
      return `${shown(input)} is not ${thing}; ${wanted}`;
    },
  };
}

/** A map with fixed keys; an unknown one names the nearest that exists. */
function section<Shape extends z.ZodRawShape>(
  what: string,
  shape: Shape,
): z.ZodObject<Shape, z.core.$strict> {
  const keys = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== "unrecognized_keys") {
        return refuse(
          "a map",
          `${what} is a map of ${keys.slice(0, 3).join(", ")}${keys.length > 3 ? ", …" : ""}`,
        )
          .error(issue);
      }
      return (issue.keys as string[]).map((key) => {
        const near = nearest(key, keys);
        return `unknown key ${shown(key)}; ${
          near === undefined ? `use ${keys.join(", ")}` : `did you mean ${near}?`
        }`;
      }).join("\n");
    },
  });
}

/** Text that a parser of ours reads; its sentence becomes the message. */
function parsed<T>(parse: (text: string) => T, thing: string, wanted: string): z.ZodType<T, string> {
  return z.string(refuse(thing, wanted)).transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      context.issues.push({ code: "custom", message: error.message, input: text });
      return z.NEVER;
    }
  });
}

function duration(description: string): z.ZodType<number, string> {
  const text = z.string({
    error: ({ input }) => {
      if (typeof input !== "number") {
        return refuse("a duration", "write it as 250ms, 30s, 1m30s or 2h").error({ input });
      }
      if (input < 0) return `${input} is not a duration; it cannot be negative; write 0s or more`;
      return `${input} is not a duration; add the unit, as ${input}s or ${input}ms`;
    },
  });
  return text.transform((value, context) => {
    try {
      return parseDurationMs(value);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      context.issues.push({ code: "custom", message: error.message, input: value });
      return z.NEVER;
    }
  }).meta({ description, examples: ["250ms", "30s", "1m30s", "2h"] });
}

function count(min: number, max: number, description: string): z.ZodType<number, number> {
  const wanted = `write ${min} to ${max}`;
  return z.int(refuse("a whole number", wanted))
    .min(min, { error: ({ input }) => `${input} is too small; ${wanted}` })
    .max(max, { error: ({ input }) => `${input} is too large; ${wanted}` })
    .meta({ description });
}

function choice<const Values extends readonly [string, ...string[]]>(
  what: string,
  values: Values,
  description: string,
): z.ZodType<Values[number], Values[number]> {
  return z.enum(values, {
    error: ({ input }) => {
      if (input === undefined || input === null) {
        return `${input === null ? "empty" : "missing"}; use ${values.join(", ")}`;
      }
      return `unknown ${what} ${shown(input)}; use ${values.join(", ")}`;
    },
  }).meta({ description });
}

function name(description: string): z.ZodType<string, string> {
  const wanted = "letters, digits and . _ - : / (at most 128, beginning with a letter or digit)";
  return z.string(refuse("a name", `use ${wanted}`)).regex(NAME, refuse("a name", `use ${wanted}`)).meta({
    description,
  });
}

const dialAddress = (): z.ZodType<Address, string> => {
  return parsed(parseDialAddress, "an address", "write host:port, [v6]:port or unix:/path");
};

const listener = section("a listener", {
  name: name("How logs and metrics call it; by default its address.").optional(),
  listen: parsed(parseListenAddress, "an address", "write host:port, [v6]:port, :port or unix:/path")
    .meta({
      description: "Where to accept connections: host:port, [v6]:port, :port (all addresses) or unix:/path.",
    }),
  pool: z.string({
    error: ({ input }) => {
      if (typeof input === "number") {
        return `${input} is not the name of a pool; write a name of digits in quotes`;
      }
      return refuse("the name of a pool", "name one of the pools").error({ input });
    },
  })
    .meta({ description: "The pool that its sessions go to." }),
  max_connections: count(
    0,
    1_000_000,
    "Sessions at once, over all workers; 0 is no limit. At the limit accepting pauses.",
  )
    .prefault(0),
  backlog: count(1, 65_535, "Connections that the kernel keeps waiting until they are accepted.").prefault(
    4096,
  ),
  idle_timeout: duration("Ends a session when no byte moved in either direction for so long; 0s is never.")
    .prefault("10m"),
  half_close_timeout: duration(
    "Ends a session when one direction has ended and the other stays silent for so long; 0s is never.",
  )
    .prefault("1m"),
  max_session_duration: duration("Ends a session this long after it began; 0s is never.").prefault("0s"),
}).transform((it) => ({
  name: it.name ?? formatAddress(it.listen),
  listen: it.listen,
  pool: it.pool,
  maxConnections: it.max_connections,
  backlog: it.backlog,
  idleTimeoutMs: it.idle_timeout,
  halfCloseTimeoutMs: it.half_close_timeout,
  maxSessionDurationMs: it.max_session_duration,
}));

const backendAddress = "Whom to dial: host:port, [v6]:port or unix:/path.";

const backend = z.union([
  dialAddress().meta({ description: backendAddress }),
  section("a backend", {
    address: dialAddress().meta({ description: backendAddress }),
    name: name("How logs and metrics call it; by default its address.").optional(),
  }),
]).transform((it) => {
  const long = "transport" in it ? { address: it } : it;
  return {
    address: long.address,
    name: ("name" in long ? long.name : undefined) ?? formatAddress(long.address),
  };
});

const pool = section("a pool", {
  algorithm: choice("algorithm", ALGORITHMS, "How a backend is picked for a session.").prefault(
    "round_robin",
  ),
  backends: z.array(backend, refuse("a list", "list the backends, as - 127.0.0.1:8001"))
    .min(1, { error: "empty; list at least one backend, as - 127.0.0.1:8001" })
    .meta({ description: "The members: an address each, or { address, name }." }),
  dial_timeout: duration(
    "How long a dial may take before another backend is tried; 0s leaves it to the system.",
  )
    .prefault("5s"),
  retries: count(
    0,
    100,
    "How many other backends are tried when a dial fails; never after a byte was relayed.",
  )
    .prefault(2),
}).transform((it) => ({
  algorithm: it.algorithm,
  backends: it.backends,
  dialTimeoutMs: it.dial_timeout,
  retries: it.retries,
}));

const log = section("log", {
  level: choice("level", LOG_LEVELS, "The least level that is written.").prefault("info"),
  format: choice("format", LOG_FORMATS, "Text for people, JSON for programs.").prefault("text"),
  sessions: z.boolean(refuse("true or false", "write true or false"))
    .meta({ description: "Whether each session leaves a record when it ends." }).prefault(true),
}).meta({ description: "The log, on stderr." });

const workersRefused = refuse("a number of workers", "write auto or 1 to 256");

/** The whole configuration. */
export const configSchema = section("the configuration", {
  listeners: z.array(listener, refuse("a list", "list the listeners, as - listen: 127.0.0.1:5678"))
    .min(1, { error: "empty; list at least one listener" })
    .meta({ description: "Where connections are accepted." }),
  pools: z.record(
    name("The name of a pool."),
    pool,
    refuse("a map", "write the pools by name, as web: { backends: [ … ] }"),
  )
    .refine((pools) => Object.keys(pools).length > 0, { error: "empty; write at least one pool" })
    .meta({ description: "Groups of backends, by name." }),
  log: log.prefault({}),
  workers: z.union(
    [z.literal("auto"), z.int().min(1, workersRefused).max(256, workersRefused)],
    workersRefused,
  )
    .meta({ description: "Data-plane threads; auto is one a core." }).prefault("auto"),
  shutdown_timeout: duration(
    "How long sessions may finish after SIGTERM before they are closed; 0s closes them at once.",
  )
    .prefault("30s"),
}).transform((it) => ({
  listeners: it.listeners,
  pools: it.pools,
  log: it.log,
  workers: it.workers,
  shutdownTimeoutMs: it.shutdown_timeout,
}));

/** A configuration that was checked; durations are milliseconds, addresses are parsed, defaults are in. */
export type Config = z.output<typeof configSchema>;

/** The JSON Schema (draft 2020-12) of balancer.yaml, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(configSchema, { io: "input" });
  return { $schema, title: "sockbal balancer configuration", ...rest };
}

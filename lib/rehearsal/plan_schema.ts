/** The form of a plan: what stands where, but for the balancer's configuration, which has its own. */

import { z } from "zod";
import { count, duration, listenAddress, name, parsed, refuse, section } from "../config/fields.ts";
import { misbehaviourKeys, misbehaviourOf } from "./misbehaviour_schema.ts";
import {
  type Bounds,
  parseComparison,
  parseErrorPart,
  parsePercent,
  parseShareBound,
  parseTimeBound,
  type ShareBound,
  TIMES,
} from "./bounds.ts";

const MAX_COUNT = 999_999_999;

/** A name with a colon or a slash would look like an address among the backends. */
const serverName = name("The name of a server.").refine((text) => !/[:/]/.test(text), {
  error: ({ input }) => `${JSON.stringify(input)} is not the name of a server; leave : and / out`,
});

const server = section("a server", {
  name: serverName,
  listen: listenAddress("Where it listens; by default at a free port of 127.0.0.1.")
    .refine(({ transport }) => transport !== "udp", { error: "a server of a rehearsal takes no datagrams" })
    .prefault("127.0.0.1:0"),
  ...misbehaviourKeys,
}).transform(({ name, listen, ...wrong }) => ({ name, listen, misbehaviour: misbehaviourOf(wrong) }));

export type ServerSettings = z.output<typeof server>;

const servers = z.array(
  z.union([serverName.transform((name) => server.parse({ name })), server]),
  refuse("a list", "list the servers, as [one, two]"),
).min(1, { error: "empty; list at least one server, as [one, two]" });

/** A whole configuration, or the file that has it; what is in it is read apart. */
const configuration = z.union(
  [z.string(), z.record(z.string(), z.unknown())],
  refuse("a configuration", "write it as in balancer.yaml, or the path of its file"),
);

const change = z.record(
  z.string(),
  z.unknown(),
  refuse("a change", "write what is different, as { pools: { web: { algorithm: random } } }"),
);

const load = section("the load", {
  listener: name("The listener that it goes to; by default the first.").optional(),
  duration: duration("How long requests begin.", 1),
  connections: count(1, 100_000, "Connections at once.").prefault(10),
  keep_connections: z.boolean(refuse("true or false", "write true or false")).prefault(false),
  rate: count(1, 10_000_000, "Requests a second, on schedule; without it each waits for a reply.").optional(),
  ramp: duration("Time until all connections are open, and the rate is reached.").prefault("0s"),
  timeout: duration("How long a reply may take.", 1).prefault("5s"),
}).transform((it) => ({
  listener: it.listener,
  durationMs: it.duration,
  connections: it.connections,
  keepConnections: it.keep_connections,
  rate: it.rate ?? 0,
  rampMs: it.ramp,
  timeoutMs: it.timeout,
}));

export type LoadSettings = z.output<typeof load>;

const event = section("an event", {
  at: duration("How long after the load has begun."),
  down: serverName.optional(),
  up: serverName.optional(),
  drain: serverName.optional(),
  enable: serverName.optional(),
  set: serverName.optional(),
  ...misbehaviourKeys,
  reload: z.union(
    [z.string(), change],
    refuse("a change", "write what is different, or the path of a file"),
  ).optional(),
}, "write an event as { at: 1s, down: one }").transform((
  { at, down, up, drain, enable, set, reload, ...wrong },
) => ({
  ...{ atMs: at, down, up, drain, enable, set, reload, change: misbehaviourOf(wrong) },
}));

const timeBound = parsed(parseTimeBound, refuse("a bound", "write <50ms"));

const share = z.union([
  z.record(serverName, parsed(parseShareBound, refuse("a share", 'write 50%, <30% or ">5%"'))),
  z.literal("even", refuse("a share", "write even, or the share of servers, as { one: 50%, two: 50% }")),
]);

export const comparison = parsed(
  parseComparison,
  refuse("a comparison", "write it as p99 of one < p99 of two"),
);

const expect = section("what must hold", {
  errors: z.union([
    count(0, MAX_COUNT, "The most requests that may fail.").transform((count) => ({ count })),
    parsed(parseErrorPart, refuse("a number of errors", "write 0, or <1%")).transform((part) => ({ part })),
  ]).optional(),
  requests: count(1, MAX_COUNT, "The fewest requests that are answered.").optional(),
  ...Object.fromEntries(TIMES.map((name) => [name, timeBound.optional()])) as Record<
    typeof TIMES[number],
    z.ZodOptional<typeof timeBound>
  >,
  share: share.optional(),
  tolerance: parsed(parsePercent, refuse("a percentage", "write it as 5%")).prefault("5%"),
  noticed: timeBound.optional(),
  recovered: timeBound.optional(),
  compare: z.array(
    comparison,
    refuse("a list", "list comparisons, as [p99 of one < p99 of two]"),
  ).prefault([]),
});

export const planSchema = section("a plan", {
  servers,
  balancer: configuration,
  variants: z.record(name("The name of a variant."), change, refuse("a map", "write variants by name"))
    .refine((variants) => Object.keys(variants).length > 1, {
      error: "one variant has no other to be compared with; write two or more, or what it says in balancer",
    }).optional(),
  load,
  events: z.array(event, refuse("a list", "list the events, as - { at: 1s, down: one }")).prefault([]),
  expect,
});

export type CheckedPlan = z.output<typeof planSchema>;

/** What must hold; even shares are those of all servers. */
export function boundsOf({ servers, expect }: Pick<CheckedPlan, "servers" | "expect">): Bounds {
  const even: ShareBound = { is: "near", part: 1 / servers.length };
  const { errors, requests, share = {}, tolerance, noticed, recovered, compare } = expect;
  return {
    errors,
    requests,
    timesMs: Object.fromEntries(TIMES.map((name) => [name, expect[name]])),
    shares: new Map(share === "even" ? servers.map(({ name }) => [name, even]) : Object.entries(share)),
    tolerance,
    noticedMs: noticed,
    recoveredMs: recovered,
    comparisons: compare,
  };
}

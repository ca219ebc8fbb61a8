/** `health_check` of a pool: whether backends are well is asked from time to time, in one of four ways. */

import { z } from "zod";
import { InputError } from "../core/errors.ts";
import { compileExpectation } from "../core/expectation.ts";
import { STATUS_RANGE_PATTERN } from "./patterns.ts";
import { choice, count, duration, parsed, refuse, section, shown } from "./fields.ts";

/** The ways of checking. */
export const CHECK_TYPES = ["tcp", "http", "expect", "udp"] as const;

/** From one status to another, both included. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

/** How the backends of a pool are checked. */
export type HealthCheckConfig =
  & {
    readonly intervalMs: number;
    readonly timeoutMs: number;
    /** So many successes in a row bring a backend up. */
    readonly rise: number;
    /** So many failures in a row take a backend down. */
    readonly fall: number;
    /** Undefined: the port of the backend. */
    readonly port: number | undefined;
  }
  & (
    | { readonly type: "tcp" }
    | {
      readonly type: "http";
      readonly path: string;
      /** Undefined: the address of the backend. */
      readonly host: string | undefined;
      readonly expectStatus: readonly StatusRange[];
    }
    | {
      readonly type: "expect";
      readonly send: string;
      /** Text, or a regular expression as /regex/. */
      readonly expect: string;
      readonly quit: string;
    }
    | {
      readonly type: "udp";
      /** Each character is a byte. */
      readonly send: string;
      /** Text or /regex/ of which each character is a byte; undefined: any answer will do. */
      readonly expect: string | undefined;
    }
  );

const STATUS_FORMS = "write a status as 200, a range as 200-399, or a list of these";

const status = z.int(refuse("a status", STATUS_FORMS))
  .min(100, { error: ({ input }) => `${input} is not a status; write 100 to 599` })
  .max(599, { error: ({ input }) => `${input} is not a status; write 100 to 599` })
  .transform((it): StatusRange => ({ from: it, to: it }));

const range = parsed(parseRange, refuse("a status", STATUS_FORMS)).meta({ pattern: STATUS_RANGE_PATTERN });

const expectStatus = z.union([
  status.transform((it) => [it]),
  range.transform((it) => [it]),
  z.array(z.union([status, range])).min(1, { error: `empty; ${STATUS_FORMS}` }),
]);

function parseRange(text: string): StatusRange {
  if (/^\d+$/.test(text)) {
    throw new InputError(`${shown(text)} is text because of its quotes; ${STATUS_FORMS}`);
  }
  const [, from, to] = /^(\d{3})-(\d{3})$/.exec(text)?.map(Number) ?? [];
  if (from === undefined || to === undefined) {
    throw new InputError(`${shown(text)} is not a status; ${STATUS_FORMS}`);
  }
  if (from < 100 || to > 599) {
    throw new InputError(`${shown(text)} is not a range of statuses; they are 100 to 599`);
  }
  if (from > to) throw new InputError(`${shown(text)} ends before it begins; write it as ${to}-${from}`);
  return { from, to };
}

/** They go into a request as they stand. */
const pathRefused = refuse("a path", "begin it with /, and write spaces and other special characters as %20");
const hostRefused = refuse("a host", "write it as example.com or example.com:8080");

/** What to write for `expect`. */
export const EXPECT_FORMS = "write the text that the answer contains, or /regex/";

const httpKeys = {
  path: z.string(pathRefused).regex(/^\/[\x21-\x7e]*$/, pathRefused)
    .meta({ title: "path of a URL", description: "Type http: what GET asks for." }).prefault("/"),
  host: z.string(hostRefused).regex(/^[\x21-\x7e]{1,255}$/, hostRefused)
    .meta({
      title: "host",
      description: "Type http: the Host header; by default the address of the backend.",
    })
    .optional(),
  expect_status: expectStatus
    .meta({
      title: "status, range or list of these",
      description: "Type http: which statuses are a success, as 200, 200-399 or [200, 301-308].",
    })
    .prefault("200-399"),
};

/** In bytes: what is left of 65,535 beside the headers of UDP and IPv4 (RFC 768, RFC 791). */
const MAX_DATAGRAM_BYTES = 65_507;

const quitKeys = {
  quit: z.string(refuse("text", "put it in quotes"))
    .meta({
      title: "text",
      description: "Type expect: what is sent before the connection is closed, as QUIT of mail servers.",
    }).prefault(""),
};

const answerKeys = {
  send: z.string(refuse("text", "put it in quotes"))
    .max(MAX_DATAGRAM_BYTES, {
      error: ({ input }) =>
        `longer than ${MAX_DATAGRAM_BYTES} characters (${String(input).length}); write less`,
    })
    .meta({
      title: "text",
      description:
        'Type expect: what is sent first; empty sends nothing. Type udp, which needs it: the datagram that is sent, a byte each character, as "\\x00\\x01" in double quotes.',
    }).prefault(""),
  expect: parsed(checkExpectation, refuse("text", `${EXPECT_FORMS}, in quotes`))
    .meta({
      title: "text or /regex/",
      description:
        "Type expect, which needs it, and type udp, where any answer will do without it: what the answer contains, as text or as a regular expression of RE2.",
    })
    .optional(),
};

/** The text stays one: a probe compiles it where it is used. */
function checkExpectation(text: string): string {
  compileExpectation(text);
  return text;
}

/** The types of check that a key belongs to; undefined for those of every type. */
export function typesOfCheckKey(key: string): readonly (typeof CHECK_TYPES[number])[] | undefined {
  if (Object.hasOwn(httpKeys, key)) return ["http"];
  if (Object.hasOwn(quitKeys, key)) return ["expect"];
  return Object.hasOwn(answerKeys, key) ? ["expect", "udp"] : undefined;
}

/** Which keys go with which type is in cross_checks.ts, so that it is reported beside all other faults. */
export const healthCheck = section("a health check", {
  type: choice(
    "type",
    CHECK_TYPES,
    "What a check does: tcp connects, http asks for a page, expect sends a text and waits for another, udp does so by datagrams.",
  ).prefault("tcp"),
  interval: duration("From the beginning of one check to the beginning of the next; at least 100ms.", 100)
    .prefault("2s"),
  timeout: duration("How long a check may take before it has failed; more than 0s.", 1).prefault("1s"),
  rise: count(1, 100, "How many checks in a row must succeed until a backend is up again.").prefault(2),
  fall: count(1, 100, "How many checks in a row must fail until a backend is down.").prefault(3),
  port: count(1, 65_535, "Where to check, when it is not the port that sessions go to.").optional(),
  ...httpKeys,
  ...answerKeys,
  ...quitKeys,
}, "write health_check: { type: tcp }").transform((it): HealthCheckConfig => {
  const { rise, fall, port } = it;
  const common = { intervalMs: it.interval, timeoutMs: it.timeout, rise, fall, port };
  switch (it.type) {
    case "tcp":
      return { type: it.type, ...common };
    case "http":
      return { type: it.type, ...common, path: it.path, host: it.host, expectStatus: it.expect_status };
    case "expect":
      // Never empty in the end: a check of this type without it is refused.
      return { type: it.type, ...common, send: it.send, expect: it.expect ?? "", quit: it.quit };
    case "udp":
      return { type: it.type, ...common, send: it.send, expect: it.expect };
  }
});

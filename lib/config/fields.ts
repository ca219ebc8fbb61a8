/**
 * The building blocks of the schema: maps with fixed keys, and the kinds of value that stand in them.
 *
 * Each says in one sentence what is wrong and what to write instead, and has a title by which the JSON Schema and the
 * reference call its kind.
 */

import { z } from "zod";
import {
  type Address,
  parseDialAddress,
  parseListenAddress,
  parseStreamListenAddress,
  type StreamAddress,
} from "../core/address.ts";
import { formatDuration, parseDurationMs } from "../core/duration.ts";
import { InputError } from "../core/errors.ts";
import { parseIPAddress } from "../core/ip_address.ts";
import { nearest } from "../core/nearest.ts";
import { meantBy } from "../core/other_names.ts";
import { type IPRange, parseIPRange } from "../core/ip_range.ts";
import { parseSubnet, type Subnet } from "../core/subnet.ts";
import { hintElsewhere, hintIn, ownKeyFor } from "./foreign_keys.ts";
import {
  DIAL_PATTERN,
  DURATION_PATTERN,
  IP_PATTERN,
  IP_RANGE_PATTERN,
  LISTEN_PATTERN,
  STREAM_LISTEN_PATTERN,
  SUBNET_PATTERN,
} from "./patterns.ts";

/** Names stand in logs and in the paths of the admin API, so they are plain. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.:\/-]{0,127}$/;

/** Whether a text may stand as a name. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** As much of zod's issues as our sentences use. */
interface Issue {
  readonly code?: string | undefined;
  readonly input?: unknown;
}

/** A found value as it is shown in a message. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** `missing; WANTED`, `empty; WANTED` or `VALUE is not THING; WANTED`. */
export function refuse(thing: string, wanted: string): { error: (issue: Issue) => string } {
  return {
    error: ({ code, input }) => {
      if (input === undefined) return `missing; ${wanted}`;
      if (input === null) return `empty; ${wanted}`;
      // Without quotes these would not be text.
      const isQuoted = typeof input === "string" && /^(true|false|-?\d{1,15})$/.test(input);
      if (isQuoted && code !== "invalid_format") {
        return `${shown(input)} is text because of its quotes; ${wanted}`;
      }
      return `${shown(input)} is not ${thing}; ${wanted}`;
    },
  };
}

/** Which maps have a key, as messages call them: filled while the schema is made. */
const OWNERS = new Map<string, readonly string[]>();

function isKnown(key: string): boolean {
  return OWNERS.has(key);
}

/**
 * A map with fixed keys; an unknown one names the nearest that exists.
 *
 * @param example What to write where there is no map, when its keys do not say enough.
 */
export function section<Shape extends z.ZodRawShape>(
  what: string,
  shape: Shape,
  example?: string,
): z.ZodObject<Shape, z.core.$strict> {
  const keys = Object.keys(shape);
  for (const key of keys) OWNERS.set(key, [...new Set([...OWNERS.get(key) ?? [], what])]);
  const form = example ?? `${what} is a map of ${keys.slice(0, 3).join(", ")}${keys.length > 3 ? ", …" : ""}`;
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== "unrecognized_keys") return refuse("a map", form).error(issue);
      return (issue.keys as string[]).map((key) => {
        const written = hintIn(what, key);
        if (written !== undefined) return `unknown key ${shown(key)}; ${written}`;
        const near = ownKeyFor(key, keys) ?? (isKnown(key) ? undefined : nearest(key, keys));
        const hint = near !== undefined
          ? `did you mean ${near}?`
          : hintElsewhere(key, (it) => OWNERS.get(it) ?? []) ?? `use ${keys.join(", ")}`;
        return `unknown key ${shown(key)}; ${hint}`;
      }).join("\n");
    },
  });
}

/** Text that a parser of ours reads; its sentence becomes the message. */
export function parsed<T>(
  parse: (text: string) => T,
  refused: { error: (issue: Issue) => string },
): z.ZodType<T, string> {
  return z.string(refused).transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      context.issues.push({ code: "custom", message: error.message, input: text });
      return z.NEVER;
    }
  });
}

/** Milliseconds, at least as many as are said. */
export function duration(description: string, minMs = 0): z.ZodType<number, string> {
  const parse = (text: string): number => {
    const ms = parseDurationMs(text);
    if (ms >= minMs) return ms;
    throw new InputError(`${shown(text)} is too short; write at least ${formatDuration(minMs)}`);
  };
  return parsed(parse, {
    error: ({ input }) => {
      if (typeof input !== "number") {
        return refuse("a duration", "write it as 250ms, 30s, 1m30s or 2h").error({ input });
      }
      if (input < 0) return `${input} is not a duration; it cannot be negative; write 0s or more`;
      return `${input} is not a duration; add the unit, as ${input}s or ${input}ms`;
    },
  }).meta({ title: "duration", description, pattern: DURATION_PATTERN });
}

/** The system counts these in 15 bits of seconds. */
const MAX_SECONDS_MS = 9 * 3_600_000;

/** Milliseconds of a setting of the system that has whole seconds, of at least as many milliseconds as are said. */
export function wholeSeconds(description: string, minMs: number): z.ZodType<number, string> {
  return duration(description, minMs)
    .refine((ms) => ms % 1_000 === 0, {
      error: ({ input }) =>
        `${formatDuration(Number(input))} is no number of whole seconds; write whole ones, as 30s`,
    })
    .refine((ms) => ms <= MAX_SECONDS_MS, {
      error: ({ input }) => `${formatDuration(Number(input))} is too long; write at most 9h`,
    })
    .meta({ title: "duration", description, pattern: DURATION_PATTERN });
}

/** A whole number within bounds. */
export function count(min: number, max: number, description: string): z.ZodType<number, number> {
  const wanted = `write ${min} to ${max}`;
  return z.int(refuse("a whole number", wanted))
    .min(min, { error: ({ input }) => `${input} is too small; ${wanted}` })
    .max(max, { error: ({ input }) => `${input} is too large; ${wanted}` })
    .meta({ description });
}

/** One of some words. */
export function choice<const Values extends readonly [string, ...string[]]>(
  what: string,
  values: Values,
  description: string,
): z.ZodType<Values[number], Values[number]> {
  return z.enum(values, {
    error: ({ input }) => {
      if (input === undefined || input === null) {
        return `${input === null ? "empty" : "missing"}; use ${values.join(", ")}`;
      }
      const near = typeof input === "string" ? meantBy(input, values) : undefined;
      const hint = near === undefined ? `use ${values.join(", ")}` : `did you mean ${near}?`;
      return `unknown ${what} ${shown(input)}; ${hint}`;
    },
  }).meta({ description });
}

/** What is true or false elsewhere, YAML 1.1 among them. */
const TRUTHS = [
  { means: "true", words: ["yes", "on", "y", "1", "enabled", "enable", "true"] },
  { means: "false", words: ["no", "off", "n", "0", "disabled", "disable", "none", "false"] },
];

/** As {@linkcode refuse}, where a truth value may stand that another program writes in another way. */
export function refuseTruth(thing: string, wanted: string): { error: (issue: Issue) => string } {
  return {
    error: (issue) => {
      const meant = TRUTHS.find(({ words }) => words.includes(String(issue.input).toLowerCase()))?.means;
      return refuse(thing, meant === undefined ? wanted : `write ${meant}`).error(issue);
    },
  };
}

/** True or false. */
export function flag(description: string): z.ZodType<boolean, boolean> {
  return z.boolean(refuseTruth("true or false", "write true or false")).meta({ description });
}

/** A name that stands well in logs and paths. */
export function name(description: string): z.ZodType<string, string> {
  const refused = refuse(
    "a name",
    "use letters, digits and . _ - : / (at most 128, beginning with a letter or digit)",
  );
  return z.string(refused).regex(NAME, refused).meta({ title: "name", description });
}

/** Whom to dial. */
export function dialAddress(description: string): z.ZodType<StreamAddress, string> {
  const parse = (text: string): StreamAddress => {
    if (!text.startsWith("udp:")) return parseDialAddress(text);
    throw new InputError(
      `${
        shown(text)
      }: write it without udp:; backends are dialled over UDP when the listeners of their pool are`,
    );
  };
  return parsed(parse, refuse("an address", "write host:port, [v6]:port or unix:/path"))
    .meta({ title: "address", description, pattern: DIAL_PATTERN });
}

/** Where to listen, for connections or datagrams. */
export function listenAddress(description: string): z.ZodType<Address, string> {
  return parsed(parseListenAddress, refusedListen("host:port, [v6]:port, :port, unix:/path or udp:host:port"))
    .meta({ title: "address", description, pattern: LISTEN_PATTERN });
}

/** Where to listen for connections. */
export function streamListenAddress(description: string): z.ZodType<StreamAddress, string> {
  return parsed(parseStreamListenAddress, refusedListen("host:port, [v6]:port, :port or unix:/path"))
    .meta({ title: "address", description, pattern: STREAM_LISTEN_PATTERN });
}

function refusedListen(forms: string): { error: (issue: Issue) => string } {
  return {
    error: ({ input }) => {
      const isPort = typeof input === "number" && Number.isInteger(input) && input >= 0 && input <= 65_535;
      return refuse("an address", `write ${isPort ? `:${input}, or ` : ""}${forms}`).error({ input });
    },
  };
}

/** An address of this machine. */
export function ipAddress(description: string): z.ZodType<string, string> {
  return parsed(parseIPAddress, refuse("an IP address", "write it as 10.0.0.5 or 2001:db8::5"))
    .meta({ title: "IP address", description, pattern: IP_PATTERN });
}

/** Addresses that are near each other. */
export function subnet(description: string): z.ZodType<Subnet, string> {
  return parsed(parseSubnet, refuse("a subnet", "write it as 10.0.0.0/8:8080"))
    .meta({ title: "subnet", description, pattern: SUBNET_PATTERN });
}

/** Addresses with the same first bits, with no port. */
const ipRange = parsed(
  parseIPRange,
  refuse("a range of IP addresses", "write it as 10.0.0.0/8 or 2001:db8::/32, or one address"),
).meta({
  title: "range of IP addresses",
  description: "A range of IP addresses (CIDR), or one address.",
  pattern: IP_RANGE_PATTERN,
});

/** Ranges of IP addresses. */
export function ipRanges(description: string): z.ZodType<IPRange[], string[]> {
  return z.array(ipRange, refuse("a list", "list ranges of IP addresses, as [10.0.0.0/8]")).meta({
    description,
  });
}

/** The path of a file; a relative one is relative to the configuration. */
export function filePath(description: string): z.ZodType<string, string> {
  const refused = refuse("a path", "write the path of a file");
  return z.string(refused).min(1, refused).refine((path) => !path.includes("\0"), refused)
    .meta({ title: "path", description });
}

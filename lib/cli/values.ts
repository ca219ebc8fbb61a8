/** How the values of flags are read: our own words for our own kinds of value. */

import { message, text } from "@optique/core/message";
import type { ValueParser, ValueParserResult } from "@optique/core/valueparser";
import {
  type Address,
  formatAddress,
  parseConnectAddress,
  parseDialAddress,
  parseListenAddress,
} from "../core/address.ts";
import { formatDuration, parseDurationMs } from "../core/duration.ts";
import { InputError } from "../core/errors.ts";
import {
  type Delay,
  type Flap,
  formatDelay,
  formatFlap,
  parseDelay,
  parseFlap,
  parseRate,
  parseSeed,
  parseShare,
} from "../core/misbehaviour.ts";
import { meantBy } from "../core/other_names.ts";
import { formatSize, parseSizeBytes } from "../core/size.ts";
import { canonicalPattern, whyNoServerNamePattern } from "../core/server_name.ts";

type Value<T> = ValueParser<"sync", T>;

/** Where to listen. */
export function listenAddress(): Value<Address> {
  return fromParser("ADDR", parseListenAddress, formatAddress);
}

/** Whom to talk to, also by datagrams. */
export function connectAddress(): Value<Address> {
  return fromParser("ADDR", parseConnectAddress, formatAddress);
}

/** Whom to dial. */
export function dialAddress(): Value<Address> {
  return fromParser("ADDR", parseDialAddress, formatAddress);
}

/** In milliseconds. */
export function duration(): Value<number> {
  return fromParser("TIME", parseDurationMs, formatDuration);
}

/** A whole number within bounds. */
export function count(min: number, max: number): Value<number> {
  return fromParser("N", (input) => {
    const value = /^\d{1,9}$/.test(input) ? Number(input) : NaN;
    if (value >= min && value <= max) return value;
    throw new InputError(`${JSON.stringify(input)} is not a whole number from ${min} to ${max}`);
  }, String);
}

/** In bytes, within bounds. */
export function size(min: number, max: number): Value<number> {
  return fromParser("SIZE", (input) => {
    const bytes = parseSizeBytes(input);
    if (bytes >= min && bytes <= max) return bytes;
    throw new InputError(
      `${JSON.stringify(input)} is not a size from ${formatSize(min)} to ${formatSize(max)}`,
    );
  }, formatSize);
}

/** How late answers are. */
export function delay(): Value<Delay> {
  return fromParser("DELAY", parseDelay, formatDelay);
}

/** From 0 to 1. */
export function share(): Value<number> {
  return fromParser("SHARE", parseShare, String);
}

/** In bytes a second. */
export function byteRate(): Value<number> {
  return fromParser("SIZE", parseRate, formatSize);
}

/** For how long a server is up, and down. */
export function flap(): Value<Flap> {
  return fromParser("TIMES", parseFlap, formatFlap);
}

/** What chance begins with. */
export function seed(): Value<number> {
  return fromParser("N", parseSeed, String);
}

/** What ends a reply. */
export type ReplyEnd =
  | { readonly kind: "echo" | "eof" | "lines" | "http" }
  | { readonly kind: "bytes"; readonly bytes: number }
  | { readonly kind: "datagrams"; readonly datagrams: number };

/** What ends a reply. */
export function expectation(): Value<ReplyEnd> {
  return fromParser(
    "WHAT",
    (input): ReplyEnd => {
      const kind = (["echo", "eof", "lines", "http"] as const).find((it) => it === input);
      if (kind !== undefined) return { kind };
      const bytes = /^bytes:(\d{1,12})$/.exec(input)?.[1];
      if (bytes !== undefined) return { kind: "bytes", bytes: Number(bytes) };
      const datagrams = /^datagrams:([1-9]\d{0,5})$/.exec(input)?.[1];
      if (datagrams !== undefined) return { kind: "datagrams", datagrams: Number(datagrams) };
      throw new InputError(
        `${
          JSON.stringify(input)
        } is not known; use echo, eof, lines, http, bytes:N, as bytes:512, or datagrams:N`,
      );
    },
    (value) =>
      value.kind === "bytes"
        ? `bytes:${value.bytes}`
        : value.kind === "datagrams"
        ? `datagrams:${value.datagrams}`
        : value.kind,
  );
}

/** One of some words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(
  metavar: string,
  words: Words,
): Value<Words[number]> {
  const value = fromParser(metavar, (input) => {
    const word = words.find((it) => it === input);
    if (word !== undefined) return word;
    const near = meantBy(input, words);
    const hint = near === undefined ? `use ${words.join(", ")}` : `did you mean ${near}?`;
    throw new InputError(`${JSON.stringify(input)} is not known; ${hint}`);
  }, (word) => word);
  // For the completions of shells, which are made of it.
  const suggestions = words.map((text) => ({ kind: "literal", text } as const));
  return { ...value, suggest: () => suggestions };
}

/** A name that stands in answers and logs. */
export function plainName(): Value<string> {
  return fromParser("NAME", (input) => {
    if (input.length >= 1 && input.length <= 128 && !/\p{Cc}/u.test(input)) return input;
    throw new InputError("a name has 1 to 128 characters, none of them a control character");
  }, (value) => value);
}

/** A file, which is not opened yet. */
export function filePath(metavar = "FILE"): Value<string> {
  return fromParser(metavar, (input) => {
    if (input !== "") return input;
    throw new InputError("the name of the file is empty");
  }, (value) => value);
}

/** The name of a server, as TLS asks for it. */
export function serverName(): Value<string> {
  return fromParser("NAME", (input) => {
    const why = input.startsWith("*")
      ? `${JSON.stringify(input)} is not one server name; write www${input.slice(1)}`
      : whyNoServerNamePattern(input);
    if (why !== undefined) throw new InputError(why);
    return canonicalPattern(input);
  }, (value) => value);
}

/** A name of ALPN (RFC 7301, 3.1), as far as it is printable and can stand in a list. */
const PROTOCOL = /^[\x21-\x2b\x2d-\x7e]{1,255}$/;

/** Protocols above TLS between commas. */
export function protocols(): Value<readonly string[]> {
  return fromParser("LIST", (input) => {
    const list = input.split(",");
    const wrong = list.find((it) => !PROTOCOL.test(it));
    if (wrong !== undefined) {
      throw new InputError(
        `${
          JSON.stringify(input)
        } is not a list of protocols; write their names between commas, as h2,http/1.1`,
      );
    }
    const again = list.find((it, i) => list.indexOf(it) !== i);
    if (again === undefined) return list;
    throw new InputError(`${JSON.stringify(input)} has ${again} a second time`);
  }, (value) => value.join(","));
}

function fromParser<T>(metavar: string, parse: (input: string) => T, format: (value: T) => string): Value<T> {
  return {
    mode: "sync",
    metavar: metavar as "VALUE",
    // Stands in where a parser is only asked for its form; never seen by a role.
    placeholder: undefined as T,
    parse(input): ValueParserResult<T> {
      try {
        return { success: true, value: parse(input) };
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        return { success: false, error: message`${text(error.message)}` };
      }
    },
    format,
  };
}

/** How the values of flags are read: our own words for our own kinds of value. */

import { message, text } from "@optique/core/message";
import type { ValueParser, ValueParserResult } from "@optique/core/valueparser";
import { type Address, formatAddress, parseDialAddress, parseListenAddress } from "../core/address.ts";
import { formatDuration, parseDurationMs } from "../core/duration.ts";
import { InputError } from "../core/errors.ts";
import { meantBy } from "../core/other_names.ts";

type Value<T> = ValueParser<"sync", T>;

/** Where to listen. */
export function listenAddress(): Value<Address> {
  return fromParser("ADDR", parseListenAddress, formatAddress);
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

/** One of some words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(
  metavar: string,
  words: Words,
): Value<Words[number]> {
  return fromParser(metavar, (input) => {
    const word = words.find((it) => it === input);
    if (word !== undefined) return word;
    const near = meantBy(input, words);
    const hint = near === undefined ? `use ${words.join(", ")}` : `did you mean ${near}?`;
    throw new InputError(`${JSON.stringify(input)} is not known; ${hint}`);
  }, (value) => value);
}

/** A name that stands in answers and logs. */
export function plainName(): Value<string> {
  return fromParser("NAME", (input) => {
    if (input.length >= 1 && input.length <= 128 && !/\p{Cc}/u.test(input)) return input;
    throw new InputError("a name has 1 to 128 characters, none of them a control character");
  }, (value) => value);
}

/** A file, which is not opened yet. */
export function filePath(): Value<string> {
  return fromParser("FILE", (input) => {
    if (input !== "") return input;
    throw new InputError("the name of the file is empty");
  }, (value) => value);
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

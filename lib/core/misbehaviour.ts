/** What a server can do wrong on purpose, as people write it: with flags, and while it runs by a line on stdin. Pure. */

import { formatDuration, parseDurationMs } from "./duration.ts";
import { InputError } from "./errors.ts";
import { meantBy } from "./other_names.ts";
import { formatSize, parseSizeBytes } from "./size.ts";

/** How a connection that is to fail does so. */
export const FAIL_WAYS = [
  "refuse",
  "reset",
  "close-early",
  "hang",
  "garbage",
  "slow-read",
  "slow-write",
] as const;
export type FailWay = typeof FAIL_WAYS[number];

/** How late answers are: within bounds, evenly, or so that 99 of 100 are no later. In ms. */
export type Delay =
  | { readonly kind: "range"; readonly fromMs: number; readonly toMs: number }
  | { readonly kind: "p99"; readonly p99Ms: number };

/** For how long a server can be reached, and then cannot, over and over; in ms. */
export interface Flap {
  readonly upMs: number;
  readonly downMs: number;
}

export interface Misbehaviour {
  readonly delay: Delay | undefined;
  /** From 0 to 1. */
  readonly failRate: number;
  readonly failHow: FailWay;
  /** What each connection is sent at most; 0 is no limit. */
  readonly bytesPerSecond: number;
  /** Answers after which a connection is closed; 0 is never. */
  readonly closeAfter: number;
  readonly flap: Flap | undefined;
  /** What chance begins with: with the same one the same connections fail. */
  readonly seed: number;
}

/** Nothing is wrong. */
export const GOOD: Misbehaviour = {
  delay: undefined,
  failRate: 0,
  failHow: "reset",
  bytesPerSecond: 0,
  closeAfter: 0,
  flap: undefined,
  seed: 1,
};

/** The largest seed: a word of 32 bits. */
export const MAX_SEED = 2 ** 32 - 1;

export const MAX_CLOSE_AFTER = 999_999_999;

/** @throws {InputError} that says what to write. */
export function parseDelay(text: string): Delay {
  const p99 = /^p99=(.*)$/s.exec(text)?.[1];
  if (p99 !== undefined) return { kind: "p99", p99Ms: parseDurationMs(p99) };
  const [from = "", to = from, ...more] = text.split("..");
  if (more.length > 0) {
    throw new InputError(`${JSON.stringify(text)} is not a delay; write 10ms, 10ms..50ms or p99=200ms`);
  }
  const [fromMs, toMs] = [parseDurationMs(from), parseDurationMs(to)];
  if (fromMs <= toMs) return { kind: "range", fromMs, toMs };
  throw new InputError(`${JSON.stringify(text)} ends before it begins; write ${to}..${from}`);
}

export function formatDelay(delay: Delay): string {
  if (delay.kind === "p99") return `p99=${formatDuration(delay.p99Ms)}`;
  const from = formatDuration(delay.fromMs);
  return delay.fromMs === delay.toMs ? from : `${from}..${formatDuration(delay.toMs)}`;
}

/** @throws {InputError} that says what to write. */
export function parseShare(text: string): number {
  const value = /^\d(\.\d{1,9})?$/.test(text) ? Number(text) : NaN;
  if (value <= 1) return value;
  const percent = /^(\d{1,2}|100)%$/.exec(text)?.[1];
  const hint = percent === undefined ? "write 0.1 for one in ten" : `write ${Number(percent) / 100}`;
  throw new InputError(`${JSON.stringify(text)} is not a number from 0 to 1; ${hint}`);
}

/** @throws {InputError} that says what to write. */
export function parseFlap(text: string): Flap {
  const [, up, down] = /^up=([^,]*),down=([^,]*)$/.exec(text) ?? [];
  if (up === undefined || down === undefined) {
    const [, one] = /^(up|down)=[^,=]+$/.exec(text) ?? [];
    const why = one === undefined ? "is not known" : `has no ${one === "up" ? "down" : "up"}`;
    throw new InputError(`${JSON.stringify(text)} ${why}; write up=10s,down=5s`);
  }
  const [upMs, downMs] = [parseDurationMs(up), parseDurationMs(down)];
  if (upMs > 0 && downMs > 0) return { upMs, downMs };
  throw new InputError(`${JSON.stringify(text)} has a time of 0s; write up=10s,down=5s`);
}

export function formatFlap({ upMs, downMs }: Flap): string {
  return `up=${formatDuration(upMs)},down=${formatDuration(downMs)}`;
}

/** @throws {InputError} that says what to write. */
export function parseSeed(text: string): number {
  return wholeNumber(text, 0, MAX_SEED);
}

/** Bytes a second. @throws {InputError} that says what to write. */
export function parseRate(text: string): number {
  const bytes = parseSizeBytes(text);
  if (bytes > 0) return bytes;
  throw new InputError(`${JSON.stringify(text)} lets nothing through; write ${formatSize(1024)} or more`);
}

/** Of the ways to fail, those that a datagram has. */
const UDP_WAYS: readonly FailWay[] = ["hang", "garbage"];

/** @throws {InputError} when something is for connections alone. */
export function checkForUdp(wanted: Partial<Misbehaviour>): void {
  const { failHow, bytesPerSecond = 0, closeAfter = 0, flap } = wanted;
  if (failHow !== undefined && !UDP_WAYS.includes(failHow)) {
    throw new InputError(
      `fail-how ${failHow} is for connections, and UDP has none; use ${UDP_WAYS.join(" or ")}`,
    );
  }
  const given = bytesPerSecond > 0 ? "limit-rate" : closeAfter > 0 ? "close-after" : flap && "flap";
  if (given !== undefined) {
    throw new InputError(`${given} is for connections, and UDP has none; leave it out`);
  }
}

/** What is wrong, as fields of the log; what is not wrong is left out. */
export function misbehaviourFields(wrong: Misbehaviour): Record<string, string | number> {
  return {
    ...(wrong.delay === undefined ? {} : { delay: formatDelay(wrong.delay) }),
    ...(wrong.failRate === 0 ? {} : { fail_rate: wrong.failRate, fail_how: wrong.failHow }),
    ...(wrong.bytesPerSecond === 0 ? {} : { limit_rate: formatSize(wrong.bytesPerSecond) }),
    ...(wrong.closeAfter === 0 ? {} : { close_after: wrong.closeAfter }),
    ...(wrong.flap === undefined ? {} : { flap: formatFlap(wrong.flap) }),
    seed: wrong.seed,
  };
}

/** What a line on stdin asks for. */
export type Order = "up" | "down" | Partial<Misbehaviour>;

/** What can be changed. Values are those of the flags; `off` undoes what has no other word for it. */
const CHANGES: Readonly<Record<string, (value: string) => Partial<Misbehaviour>>> = {
  "delay": (value) => ({ delay: value === "off" ? undefined : parseDelay(value) }),
  "fail-rate": (value) => ({ failRate: parseShare(value) }),
  "fail-how": (value) => ({ failHow: parseFailWay(value) }),
  "limit-rate": (value) => ({ bytesPerSecond: value === "off" ? 0 : parseRate(value) }),
  "close-after": (value) => ({ closeAfter: value === "off" ? 0 : wholeNumber(value, 1, MAX_CLOSE_AFTER) }),
  "flap": (value) => ({ flap: value === "off" ? undefined : parseFlap(value) }),
};

/** What a line can begin with. */
export const ORDERS: readonly string[] = ["up", "down", ...Object.keys(CHANGES)];

/**
 * Reads a line of stdin.
 *
 * @return Undefined for an empty line.
 * @throws {InputError} that says what to write.
 */
export function parseOrder(line: string): Order | undefined {
  const [word = "", ...values] = line.trim().split(/\s+/);
  if (word === "") return undefined;
  const change = Object.hasOwn(CHANGES, word) ? CHANGES[word] : undefined;
  if (change === undefined && word !== "up" && word !== "down") {
    const near = meantBy(word, ORDERS);
    const hint = near === undefined ? `write ${ORDERS.join(", ")}` : `did you mean ${near}?`;
    throw new InputError(`${JSON.stringify(word)} is not known; ${hint}`);
  }
  if (change === undefined) {
    if (values.length === 0) return word as "up" | "down";
    throw new InputError(`${word} takes no value; write ${word} alone`);
  }
  const [value, ...more] = values;
  if (value === undefined || more.length > 0) {
    throw new InputError(`${word} takes one value, as the flag --${word} does`);
  }
  try {
    return change(value);
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${word}: ${error.message}`) : error;
  }
}

function parseFailWay(text: string): FailWay {
  const way = FAIL_WAYS.find((it) => it === text);
  if (way !== undefined) return way;
  const near = meantBy(text, FAIL_WAYS);
  const hint = near === undefined ? `use ${FAIL_WAYS.join(", ")}` : `did you mean ${near}?`;
  throw new InputError(`${JSON.stringify(text)} is not known; ${hint}`);
}

function wholeNumber(text: string, min: number, max: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new InputError(`${JSON.stringify(text)} is not a whole number from ${min} to ${max}`);
}

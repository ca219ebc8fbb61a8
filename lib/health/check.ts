/** How a backend is checked, and what one check has found. */

import type { Address } from "../core/address.ts";
import { formatDuration } from "../core/duration.ts";

/** When checks run, and how many of them decide. */
export interface CheckTiming {
  /** From the start of one check to the start of the next; at least 1. */
  readonly intervalMs: number;
  /** For a whole check, from the dial on; at least 1. */
  readonly timeoutMs: number;
  /** So many successes in a row bring a backend up; at least 1. */
  readonly rise: number;
  /** So many failures in a row take it down; at least 1. */
  readonly fall: number;
  /** Undefined: the port that sessions go to. A Unix socket has none, and is checked where it is. */
  readonly port: number | undefined;
}

/** From one status to another, both included. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

/** A connection is enough. */
export interface TcpCheck {
  readonly type: "tcp";
}

/** An answer to GET is needed, with a status that is in one of the ranges. */
export interface HttpCheck {
  readonly type: "http";
  /** As it stands in the request. */
  readonly path: string;
  /** The Host field; undefined: the address that is checked. */
  readonly host: string | undefined;
  readonly expectStatus: readonly StatusRange[];
}

/** A certain answer is needed. */
export interface ExpectCheck {
  readonly type: "expect";
  /** What is sent first; empty when it is the server who speaks first. */
  readonly send: string;
  /** A text, or a regular expression as `/regex/`. */
  readonly expect: string;
  /** What is sent before the connection is closed; may be empty. */
  readonly quit: string;
}

/** An answer to a datagram is needed. Each character of the texts is a byte. */
export interface UdpCheck {
  readonly type: "udp";
  readonly send: string;
  /** A text, or a regular expression as `/regex/`; undefined: any answer will do. */
  readonly expect: string | undefined;
}

/** Over a connection, whatever the backend is dialled by. */
export type StreamCheck = CheckTiming & (TcpCheck | HttpCheck | ExpectCheck);

export type HealthCheck = StreamCheck | CheckTiming & UdpCheck;

/** The address of a check, for a backend by the address that sessions go to. A Unix socket is checked where it is. */
export function whereChecked(backend: Address, { type, port }: HealthCheck): Address {
  if (backend.transport === "unix") return backend;
  return { transport: type === "udp" ? "udp" : "tcp", host: backend.host, port: port ?? backend.port };
}

/** What one check has found. */
export interface CheckResult {
  readonly ok: boolean;
  /** A few plain words, as `connected` or `HTTP 503`; of bounded length and safe to log, whatever was answered. */
  readonly saw: string;
}

/**
 * Checks a backend, by IP address or path of its socket.
 *
 * Reports as soon as the result is known, and resolves when the connection is closed, no later than at the timeout of the check
 * and as soon as `stop` is aborted. Never rejects.
 *
 * Reports nothing when nothing was found out about the backend: checking was stopped, this process stood still meanwhile, or this
 * machine had nothing left to ask with, such as a descriptor or a local port.
 */
export type Probe = (
  backend: Address,
  stop: AbortSignal,
  report: (result: CheckResult) => void,
  /** Where else sessions dial it when that fails. */
  others?: readonly Address[],
) => Promise<void>;

/** More of an answer would not fit a line of the log. */
const EXCERPT_CHARS = 40;

/** The beginning of an answer in quotes, with everything escaped that is not plain ASCII. */
export function excerpt(answer: string): string {
  const shown = answer.length > EXCERPT_CHARS ? `${answer.slice(0, EXCERPT_CHARS)}…` : answer;
  return JSON.stringify(shown).replace(/[^\x20-\x7e\u2026]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** `within 1s`. */
export function within(timeoutMs: number): string {
  return `within ${formatDuration(timeoutMs)}`;
}

/** How replies are read. Pure: bytes in, numbers out. */

import { HttpReplies } from "./http_replies.ts";
import { NameReader } from "./name_reader.ts";
import type { LoadPlan } from "./plan.ts";
import { CORRUPT, type Replies } from "./replies.ts";
import { NEWLINE, type Requests } from "./request.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What all connections of a thread read replies by. */
export interface ReplyContext {
  readonly plan: Pick<LoadPlan, "expect" | "verify">;
  readonly requests: Requests;
  /** Told whose replies these were, where they say so. */
  readonly onName: (name: string) => void;
}

export function repliesOf(context: ReplyContext, connection: number): Replies {
  const { plan: { expect, verify }, requests, onName } = context;
  const check = verify ? new Comparison(requests, connection) : undefined;
  switch (expect.kind) {
    case "echo":
      return new SizedReplies(requests.bytes, check);
    case "bytes":
      return new SizedReplies(expect.bytes, check);
    case "datagrams":
      return new DatagramReplies(expect.datagrams, check, new NameReader(onName));
    case "lines":
      return new LineReplies(requests.lines, check);
    case "eof":
      return new ReplyToEnd(check, new NameReader(onName));
    case "http":
      return new HttpReplies(onName, requests.isHead);
  }
}

/** Holds what comes against what was sent, byte by byte. */
class Comparison {
  readonly #requests: Requests;
  readonly #connection: number;
  #n = 0;
  #at = 0;

  constructor(requests: Requests, connection: number) {
    this.#requests = requests;
    this.#connection = connection;
  }

  /** @param sent Requests so far: what comes beyond them agrees with nothing. */
  agrees(bytes: Bytes, length: number, sent: number): boolean {
    for (let from = 0; from < length;) {
      if (this.#n >= sent) return false;
      const expected = this.#requests.of(this.#connection, this.#n);
      const end = Math.min(length, from + expected.length - this.#at);
      for (let i = from, at = this.#at; i < end; i++, at++) if (bytes[i] !== expected[at]) return false;
      this.#at += end - from;
      from = end;
      if (this.#at === expected.length) {
        this.#at = 0;
        this.#n++;
      }
    }
    return true;
  }

  /** Whether these are the next request, no more and no less. */
  isNext(bytes: Bytes, length: number, sent: number): boolean {
    return length === this.#requests.bytes && this.agrees(bytes, length, sent);
  }

  /** Whether what came so far is whole replies. */
  get isWhole(): boolean {
    return this.#at === 0 && this.#n > 0;
  }
}

class SizedReplies implements Replies {
  readonly isLast = false;
  readonly #bytes: number;
  readonly #check: Comparison | undefined;
  #got = 0;
  #whole = 0;

  constructor(bytes: number, check: Comparison | undefined) {
    this.#bytes = bytes;
    this.#check = check;
  }

  read(bytes: Bytes, length: number, sent: number): number {
    if (this.#check?.agrees(bytes, length, sent) === false) return CORRUPT;
    this.#got += length;
    let ended = 0;
    for (; this.#got >= this.#bytes && this.#bytes > 0; this.#got -= this.#bytes) ended++;
    this.#whole += ended;
    const isTooMuch = this.#whole > sent || (this.#whole === sent && this.#got > 0);
    return isTooMuch ? CORRUPT : ended;
  }

  end(): boolean {
    return false;
  }
}

class LineReplies implements Replies {
  readonly isLast = false;
  readonly #lines: number;
  readonly #check: Comparison | undefined;
  #got = 0;
  #whole = 0;

  constructor(lines: number, check: Comparison | undefined) {
    this.#lines = lines;
    this.#check = check;
  }

  read(bytes: Bytes, length: number, sent: number): number {
    if (this.#check?.agrees(bytes, length, sent) === false) return CORRUPT;
    for (let i = 0; i < length; i++) if (bytes[i] === NEWLINE) this.#got++;
    const ended = Math.floor(this.#got / this.#lines);
    this.#got -= ended * this.#lines;
    this.#whole += ended;
    const hasMore = this.#got > 0 || bytes[length - 1] !== NEWLINE;
    return this.#whole > sent || (this.#whole === sent && hasMore) ? CORRUPT : ended;
  }

  end(): boolean {
    return false;
  }
}

class ReplyToEnd implements Replies {
  readonly isLast = true;
  readonly #check: Comparison | undefined;
  readonly #name: NameReader;
  #isEmpty = true;

  constructor(check: Comparison | undefined, name: NameReader) {
    this.#check = check;
    this.#name = name;
  }

  read(bytes: Bytes, length: number, sent: number): number {
    this.#isEmpty = false;
    this.#name.add(bytes, 0, length);
    return this.#check?.agrees(bytes, length, sent) === false ? CORRUPT : 0;
  }

  end(): boolean {
    this.#name.end();
    // A balancer without a backend ends connections as well; nothing is no answer.
    return this.#check?.isWhole ?? !this.#isEmpty;
  }
}

/** Each part that is read is one datagram. */
class DatagramReplies implements Replies {
  readonly isLast = false;
  readonly #datagrams: number;
  readonly #check: Comparison | undefined;
  readonly #name: NameReader;
  #got = 0;
  #whole = 0;

  constructor(datagrams: number, check: Comparison | undefined, name: NameReader) {
    this.#datagrams = datagrams;
    this.#check = check;
    this.#name = name;
  }

  read(bytes: Bytes, length: number, sent: number): number {
    if (this.#whole === sent) return CORRUPT;
    if (this.#check?.isNext(bytes, length, sent) === false) return CORRUPT;
    this.#name.add(bytes, 0, length);
    if (++this.#got < this.#datagrams) return 0;
    this.#got = 0;
    this.#whole++;
    this.#name.end();
    return 1;
  }

  end(): boolean {
    return false;
  }
}

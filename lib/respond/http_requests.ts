/**
 * HTTP/1.1 requests out of a stream of bytes, as far as a server needs them that gives every request the same answer:
 * where each request ends (RFC 9112, 6), and what its answer has to look like. Pure: bytes in, facts out.
 */

import { joined } from "../core/joined.ts";

/** A request that has come in whole, with its body. */
export interface HttpRequest {
  readonly isHead: boolean;
  /** Whether another request may follow on the connection. */
  readonly keepAlive: boolean;
  /** A client of HTTP/1.0 has to be told that the connection is kept (RFC 9112, C.2.2). */
  readonly isHttp10: boolean;
}

/** The request cannot be read; answer 400 and close. */
export class HttpSyntaxError extends Error {
  override readonly name = "HttpSyntaxError";
}

/** Larger heads are refused, as other servers do by default. */
const MAX_HEAD_BYTES = 16 * 1024;
const MAX_CHUNK_LINE_BYTES = 1024;

/** A field name is followed by its colon at once, and begins its line (RFC 9112, 5.1 and 5.2). */
const FIELD_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/s;

const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP\/1\.([01])$/;

/** What stands in the stream next. */
type Expecting = "head" | "body" | "chunk_size" | "chunk" | "chunk_end" | "trailer";

export class HttpRequestReader {
  #pending: Uint8Array = new Uint8Array();
  #expecting: Expecting = "head";
  #bodyLeft = 0;
  #request: HttpRequest | undefined;
  #wantsContinue = false;

  /**
   * Takes the next bytes and gives the requests that are whole with them, one by one.
   *
   * @throws {HttpSyntaxError} after the good requests; then the reader is of no more use.
   */
  *read(bytes: Uint8Array): Generator<HttpRequest, void> {
    this.#pending = this.#pending.length === 0 ? bytes : joined(this.#pending, bytes);
    const complete: HttpRequest[] = [];
    while (this.#step(complete)) {
      for (const request of complete.splice(0)) yield request;
    }
    // The caller's buffer is used again; what is left must be our own.
    this.#pending = this.#pending.slice();
  }

  /** Whether nothing of a request has come that is not whole. */
  get isBetween(): boolean {
    return this.#expecting === "head" && this.#pending.length === 0;
  }

  /** Whether a client waits for "100 Continue" before it sends its body; true only once for each request. */
  takeWantsContinue(): boolean {
    const wants = this.#wantsContinue;
    this.#wantsContinue = false;
    return wants;
  }

  /** Moves on by one part of a request; false when more bytes are needed. */
  #step(complete: HttpRequest[]): boolean {
    switch (this.#expecting) {
      case "head": {
        const head = this.#takeUntil("\r\n\r\n", MAX_HEAD_BYTES);
        if (head === undefined) return false;
        this.#beginBody(head, complete);
        return true;
      }
      case "body":
      case "chunk":
        // The body is on its way: the client waits no more.
        if (this.#pending.length > 0) this.#wantsContinue = false;
        return this.#skipBody(complete);
      case "chunk_size": {
        const line = this.#takeUntil("\r\n", MAX_CHUNK_LINE_BYTES);
        if (line === undefined) return false;
        const size = /^([0-9A-Fa-f]{1,13})[ \t]*(?:;|$)/.exec(line)?.[1];
        if (size === undefined) throw new HttpSyntaxError("Cannot read the size of a chunk");
        this.#bodyLeft = parseInt(size, 16);
        this.#expecting = this.#bodyLeft === 0 ? "trailer" : "chunk";
        return true;
      }
      case "chunk_end": {
        const line = this.#takeUntil("\r\n", 0);
        if (line === undefined) return false;
        this.#expecting = "chunk_size";
        return true;
      }
      case "trailer": {
        const line = this.#takeUntil("\r\n", MAX_HEAD_BYTES);
        if (line === undefined) return false;
        if (line === "") this.#finish(complete);
        return true;
      }
    }
  }

  #beginBody(head: string, complete: HttpRequest[]): void {
    // An empty line before a request is to be ignored (RFC 9112, 2.2).
    const [requestLine = "", ...fieldLines] = head.replace(/^(\r\n)+/, "").split("\r\n");
    const minor = REQUEST_LINE.exec(requestLine)?.[1];
    if (minor === undefined) throw new HttpSyntaxError("Cannot read the request line");
    const fields = readFields(fieldLines);
    const connection = (fields.get("connection") ?? "").toLowerCase().split(/[ \t]*,[ \t]*/);
    this.#request = {
      isHead: requestLine.startsWith("HEAD "),
      isHttp10: minor === "0",
      keepAlive: minor === "1" ? !connection.includes("close") : connection.includes("keep-alive"),
    };
    const coding = fields.get("transfer-encoding");
    const length = fields.get("content-length") ?? "0";
    if (coding !== undefined && coding.toLowerCase() !== "chunked") {
      throw new HttpSyntaxError("Cannot read a body with this Transfer-Encoding");
    }
    if (!/^\d{1,15}$/.test(length)) throw new HttpSyntaxError("Cannot read the Content-Length");
    this.#bodyLeft = Number(length);
    this.#expecting = coding === undefined ? "body" : "chunk_size";
    const hasBody = coding !== undefined || this.#bodyLeft > 0;
    this.#wantsContinue = hasBody && minor === "1" &&
      (fields.get("expect") ?? "").toLowerCase() === "100-continue";
    if (!hasBody) this.#finish(complete);
  }

  #skipBody(complete: HttpRequest[]): boolean {
    const skipped = Math.min(this.#bodyLeft, this.#pending.length);
    this.#pending = this.#pending.subarray(skipped);
    this.#bodyLeft -= skipped;
    if (this.#bodyLeft > 0) return false;
    if (this.#expecting === "chunk") this.#expecting = "chunk_end";
    else this.#finish(complete);
    return true;
  }

  #finish(complete: HttpRequest[]): void {
    if (this.#request !== undefined) complete.push(this.#request);
    this.#expecting = "head";
    this.#wantsContinue = false;
  }

  /** Takes text up to a mark, and the mark; undefined when it has not come yet. */
  #takeUntil(mark: string, maxBytes: number): string | undefined {
    const end = indexOf(this.#pending, mark);
    // Without a mark yet, it can begin in the last bytes at the earliest.
    const earliestEnd = end === -1 ? this.#pending.length - mark.length + 1 : end;
    if (earliestEnd > maxBytes) {
      throw new HttpSyntaxError(`Cannot find the end of a part within ${maxBytes} bytes`);
    }
    if (end === -1) return undefined;
    const text = String.fromCharCode(...this.#pending.subarray(0, end));
    this.#pending = this.#pending.subarray(end + mark.length);
    return text;
  }
}

function readFields(lines: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const [, name, value = ""] = FIELD_LINE.exec(line) ?? [];
    if (name === undefined) throw new HttpSyntaxError("Cannot read a header field");
    const key = name.toLowerCase();
    const earlier = fields.get(key);
    // Fields of one name are one list (RFC 9110, 5.3); two lengths or codings become one that is refused.
    fields.set(key, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  return fields;
}

function indexOf(bytes: Uint8Array, mark: string): number {
  const first = mark.charCodeAt(0);
  for (let i = bytes.indexOf(first); i !== -1; i = bytes.indexOf(first, i + 1)) {
    let j = 1;
    while (j < mark.length && bytes[i + j] === mark.charCodeAt(j)) j++;
    if (j === mark.length) return i;
  }
  return -1;
}

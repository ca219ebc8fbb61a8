import { chunks, type Connection, writeAll } from "../core/connection.ts";
import type { Exchange } from "./exchange.ts";
import type { HandlerContext } from "./handler.ts";
import { type HttpRequest, HttpRequestReader, HttpSyntaxError } from "./http_requests.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const BAD_REQUEST = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

/** Requests that came in one piece are recognized up to this length. */
const MAX_SAME_BYTES = 1024;

/** Answers every HTTP/1.1 request with the name of the server; keeps connections alive, takes pipelined requests. */
export async function http(connection: Connection, { name }: HandlerContext): Promise<void> {
  const exchange = new HttpExchange(name);
  for await (const chunk of chunks(connection)) {
    const answers = exchange.received(chunk, chunk.length);
    if (answers !== undefined) await writeAll(connection, answers);
    if (exchange.isOver) return;
  }
}

/** The same as an exchange. */
export class HttpExchange implements Exchange {
  isOver = false;
  readonly #reader = new HttpRequestReader();
  readonly #body: string;
  /** What came last, where it was whole requests, and the answers to it: what comes next is mostly the same. */
  #same: Uint8Array | undefined;
  #sameAnswers: Bytes | undefined;

  constructor(name: string) {
    this.#body = `${name}\n`;
  }

  received(bytes: Uint8Array, length: number): Bytes | undefined {
    const wasBetween = this.#reader.isBetween;
    if (wasBetween && isSame(bytes, length, this.#same)) return this.#sameAnswers;
    const { answers, isLast } = answer(this.#reader, bytes.subarray(0, length), this.#body);
    this.isOver = isLast;
    if (answers === "") return undefined;
    const encoded = new TextEncoder().encode(answers);
    if (wasBetween && this.#reader.isBetween && !isLast && length <= MAX_SAME_BYTES) {
      this.#same = bytes.slice(0, length);
      this.#sameAnswers = encoded;
    }
    return encoded;
  }
}

function isSame(bytes: Uint8Array, length: number, other: Uint8Array | undefined): boolean {
  if (other?.length !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[i] !== other[i]) return false;
  return true;
}

/** What to send back for the next bytes of a connection, and whether the conversation is over then. */
function answer(
  reader: HttpRequestReader,
  chunk: Uint8Array,
  body: string,
): { answers: string; isLast: boolean } {
  let answers = "";
  try {
    for (const request of reader.read(chunk)) {
      answers += response(request, body);
      if (!request.keepAlive) return { answers, isLast: true };
    }
  } catch (error) {
    if (!(error instanceof HttpSyntaxError)) throw error;
    return { answers: answers + BAD_REQUEST, isLast: true };
  }
  if (reader.takeWantsContinue()) answers += CONTINUE;
  return { answers, isLast: false };
}

function response({ isHead, keepAlive, isHttp10 }: HttpRequest, body: string): string {
  const connection = !keepAlive ? "Connection: close\r\n" : isHttp10 ? "Connection: keep-alive\r\n" : "";
  const length = new TextEncoder().encode(body).length;
  return `HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${length}\r\n` +
    `${connection}\r\n${isHead ? "" : body}`;
}

import { chunks, type Connection, writeAll } from "../core/connection.ts";
import type { HandlerContext } from "./handler.ts";
import { type HttpRequest, HttpRequestReader, HttpSyntaxError } from "./http_requests.ts";

const BAD_REQUEST = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

/** Answers every HTTP/1.1 request with the name of the server; keeps connections alive, takes pipelined requests. */
export async function http(connection: Connection, { name }: HandlerContext): Promise<void> {
  const reader = new HttpRequestReader();
  const encoder = new TextEncoder();
  for await (const chunk of chunks(connection)) {
    const { answers, isLast } = answer(reader, chunk, `${name}\n`);
    if (answers !== "") await writeAll(connection, encoder.encode(answers));
    if (isLast) return;
  }
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

/** One request and its response, between the streams of Node's HTTP server and the Request and Response of the routes. */

import type { IncomingMessage, ServerResponse } from "node:http";

/** Answers a request; `completed` settles when the response has been sent, or cannot be any more. Must not reject. */
export type Answer = (request: Request, completed: Promise<void>) => Promise<Response>;

/** Lets `answer` serve one exchange. Never rejects: when the client leaves, there is no one to answer. */
export async function exchange(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  answer: Answer,
): Promise<void> {
  const completed = new Promise<void>((resolve) => outgoing.once("close", resolve));
  // A response that the client no longer takes breaks with an error, which `close` follows.
  outgoing.on("error", () => {});
  try {
    const response = await answer(requestOf(incoming), completed);
    if (outgoing.destroyed) await response.body?.cancel();
    else await send(response, incoming.method, outgoing);
  } catch {
    outgoing.destroy();
  }
}

/**
 * The request as the routes read it: method, URL, headers, body.
 *
 * It is not made by `new Request`, which refuses some methods and rewrites the target: `..` in a path whose names are ours
 * would be resolved.
 */
function requestOf(incoming: IncomingMessage): Request {
  const { method = "GET", url = "/", rawHeaders } = incoming;
  const headers = new Headers();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    headers.append(rawHeaders[i] ?? "", rawHeaders[i + 1] ?? "");
  }
  const isAbsolute = /^[a-z][a-z0-9+.-]*:\/\//i.test(url);
  const target = isAbsolute
    ? url
    : `http://${headers.get("host") ?? "localhost"}${url.startsWith("/") ? "" : "/"}${url}`;
  // Left open when it is given up: the answer that says why goes out on the same connection.
  const body = incoming.iterator({ destroyOnReturn: false });
  const request: Pick<Request, "method" | "url" | "headers"> & { readonly body: AsyncIterable<Uint8Array> } =
    {
      method,
      url: target,
      headers,
      body,
    };
  return request as unknown as Request;
}

/** Streams of events as they come; everything else is short, and goes out with its length. */
async function send(response: Response, method: string | undefined, outgoing: ServerResponse): Promise<void> {
  for (const [name, value] of response.headers) outgoing.setHeader(name, linesOf(name, value));
  outgoing.statusCode = response.status;
  if (response.headers.get("content-type") === "text/event-stream" && method !== "HEAD") {
    return await sendStream(response.body ?? new ReadableStream(), outgoing);
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes.length > 0 || method !== "HEAD") outgoing.setHeader("content-length", bytes.length);
  outgoing.end(method === "HEAD" ? undefined : bytes);
}

/** Headers joins challenges with a comma; some browsers look at the first of a line only. */
function linesOf(name: string, value: string): string | string[] {
  return name === "www-authenticate" ? value.split(/, (?=[A-Z][a-z]+ realm=)/) : value;
}

async function sendStream(body: ReadableStream<Uint8Array>, outgoing: ServerResponse): Promise<void> {
  outgoing.flushHeaders();
  const reader = body.getReader();
  outgoing.once("close", () => void reader.cancel().catch(() => {}));
  for (;;) {
    // deno-lint-ignore no-await-in-loop -- a stream is sent in order
    const { done, value } = await reader.read();
    if (done) break;
    // deno-lint-ignore no-await-in-loop -- back-pressure: the next chunk waits until this one has been taken
    if (!outgoing.write(value)) await writable(outgoing);
  }
  outgoing.end();
}

/** Resolves when more may be written, or nothing can be any more. */
function writable(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (outgoing.destroyed) return resolve();
    const go = (): void => {
      outgoing.off("drain", go);
      outgoing.off("close", go);
      resolve();
    };
    outgoing.once("drain", go);
    outgoing.once("close", go);
  });
}

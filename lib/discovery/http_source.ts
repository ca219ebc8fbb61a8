/** A list of members, as JSON, from a server that speaks HTTP. */

import { formatDuration } from "../core/duration.ts";
import { readText, whyNotAsked } from "./http_answer.ts";
import { polling } from "./poll.ts";
import { againAfter, type AskOptions } from "./refresh.ts";
import type { Member, Source } from "./source.ts";

export interface HttpSourceOptions extends AskOptions {
  /** `http:` or `https:`. */
  readonly url: string;
  /** PEM file: whose certificate the server must have; undefined: the public authorities. */
  readonly ca: string | undefined;
  /** Reads the list. Throws an error with one sentence. */
  readonly parse: (list: unknown) => readonly Member[];
}

const TIMEOUT_MS = 10_000;

interface Known {
  readonly etag: string;
  readonly members: readonly Member[];
}

export function httpSource(options: HttpSourceOptions): Source {
  const { url, ca, parse } = options;
  let known: Known | undefined;
  return polling(async (stop) => {
    const caCerts = ca === undefined ? [] : [await readAuthority(ca)];
    using client = Deno.createHttpClient({ caCerts });
    const late = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await ask(url, known, client, AbortSignal.any([stop, late])).catch((error) => {
      const why = late.aborted
        ? `it has not answered within ${formatDuration(TIMEOUT_MS)}`
        : whyNotAsked(error);
      throw new Error(`cannot ask ${url}: ${why}`, { cause: error });
    });
    if (answer !== "same") {
      const members = parse(answer.list);
      known = { etag: answer.etag, members };
    }
    return { members: known?.members ?? [], refused: [], againMs: againAfter(undefined, options) };
  }, options.pause);
}

async function ask(
  url: string,
  known: Known | undefined,
  client: Deno.HttpClient,
  signal: AbortSignal,
): Promise<{ readonly list: unknown; readonly etag: string } | "same"> {
  const headers = new Headers({ accept: "application/json" });
  if (known !== undefined && known.etag !== "") headers.set("if-none-match", known.etag);
  // Another server than the one that was written is not asked.
  const response = await fetch(url, { headers, client, signal, redirect: "manual" });
  if (response.status === 304 && known !== undefined) {
    await response.body?.cancel();
    return "same";
  }
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`it answers with status ${response.status}`);
  }
  const text = await readText(response);
  try {
    return { list: JSON.parse(text), etag: response.headers.get("etag") ?? "" };
  } catch {
    throw new Error("the answer is no JSON");
  }
}

async function readAuthority(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    throw new Error(`${path}: cannot be read`);
  }
}

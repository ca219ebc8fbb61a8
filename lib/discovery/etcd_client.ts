/**
 * A client of etcd, by the JSON gateway of its API v3 (etcd 3.4 and later). What it writes is in etcd_writes.ts.
 *
 * Keys and values are base64, and whole numbers of 64 bits are text, in both directions.
 */

import { formatDuration } from "../core/duration.ts";
import { readText, whyNotAsked } from "./http_answer.ts";
import { lines } from "./json_lines.ts";

export interface EtcdOptions {
  /** As `http://10.0.0.5:2379`; at least one. */
  readonly endpoints: readonly string[];
  readonly user?: string | undefined;
  /** PEM files and the file of the password are read with each connection, so that renewed ones are used. */
  readonly passwordFile?: string | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** How long an answer may take; a test may have less. */
  readonly timeoutMs?: number | undefined;
}

export interface EtcdEntry {
  readonly key: string;
  readonly value: string;
  /** That of its last change. */
  readonly revision: string;
}

/** A key that was put or deleted. */
export interface EtcdEvent {
  readonly key: string;
  /** Undefined: it was deleted. */
  readonly value: string | undefined;
  readonly revision: string;
}

/** Changes in their order. */
export interface EtcdChanges {
  /** None in the first answer, which tells only that the watch is there. */
  readonly events: readonly EtcdEvent[];
  /** That of the whole store, which may be ahead of the events. */
  readonly revision: string;
  readonly clusterId: string;
}

/** The revision from which was to be watched is no longer known there: everything has to be read again. */
export class Compacted extends Error {}

const TIMEOUT_MS = 5_000;

/** What is larger is no list of members. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

export class EtcdClient implements Disposable {
  readonly #endpoint: string;
  readonly #client: Deno.HttpClient;
  readonly #timeoutMs: number;
  #token: string | undefined;

  private constructor(endpoint: string, client: Deno.HttpClient, timeoutMs: number) {
    this.#endpoint = endpoint;
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Makes a client of one endpoint, and has it log in where there is a user. The caller disposes of it.
   *
   * @throws {Error} with one sentence.
   */
  static async open(endpoint: string, options: EtcdOptions, stop: AbortSignal): Promise<EtcdClient> {
    const [ca, cert, key, password] = await Promise.all(
      [options.ca, options.cert, options.key, options.passwordFile].map(readFile),
    );
    const client = new EtcdClient(
      endpoint.replace(/\/$/, ""),
      Deno.createHttpClient({
        ...(ca === undefined ? {} : { caCerts: [ca] }),
        ...(cert === undefined || key === undefined ? {} : { cert, key }),
      }),
      options.timeoutMs ?? TIMEOUT_MS,
    );
    try {
      if (options.user !== undefined) await client.#logIn(options.user, password?.trim() ?? "", stop);
      return client;
    } catch (error) {
      client[Symbol.dispose]();
      throw error;
    }
  }

  /** Every key with a prefix, at most so many; one more tells that there are more. */
  async range(
    prefix: string,
    limit: number,
    stop: AbortSignal,
  ): Promise<{ readonly entries: EtcdEntry[]; readonly revision: string; readonly clusterId: string }> {
    const found = await this.call("kv/range", { ...rangeOf(prefix), limit: String(limit) }, stop);
    return this.#read(() => {
      const { kvs = [], header } = found as { kvs?: KeyValue[]; header: Header };
      const entries = kvs.map(({ key, value, mod_revision }) => {
        return { key: decode(key), value: decode(value ?? ""), revision: int64(mod_revision) };
      });
      return { entries, revision: int64(header.revision), clusterId: int64(header.cluster_id) };
    });
  }

  /**
   * Changes from a revision on. It ends when nothing has come for so long that the server may be gone; the first answer, which tells
   * that it watches, has to come as soon as any other.
   *
   * @throws {Compacted} when the revision is no longer known, {@linkcode Error} when the server is lost.
   */
  async *watch(
    prefix: string,
    fromRevision: string,
    quietMs: number,
    stop: AbortSignal,
  ): AsyncGenerator<EtcdChanges> {
    const quiet = new AbortController();
    let isOpen = false;
    let timer = setTimeout(() => quiet.abort(), this.#timeoutMs);
    try {
      const body = { create_request: { ...rangeOf(prefix), start_revision: fromRevision } };
      const response = await this.#post("watch", body, AbortSignal.any([stop, quiet.signal]));
      for await (const line of lines(response, MAX_ANSWER_BYTES)) {
        isOpen = true;
        clearTimeout(timer);
        timer = setTimeout(() => quiet.abort(), quietMs);
        yield this.#read(() => changesIn(line));
      }
      throw new Failure(`${this.#endpoint} has ended the watch`);
    } catch (error) {
      if (stop.aborted || (quiet.signal.aborted && isOpen)) return;
      throw quiet.signal.aborted ? this.#late() : this.#sentence(error);
    } finally {
      clearTimeout(timer);
      quiet.abort();
    }
  }

  /** Calls a method of the API, as `kv/put`. */
  async call(method: string, body: unknown, stop: AbortSignal): Promise<unknown> {
    const late = AbortSignal.timeout(this.#timeoutMs);
    try {
      const response = await this.#post(method, body, AbortSignal.any([stop, late]));
      const text = await readText(response, MAX_ANSWER_BYTES);
      return this.#read(() => JSON.parse(text));
    } catch (error) {
      throw late.aborted ? this.#late() : this.#sentence(error);
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  async #logIn(name: string, password: string, stop: AbortSignal): Promise<void> {
    const answer = await this.call("auth/authenticate", { name, password }, stop);
    this.#token = this.#read(() => {
      const { token } = answer as { token?: unknown };
      if (typeof token !== "string") throw new TypeError("there is no token");
      return token;
    });
  }

  async #post(method: string, body: unknown, signal: AbortSignal): Promise<Response> {
    const response = await fetch(`${this.#endpoint}/v3/${method}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: this.#token === undefined ? {} : { authorization: this.#token },
      client: this.#client,
      redirect: "manual",
      signal,
    });
    if (response.status === 200) return response;
    const text = await readText(response, 64 * 1024);
    throw new Failure(`${this.#endpoint} refuses: ${refusalIn(text) ?? `status ${response.status}`}`);
  }

  /** Reads an answer. Whatever goes wrong then is the answer's fault, and not the reader's. */
  #read<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (error instanceof Failure || error instanceof Compacted) throw error;
      throw new Failure(`${this.#endpoint} does not answer as etcd does`, { cause: error });
    }
  }

  #late(): Failure {
    return new Failure(`${this.#endpoint} has not answered within ${formatDuration(this.#timeoutMs)}`);
  }

  #sentence(error: unknown): Error {
    if (error instanceof Failure || error instanceof Compacted) return error;
    return new Failure(`cannot ask ${this.#endpoint}: ${whyNotAsked(error)}`, { cause: error });
  }
}

/** Its message is a sentence for people. */
class Failure extends Error {}

interface Header {
  readonly revision: string;
  readonly cluster_id: string;
}

interface KeyValue {
  readonly key: string;
  readonly value?: string;
  readonly mod_revision: string;
}

interface WatchLine {
  readonly result?: {
    readonly header: Header;
    readonly canceled?: boolean;
    readonly cancel_reason?: string;
    readonly compact_revision?: string;
    /** A put has no type. */
    readonly events?: readonly { readonly type?: "DELETE"; readonly kv: KeyValue }[];
  };
  readonly error?: { readonly message?: string };
}

function changesIn(line: string): EtcdChanges {
  const { result, error } = JSON.parse(line) as WatchLine;
  if (error?.message !== undefined) throw new Failure(`the watch was refused: ${short(error.message)}`);
  if (result === undefined) throw new TypeError("there is no result");
  if (result.compact_revision !== undefined && result.compact_revision !== "0") throw new Compacted();
  if (result.canceled) throw new Failure(`the watch was cancelled: ${short(result.cancel_reason ?? "")}`);
  return {
    events: (result.events ?? []).map(({ type, kv }) => ({
      key: decode(kv.key),
      value: type === "DELETE" ? undefined : decode(kv.value ?? ""),
      revision: int64(kv.mod_revision),
    })),
    revision: int64(result.header.revision),
    clusterId: int64(result.header.cluster_id),
  };
}

function refusalIn(text: string): string | undefined {
  try {
    const { message, error } = JSON.parse(text) as { message?: unknown; error?: unknown };
    const said = typeof message === "string" ? message : error;
    return typeof said === "string" ? short(said) : undefined;
  } catch {
    return undefined;
  }
}

function short(text: string): string {
  return text.slice(0, 200);
}

/** All keys that begin with the prefix: up to the first text that is greater than all of them. */
function rangeOf(prefix: string): { readonly key: string; readonly range_end: string } {
  const end = new TextEncoder().encode(prefix);
  const last = end.length - 1;
  // UTF-8 has no byte 0xff, so the last one can always be one more.
  end[last] = (end[last] ?? 0) + 1;
  return { key: encode(prefix), range_end: end.toBase64() };
}

/** Text as etcd wants bytes to be written. */
export function encode(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

/** A whole number as text. */
function int64(written: string): string {
  return String(BigInt(written));
}

function decode(base64: string): string {
  return new TextDecoder().decode(Uint8Array.fromBase64(base64));
}

async function readFile(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await Deno.readTextFile(path);
  } catch {
    throw new Error(`${path}: cannot be read`);
  }
}

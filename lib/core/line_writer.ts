/**
 * Lines to an asynchronous writer that may stall or fail, in order and in bounded memory.
 *
 * While the writer stalls or fails, lines wait. A failed write is tried again with its next byte, so that a full disk that
 * gets room again has no torn line and misses nothing but what did not fit into memory; that is counted.
 */

import { reasonOf } from "./errors.ts";

/** What waits for a writer that stalls; about 4,000 session records. */
const MAX_PENDING_CHARS = 1024 * 1024;

/** How long {@linkcode LineWriter.close} waits for a writer that does not write. */
const CLOSE_TIMEOUT_MS = 1_000;

/** How long after a failed write the next one is tried: a full disk stays full for a while. */
const RETRY_MS = 1_000;

/** The reason of trouble when there is no error: the writer is only slow. */
const TOO_SLOW = "its reader is too slow";

export interface LineWriterOptions {
  /** Writes some of the bytes and says how many; may take as long as it likes. */
  readonly write: (bytes: Uint8Array) => Promise<number>;
  /** The line that stands where lines are missing. */
  readonly describeDrops: (count: number) => string;
  /** Whether a writer that is too slow is in trouble; not for a log that would have to report that to itself. */
  readonly isSlownessTrouble?: boolean;
  /** Called once when writing begins to fail, or the writer is too slow. */
  readonly onTrouble?: ((reason: string) => void) | undefined;
  /** Called when all that waited has been written after all. `dropped` lines of that time are lost. */
  readonly onRelief?:
    | ((relief: { readonly dropped: number; readonly troubleMs: number }) => void)
    | undefined;
  readonly retryMs?: number | undefined;
}

/** See above. */
export class LineWriter {
  readonly #options: LineWriterOptions;
  readonly #encoder = new TextEncoder();
  #pending: string[] = [];
  #pendingChars = 0;
  /** Not yet said in the stream. */
  #dropped = 0;
  droppedInAll = 0;
  #writing: Promise<void> | undefined;
  /** What a write has not taken yet of the lines that it was given. */
  #rest: Uint8Array = new Uint8Array();
  #trouble: { readonly sinceMs: number; readonly droppedBefore: number } | undefined;
  #isClosing = false;
  #endPause: () => void = () => {};

  constructor(options: LineWriterOptions) {
    this.#options = options;
  }

  push(line: string): void {
    if (this.#pendingChars + line.length > MAX_PENDING_CHARS) {
      if (this.#options.isSlownessTrouble) this.#beginTrouble(TOO_SLOW);
      this.#dropped++;
      this.droppedInAll++;
    } else {
      this.#pending.push(line);
      this.#pendingChars += line.length;
    }
    this.#writing ??= this.#writeAll();
  }

  /**
   * Writes what is pending, for at most a second; a writer that fails is tried once more and no longer.
   *
   * @return How many lines could not be written.
   */
  async close(): Promise<number> {
    if (this.#writing === undefined) return 0;
    this.#isClosing = true;
    this.#endPause();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_TIMEOUT_MS));
    await Promise.race([this.#writing, deadline]);
    clearTimeout(timer);
    this.#isClosing = false;
    const left = countLines(this.#rest) + this.#pending.length;
    this.#rest = new Uint8Array();
    this.#pending = [];
    this.#pendingChars = 0;
    this.droppedInAll += left;
    return left;
  }

  async #writeAll(): Promise<void> {
    // What is logged in one turn of the event loop leaves in one write.
    await Promise.resolve();
    while (this.#pending.length > 0 || this.#dropped > 0) {
      this.#rest = this.#encoder.encode(this.#takePending());
      // deno-lint-ignore no-await-in-loop -- lines must leave in order
      if (!await this.#writeRest()) break;
    }
    this.#writing = undefined;
  }

  /** False when it was given up, since the writer fails and this is the end. */
  async #writeRest(): Promise<boolean> {
    while (this.#rest.length > 0) {
      try {
        // deno-lint-ignore no-await-in-loop -- the rest can only follow
        const written = await this.#options.write(this.#rest);
        this.#rest = this.#rest.subarray(written);
      } catch (error) {
        this.#beginTrouble(reasonOf(error).toLowerCase());
        if (this.#isClosing) return false;
        // deno-lint-ignore no-await-in-loop -- the rest can only follow
        await this.#pause();
      }
    }
    this.#endTrouble();
    return true;
  }

  #beginTrouble(reason: string): void {
    if (this.#trouble !== undefined) return;
    this.#trouble = { sinceMs: performance.now(), droppedBefore: this.droppedInAll };
    this.#options.onTrouble?.(reason);
  }

  /** Only when nothing waits any more: a writer that is always too slow is one trouble, not one a batch. */
  #endTrouble(): void {
    if (this.#trouble === undefined || this.#pending.length > 0 || this.#dropped > 0) return;
    const { sinceMs, droppedBefore } = this.#trouble;
    this.#trouble = undefined;
    this.#options.onRelief?.({
      dropped: this.droppedInAll - droppedBefore,
      troubleMs: performance.now() - sinceMs,
    });
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#options.retryMs ?? RETRY_MS);
    this.#endPause = resolve;
    await promise;
    clearTimeout(timer);
  }

  #takePending(): string {
    if (this.#dropped > 0) this.#pending.push(this.#options.describeDrops(this.#dropped));
    const text = this.#pending.join("");
    this.#pending = [];
    this.#pendingChars = 0;
    this.#dropped = 0;
    return text;
  }
}

/** A line that has lost its beginning counts as one. */
function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(0x0a); at !== -1; at = bytes.indexOf(0x0a, at + 1)) lines++;
  return lines;
}

/**
 * Streams of events to browsers: first the past, then what happens.
 *
 * A reader that stalls costs bounded memory and holds up no other: what is published is put into its stream or, when that
 * is full, ends it. A browser comes back by itself and gets the past anew.
 */

import { changeEvent, historyEvent, summaryEvent } from "./news.ts";
import type { Change, Operations, Summary } from "./operations.ts";
import { problem } from "./problem.ts";

/** What may wait for a reader, beside the past that it gets first; minutes of summaries. */
export const MAX_WAITING_BYTES = 256 * 1024;

/** Readers at a time; half of the connections, so that there is always one for a question. */
export const MAX_STREAMS = 16;

type Controller = ReadableStreamDefaultController<Uint8Array>;

export class EventStreams {
  readonly #operations: Pick<Operations, "history" | "changes" | "subscribe">;
  readonly #encoder = new TextEncoder();
  /** Those that hear what is published. */
  readonly #live = new Set<Controller>();
  /** All whose response is still under way, with those that were ended because they stalled. */
  #open = 0;
  #unsubscribe: (() => void) | undefined;

  constructor(operations: Pick<Operations, "history" | "changes" | "subscribe">) {
    this.#operations = operations;
  }

  /**
   * Answers with a stream, or with a problem when there are too many.
   *
   * @param completed Settles when the response has been sent or its reader is gone. Until then it counts: a reader that
   * was ended but does not read holds a connection, and must not make room for the next one that does so.
   */
  open(completed: Promise<void>): Response {
    if (this.#open >= MAX_STREAMS) {
      return problem(503, `There are ${MAX_STREAMS} readers of events already; close one.`);
    }
    const past = this.#encoder.encode(this.#past());
    let controller: Controller | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (it) => {
        controller = it;
        it.enqueue(past);
        this.#begin(it);
      },
      cancel: () => {
        if (controller !== undefined) this.#end(controller);
      },
    }, new ByteLengthQueuingStrategy({ highWaterMark: past.length + MAX_WAITING_BYTES }));
    this.#open++;
    const forget = (): void => {
      this.#open--;
      if (controller !== undefined) this.#end(controller);
    };
    completed.then(forget, forget);
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  /** Ends all streams. New ones may be opened. */
  close(): void {
    for (const controller of this.#live) this.#end(controller);
  }

  #past(): string {
    const changes = this.#operations.changes().map(changeEvent);
    return historyEvent(this.#operations.history()) + changes.join("");
  }

  /** One subscription serves all streams, so that news is written as JSON once. */
  #begin(controller: Controller): void {
    this.#live.add(controller);
    this.#unsubscribe ??= this.#operations.subscribe((news) => this.#publish(news));
  }

  #end(controller: Controller): void {
    if (!this.#live.delete(controller)) return;
    if (this.#live.size === 0) {
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
    }
    try {
      controller.close();
    } catch {
      // The reader has cancelled it.
    }
  }

  #publish(news: { summary: Summary } | { change: Change }): void {
    const bytes = this.#encoder.encode(
      "summary" in news ? summaryEvent(news.summary) : changeEvent(news.change),
    );
    for (const controller of this.#live) {
      if ((controller.desiredSize ?? 0) < bytes.length) this.#end(controller);
      else controller.enqueue(bytes);
    }
  }
}

// deno-lint-ignore-file no-await-in-loop -- events are read in order

/** A reader of server-sent events, as a browser is one. */

export interface ServerEvent {
  readonly event: string;
  // deno-lint-ignore no-explicit-any -- what is in it is what a test is about
  readonly data: any;
}

export class EventReader implements AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #rest = "";

  private constructor(body: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = body.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async open(address: string): Promise<EventReader> {
    const { status, headers, body } = await fetch(`http://${address}/api/events`);
    if (status !== 200 || headers.get("content-type") !== "text/event-stream" || body === null) {
      throw new Error(`Cannot read events: ${status}`);
    }
    return new EventReader(body);
  }

  /** The next event; undefined when the stream has ended. */
  async next(): Promise<ServerEvent | undefined> {
    for (;;) {
      const end = this.#rest.indexOf("\n\n");
      if (end !== -1) {
        const [, event = "", data = ""] = /^event: (.*)\ndata: (.*)$/s.exec(this.#rest.slice(0, end)) ?? [];
        this.#rest = this.#rest.slice(end + 2);
        return { event, data: JSON.parse(data) };
      }
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      this.#rest += value;
    }
  }

  /** The next events. */
  async take(count: number): Promise<ServerEvent[]> {
    const events: ServerEvent[] = [];
    while (events.length < count) {
      const event = await this.next();
      if (event === undefined) throw new Error(`Cannot read ${count} events: there were ${events.length}`);
      events.push(event);
    }
    return events;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#reader.cancel();
    } catch {
      // It was broken off already.
    }
  }
}

/** The timeline of one run: what happens, as it happens, and what is measured of it. */

import { type BalancerEvent, balancerLine } from "./balancer_lines.ts";
import { Reactions } from "./reactions.ts";
import { type Teller, timelineLine } from "./report.ts";

export interface TimelineOptions {
  /** Takes a line, ended. */
  readonly write: (line: string) => void;
  readonly isColoured: boolean;
  /** Milliseconds that only go forward. */
  readonly now: () => number;
}

export class Timeline {
  readonly reactions = new Reactions();
  readonly #options: TimelineOptions;
  #startMs: number | undefined;

  constructor(options: TimelineOptions) {
    this.#options = options;
  }

  /** The load begins now; times count from here. What is told before it is not shown. */
  start(): void {
    this.#startMs = this.#options.now();
  }

  /** Since the load has begun, in ms. */
  get elapsedMs(): number {
    return this.#startMs === undefined ? 0 : this.#options.now() - this.#startMs;
  }

  say(teller: Teller, text: string): void {
    const { write, isColoured } = this.#options;
    if (this.#startMs !== undefined) write(timelineLine(this.elapsedMs, teller, text, isColoured));
  }

  server(name: string, isUp: boolean): void {
    this.reactions.server(name, isUp, this.elapsedMs);
    this.say("plan", isUp ? `${name} comes up` : `${name} goes down`);
  }

  /** Whether the load can come to a server by now; undefined where its pool does not have it. */
  picked(server: string, isPicked: boolean | undefined): void {
    this.reactions.balancer(server, isPicked, this.elapsedMs);
  }

  /** @param server The server that the backend is, if it is one of ours. */
  balancer(event: BalancerEvent, server: string | undefined): void {
    const { backend = server } = event.fields;
    const line = balancerLine({ ...event, fields: { ...event.fields, backend: server ?? backend } });
    if (line !== undefined) this.say("balancer", line);
  }
}

/** Several listening sockets as one, for a listener whose address needs more than one. */

/**
 * One listener for all of these. The one that it is given alone stays as it is.
 *
 * @param serve Is given what was accepted and not asked for when the listener is closed.
 */
export function joined(
  parts: readonly Deno.Listener[],
  serve: (conn: Deno.Conn) => void,
): Pick<Deno.Listener, "accept" | "close"> {
  const [first] = parts;
  return first !== undefined && parts.length === 1 ? first : new JoinedListener(parts, serve);
}

type Accepted = PromiseWithResolvers<Deno.Conn>;

export class JoinedListener implements Pick<Deno.Listener, "accept" | "close"> {
  readonly #parts: readonly Deno.Listener[];
  readonly #onLeft: (conn: Deno.Conn) => void;
  /** Those that have an accept pending. A pending accept cannot be taken back, so it is kept until it is needed. */
  readonly #accepting = new Set<Deno.Listener>();
  /** Accepted before it was asked for: at most one of each socket. */
  readonly #waiting: Deno.Conn[] = [];
  #asked: Accepted | undefined;
  #isClosed = false;

  /**
   * Owns the listeners, and closes them.
   *
   * @param onLeft Is given what was accepted and not asked for when the listener is closed.
   */
  constructor(parts: readonly Deno.Listener[], onLeft: (conn: Deno.Conn) => void) {
    this.#parts = parts;
    this.#onLeft = onLeft;
  }

  /** The next connection of any of the sockets. Ask for one at a time. */
  accept(): Promise<Deno.Conn> {
    const conn = this.#waiting.shift();
    if (conn !== undefined) return Promise.resolve(conn);
    this.#asked = Promise.withResolvers<Deno.Conn>();
    const { promise } = this.#asked;
    for (const part of this.#parts) if (!this.#accepting.has(part)) this.#accept(part);
    return promise;
  }

  close(): void {
    this.#isClosed = true;
    for (const part of this.#parts) part.close();
    for (const conn of this.#waiting.splice(0)) this.#onLeft(conn);
  }

  #accept(part: Deno.Listener): void {
    this.#accepting.add(part);
    part.accept().then(
      (conn) => {
        this.#accepting.delete(part);
        this.#give(conn);
      },
      (error) => {
        this.#accepting.delete(part);
        // What was accepted just before the close may still come from another socket.
        if (this.#isClosed && this.#accepting.size > 0) return;
        this.#takeAsked()?.reject(error);
      },
    );
  }

  #give(conn: Deno.Conn): void {
    const asked = this.#takeAsked();
    if (asked !== undefined) asked.resolve(conn);
    else if (this.#isClosed) this.#onLeft(conn);
    else this.#waiting.push(conn);
  }

  #takeAsked(): Accepted | undefined {
    const asked = this.#asked;
    this.#asked = undefined;
    return asked;
  }
}

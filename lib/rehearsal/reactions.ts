/** How long the balancer takes to notice that a server has gone, and that it has come back. Pure. */

interface Standing {
  /** When the server went down, or came up, in ms; undefined once the balancer has done as much. */
  readonly sinceMs: number | undefined;
  readonly isServerUp: boolean;
  readonly isPicked: boolean;
}

const UP: Standing = { sinceMs: undefined, isServerUp: true, isPicked: true };

/** Told what becomes of servers, and of backends, at times that only go forward. */
export class Reactions {
  readonly #standings = new Map<string, Standing>();
  #noticedMs = 0;
  #recoveredMs = 0;

  /** A server goes down, or comes up. */
  server(name: string, isUp: boolean, atMs: number): void {
    const standing = this.#standings.get(name) ?? UP;
    // Before the balancer has done as much: it would have taken longer.
    if (standing.sinceMs !== undefined) this.#took(standing.isServerUp, atMs - standing.sinceMs);
    const isPending = standing.isPicked !== isUp;
    this.#standings.set(name, {
      isServerUp: isUp,
      isPicked: standing.isPicked,
      sinceMs: isPending ? atMs : undefined,
    });
  }

  /** The balancer picks a backend no more, or again. */
  backend(name: string, isPicked: boolean, atMs: number): void {
    const { sinceMs, isServerUp } = this.#standings.get(name) ?? UP;
    const isDone = isServerUp === isPicked;
    if (isDone && sinceMs !== undefined) this.#took(isServerUp, atMs - sinceMs);
    this.#standings.set(name, { isServerUp, isPicked, sinceMs: isDone ? undefined : sinceMs });
  }

  /** The longest of each in ms; what is still waited for took forever. */
  measured(): { readonly noticedMs: number; readonly recoveredMs: number } {
    const isWaiting = (isUp: boolean): boolean =>
      this.#standings.values().some((it) => it.sinceMs !== undefined && it.isServerUp === isUp);
    return {
      noticedMs: isWaiting(false) ? Infinity : this.#noticedMs,
      recoveredMs: isWaiting(true) ? Infinity : this.#recoveredMs,
    };
  }

  #took(isUp: boolean, ms: number): void {
    if (isUp) this.#recoveredMs = Math.max(this.#recoveredMs, ms);
    else this.#noticedMs = Math.max(this.#noticedMs, ms);
  }
}

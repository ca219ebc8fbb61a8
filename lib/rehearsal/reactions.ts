/** How long the balancer takes to notice that a server has gone, and that it has come back. Pure. */

interface Standing {
  /** When the server went down, or came up, in ms; undefined where the balancer has done as much. */
  readonly sinceMs: number | undefined;
  readonly isServerUp: boolean;
  /** Undefined where the pool under load does not have it: then there is nothing to wait for. */
  readonly isPicked: boolean | undefined;
}

const UP: Standing = { sinceMs: undefined, isServerUp: true, isPicked: true };

/** Told what becomes of servers, and which of them the pool under load picks, at times that only go forward. */
export class Reactions {
  readonly #standings = new Map<string, Standing>();
  #noticedMs: number | undefined;
  #recoveredMs: number | undefined;

  /** A server goes down, or comes up. */
  server(name: string, isServerUp: boolean, atMs: number): void {
    const { sinceMs, isPicked, ...before } = this.#standings.get(name) ?? UP;
    // Before the balancer has done as much: it would have taken longer.
    if (sinceMs !== undefined) this.#took(before.isServerUp, atMs - sinceMs);
    const isAwaited = isPicked === !isServerUp;
    if (isPicked === isServerUp) this.#took(isServerUp, 0);
    this.#standings.set(name, { isServerUp, isPicked, sinceMs: isAwaited ? atMs : undefined });
  }

  /** The balancer picks a server from now on, or does not. May be told again. */
  balancer(name: string, isPicked: boolean | undefined, atMs: number): void {
    const { sinceMs, isServerUp } = this.#standings.get(name) ?? UP;
    const isAwaited = isPicked === !isServerUp;
    if (!isAwaited && sinceMs !== undefined) this.#took(isServerUp, atMs - sinceMs);
    this.#standings.set(name, { isServerUp, isPicked, sinceMs: isAwaited ? sinceMs : undefined });
  }

  /** The longest of each in ms; what is still waited for took forever. Undefined where no server of the pool went down, or came up. */
  measured(): { readonly noticedMs: number | undefined; readonly recoveredMs: number | undefined } {
    const isWaiting = (isUp: boolean): boolean =>
      this.#standings.values().some((it) => it.sinceMs !== undefined && it.isServerUp === isUp);
    return {
      noticedMs: isWaiting(false) ? Infinity : this.#noticedMs,
      recoveredMs: isWaiting(true) ? Infinity : this.#recoveredMs,
    };
  }

  #took(isUp: boolean, ms: number): void {
    if (isUp) this.#recoveredMs = Math.max(this.#recoveredMs ?? 0, ms);
    else this.#noticedMs = Math.max(this.#noticedMs ?? 0, ms);
  }
}

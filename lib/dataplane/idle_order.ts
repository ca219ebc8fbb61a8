/** What can be in an order; the links are the order's to set. */
export interface Linked<T> {
  longer: T | undefined;
  shorter: T | undefined;
}

/** Items by how long they have been idle, as a list that goes through them: all that is done with it costs the same, however long it is. */
export class IdleOrder<T extends Linked<T>> {
  #longest: T | undefined;
  #shortest: T | undefined;

  /** The one that is idle for longest. */
  get longest(): T | undefined {
    return this.#longest;
  }

  /** Adds one that is not in it, and is not idle. */
  add(item: T): void {
    item.longer = this.#shortest;
    if (this.#shortest === undefined) this.#longest = item;
    else this.#shortest.shorter = item;
    this.#shortest = item;
  }

  /** Removes one, if it is in it. */
  remove(item: T): void {
    const { longer, shorter } = item;
    if (longer === undefined && this.#longest !== item) return;
    if (longer === undefined) this.#longest = shorter;
    else longer.shorter = shorter;
    if (shorter === undefined) this.#shortest = longer;
    else shorter.longer = longer;
    item.longer = item.shorter = undefined;
  }

  /** All of them, those that are idle for longest first. */
  *all(): Generator<T> {
    for (let item = this.#longest; item !== undefined; item = item.shorter) yield item;
  }
}

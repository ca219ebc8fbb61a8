/** The flows of a socket by their clients: found for each datagram, without any allocation. */

import { halfSipHash } from "../../../core/half_siphash.ts";
import { AF_INET6 } from "../linux.ts";

/** What the table knows of a flow. */
export interface Keyed {
  /** The client's address in words: a struct sockaddr_in or sockaddr_in6. */
  readonly name: Int32Array;
}

/** Places at first; it doubles when half of them are taken. */
const FIRST_CAPACITY = 64;

const words = new Uint32Array(5);
const hashed = new Uint32Array(2);

/** The family of the address at a place of `names`; beside it in the first word is the port. */
export function familyOf(names: Int32Array, at: number): number {
  return (names[at] as number) & 0xffff;
}

/** That port, in the order of the network. */
export function portOf(names: Int32Array, at: number): number {
  return (names[at] as number) >>> 16;
}

/** Whether the address at a place of `names` is this one. Flow label and zone make no other client. */
export function isNamed(name: Int32Array, names: Int32Array, at: number): boolean {
  if (name[0] !== names[at]) return false;
  if (familyOf(name, 0) !== AF_INET6) return name[1] === names[at + 1];
  return name[2] === names[at + 2] && name[3] === names[at + 3] && name[4] === names[at + 4] &&
    name[5] === names[at + 5];
}

/**
 * A hash table with open addressing. Sources of datagrams can be made up, so its hash is keyed: no one can choose sources that all fall on
 * one place.
 */
export class FlowTable<F extends Keyed> {
  #flows: (F | undefined)[] = new Array(FIRST_CAPACITY).fill(undefined);
  #size = 0;
  readonly #key: Uint32Array = crypto.getRandomValues(new Uint32Array(2));
  /** The one that was found last: datagrams come in bursts. */
  #last: F | undefined;

  get size(): number {
    return this.#size;
  }

  /** The flow of the client whose address is at a place of `names`. */
  find(names: Int32Array, at: number): F | undefined {
    const last = this.#last;
    if (last !== undefined && isNamed(last.name, names, at)) return last;
    const flows = this.#flows;
    const mask = flows.length - 1;
    for (let i = this.#hash(names, at) & mask;; i = (i + 1) & mask) {
      const flow = flows[i];
      if (flow === undefined) return undefined;
      if (isNamed(flow.name, names, at)) return this.#last = flow;
    }
  }

  /** Adds one whose client has no other. */
  add(flow: F): void {
    this.#size++;
    if (2 * this.#size > this.#flows.length) this.#grow();
    this.#put(flow);
  }

  /** Removes one that is there. */
  remove(flow: F): void {
    if (this.#last === flow) this.#last = undefined;
    const flows = this.#flows;
    const mask = flows.length - 1;
    let gap = this.#hash(flow.name, 0) & mask;
    while (flows[gap] !== flow) {
      if (flows[gap] === undefined) return;
      gap = (gap + 1) & mask;
    }
    this.#size--;
    // Those behind it move up, as far as that brings them no further than to their own place.
    for (let i = (gap + 1) & mask;; i = (i + 1) & mask) {
      const next = flows[i];
      if (next === undefined) break;
      const home = this.#hash(next.name, 0) & mask;
      if (((i - home) & mask) < ((i - gap) & mask)) continue;
      flows[gap] = next;
      gap = i;
    }
    flows[gap] = undefined;
  }

  #put(flow: F): void {
    const flows = this.#flows;
    const mask = flows.length - 1;
    let i = this.#hash(flow.name, 0) & mask;
    while (flows[i] !== undefined) i = (i + 1) & mask;
    flows[i] = flow;
  }

  #grow(): void {
    const before = this.#flows;
    this.#flows = new Array(2 * before.length).fill(undefined);
    for (const flow of before) if (flow !== undefined) this.#put(flow);
  }

  #hash(names: Int32Array, at: number): number {
    words[0] = names[at] as number;
    if (familyOf(names, at) !== AF_INET6) {
      words[1] = names[at + 1] as number;
      halfSipHash(words, 2, this.#key, hashed);
    } else {
      for (let word = 1; word < 5; word++) words[word] = names[at + word + 1] as number;
      halfSipHash(words, 5, this.#key, hashed);
    }
    return hashed[0] as number;
  }
}

import type { Libc } from "../libc.ts";
import type { Loop } from "../loop.ts";
import { Answers } from "./answers.ts";
import { Arrivals } from "./arrivals.ts";

/** What all flows of a thread use. It is made when it is first used: most threads have no datagrams. */
export class Datagrams {
  readonly #libc: Libc;
  readonly #loop: Loop;
  #arrivals: Arrivals | undefined;
  #answers: Answers | undefined;

  constructor(libc: Libc, loop: Loop) {
    this.#libc = libc;
    this.#loop = loop;
  }

  get arrivals(): Arrivals {
    return this.#arrivals ??= new Arrivals(this.#libc);
  }

  get answers(): Answers {
    return this.#answers ??= new Answers(this.#libc, this.#loop);
  }
}

/** Answers to datagrams that are late, lost, or made of other bytes. */

import type { Misbehaviour } from "../core/misbehaviour.ts";
import { sleep } from "../core/sleep.ts";
import { delayMs, failureOf, garbage } from "./chance.ts";

/** Of the answers of one server; `delay`, and to fail by `hang` or `garbage`, have a meaning for them. */
export class MisbehavingAnswers {
  #current: Misbehaviour;
  #answers = 0;

  constructor(misbehaviour: Misbehaviour) {
    this.#current = misbehaviour;
  }

  /** From the next answer on. */
  set(change: Partial<Misbehaviour>): void {
    this.#current = { ...this.#current, ...change };
  }

  /**
   * Sends an answer, or something else, now or later. It fails by its number, which begins with 1.
   *
   * @param bytes Not kept.
   * @param send What becomes of it is not waited for.
   * @param stop Nothing is sent from then on.
   */
  answer(bytes: Uint8Array, send: (bytes: Uint8Array) => Promise<number>, stop: AbortSignal): void {
    const { delay, seed } = this.#current;
    const number = ++this.#answers;
    const failure = failureOf(number, this.#current);
    if (failure === "hang") return;
    const sent = failure === "garbage" ? garbage(number, 0, bytes.length, seed) : bytes.slice();
    const lateMs = delay === undefined ? 0 : delayMs(number - 1, delay, seed);
    // A datagram that cannot be sent is lost, as any may be.
    void sleep(lateMs, stop).then(() => stop.aborted ? undefined : send(sent)).catch(() => {});
  }
}

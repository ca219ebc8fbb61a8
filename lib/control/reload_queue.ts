/**
 * Runs a job at most once at a time.
 *
 * A request that comes while the job runs may be about something that this run has not seen, so another run follows; all
 * requests that wait for it share that one. So there is never more than one run and one more to come, however many ask.
 */
export class ReloadQueue<T> {
  readonly #job: () => Promise<T>;
  #running: Promise<T> | undefined;
  #waiting: Promise<T> | undefined;

  constructor(job: () => Promise<T>) {
    this.#job = job;
  }

  /** Resolves, or rejects, as the first run does that begins after this call. */
  request(): Promise<T> {
    if (this.#waiting !== undefined) return this.#waiting;
    if (this.#running === undefined) return this.#begin();
    const begin = (): Promise<T> => this.#begin();
    return this.#waiting = this.#running.then(begin, begin);
  }

  #begin(): Promise<T> {
    this.#waiting = undefined;
    const running = this.#job();
    this.#running = running;
    const finish = (): void => {
      if (this.#running === running) this.#running = undefined;
    };
    running.then(finish, finish);
    return running;
  }
}

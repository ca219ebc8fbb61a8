// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { acceptConnections } from "../../lib/engine/runtime/accept.ts";

/** Clients that wait in the backlog of a Unix socket, and the loop that accepts them. */
class Setting implements AsyncDisposable {
  readonly stop = new AbortController();
  readonly halt = new AbortController();
  served = 0;
  /** Places that may still be taken. */
  places = Infinity;
  readonly #folder = Deno.makeTempDirSync();
  readonly #listener = Deno.listen({ transport: "unix", path: `${this.#folder}/a.sock` });
  readonly #clients: Deno.Conn[] = [];
  #freed = Promise.withResolvers<void>();

  async connect(clients: number): Promise<void> {
    for (let i = 0; i < clients; i++) {
      this.#clients.push(await Deno.connect({ transport: "unix", path: `${this.#folder}/a.sock` }));
    }
  }

  /** @param takesRest Whether what waits at the stop is accepted. */
  accept(takesRest: boolean): Promise<void> {
    return acceptConnections(this.#listener, {
      limiter: {
        enter: () => {
          if (this.places === 0) return false;
          this.places--;
          return true;
        },
        leave: () => this.free(),
        freed: () => this.#freed.promise,
      },
      serve: (conn, leave) => {
        this.served++;
        conn.close();
        leave();
      },
      stop: this.stop.signal,
      ...(takesRest ? { halt: this.halt.signal } : {}),
      onTrouble: (event) => assert.fail(event),
    });
  }

  /** There is one place more. */
  free(): void {
    this.places++;
    this.#freed.resolve();
    this.#freed = Promise.withResolvers<void>();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

Deno.test("what waits in a backlog of its own is accepted after the stop, all of it", async () => {
  await using it = new Setting();
  await it.connect(300);
  const accepting = it.accept(true);
  it.stop.abort();
  await accepting;
  assert.equal(it.served, 300);
});

Deno.test("it is waited for until there is a place for it", async () => {
  await using it = new Setting();
  it.places = 0;
  await it.connect(3);
  const accepting = it.accept(true);
  it.stop.abort();
  assert.equal(it.served, 0);
  it.free();
  await accepting;
  assert.equal(it.served, 3);
});

Deno.test("a halt ends that as well", async () => {
  await using it = new Setting();
  it.places = 0;
  await it.connect(3);
  const accepting = it.accept(true);
  it.stop.abort();
  it.halt.abort();
  it.free();
  await accepting;
  assert.ok(it.served <= 1, `${it.served} were served`);
});

Deno.test("a backlog that other threads accept from as well is left to them", async () => {
  await using it = new Setting();
  await it.connect(3);
  const accepting = it.accept(false);
  it.stop.abort();
  await accepting;
  assert.ok(it.served <= 1, `${it.served} were served`);
});

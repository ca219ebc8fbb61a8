// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { NameRetries } from "../../lib/control/name_retries.ts";
import { Names } from "../../lib/control/names.ts";
import { NameError } from "../../lib/core/lookup.ts";
import { until } from "../support/balancer.ts";

/** A balancer with these unresolved names, and a clock that the test moves. */
class Setting {
  readonly unresolved = new Set<string>();
  readonly resolvable = new Set<string>();
  readonly pauses: number[] = [];
  applied = 0;
  /** Whether what was applied is in force. */
  works = true;
  /** Why a name is not resolved, as the balancer knows it. */
  reason = (host: string): string => new NameError(host, "there is no such name", true).message;
  #wake: (() => void) | undefined;

  readonly retries = new NameRetries({
    names: new Names({
      lookUp: (name) => {
        return this.resolvable.has(name)
          ? Promise.resolve(["10.0.0.1"])
          : Promise.reject(new NameError(name, "there is no such name", true));
      },
      isAllowed: () => true,
    }),
    unresolved: () =>
      [...this.unresolved].map((host) => ({
        address: { transport: "tcp", host, port: 80 },
        reason: this.reason(host),
      })),
    apply: () => {
      this.applied++;
      if (this.works) { for (const name of this.resolvable) this.unresolved.delete(name); }
      this.retries.follow();
      return Promise.resolve();
    },
    sleep: (ms, stop) => {
      this.pauses.push(ms);
      return new Promise((resolve) => {
        this.#wake = resolve;
        stop.addEventListener("abort", () => resolve(), { once: true });
      });
    },
  });

  /** Ends the pause, and waits for what follows it. */
  async tick(): Promise<void> {
    const before = this.pauses.length;
    this.#wake?.();
    await until(() => this.pauses.length > before || this.unresolved.size === 0, "the next pause has begun");
  }
}

Deno.test("the pause between tries doubles up to half a minute, and the tries end with the last name", async () => {
  const it = new Setting();
  it.unresolved.add("a");
  it.retries.follow();
  await until(() => it.pauses.length === 1, "the first pause has begun");
  for (let i = 0; i < 7; i++) await it.tick();
  assert.deepEqual(it.pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  assert.equal(it.applied, 0);
  it.resolvable.add("a");
  await it.tick();
  assert.equal(it.applied, 1);
  assert.equal(it.pauses.length, 8);
  it.retries.stop();
});

Deno.test("what cannot be applied is tried again", async () => {
  const it = new Setting();
  it.works = false;
  it.unresolved.add("a");
  it.resolvable.add("a");
  it.retries.follow();
  await until(() => it.pauses.length === 1, "the first pause has begun");
  await it.tick();
  await it.tick();
  assert.equal(it.applied, 2);
  it.works = true;
  await it.tick();
  assert.equal(it.unresolved.size, 0);
  it.retries.stop();
});

Deno.test("another name that is not resolved does not wait for the long pause of the first", async () => {
  const it = new Setting();
  it.unresolved.add("a");
  it.retries.follow();
  await until(() => it.pauses.length === 1, "the first pause has begun");
  for (let i = 0; i < 4; i++) await it.tick();
  it.retries.follow();
  assert.equal(it.pauses.at(-1), 16_000);
  it.unresolved.add("b");
  it.retries.follow();
  await until(() => it.pauses.length === 6, "the pause has begun anew");
  assert.equal(it.pauses.at(-1), 1_000);
  it.retries.stop();
});

Deno.test("another reason is news, the same one is none", async () => {
  const it = new Setting();
  it.reason = () => "no name server answered";
  it.unresolved.add("a");
  it.retries.follow();
  await until(() => it.pauses.length === 1, "the first pause has begun");
  await it.tick();
  assert.equal(it.applied, 1);
  it.reason = () => `cannot resolve the name "a": there is no such name`;
  await it.tick();
  await it.tick();
  assert.equal(it.applied, 1);
  it.retries.stop();
});

Deno.test("nothing is applied after the stop", async () => {
  const it = new Setting();
  it.unresolved.add("a");
  it.resolvable.add("a");
  it.retries.follow();
  await until(() => it.pauses.length === 1, "the first pause has begun");
  it.retries.stop();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(it.applied, 0);
});

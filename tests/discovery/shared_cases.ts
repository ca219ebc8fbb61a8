/** What every source has to do. */

import assert from "node:assert/strict";
import type { Source } from "../../lib/discovery/source.ts";
import { type Found, skipWithout } from "../support/packages.ts";
import { until } from "../support/balancer.ts";
import { FastClock, Followed } from "./followed.ts";

/** A source, and what it asks. */
export interface Rig extends AsyncDisposable {
  readonly source: (clock: FastClock) => Source;
  /** Has it know these addresses, `10.0.0.N:80`, and no others; starts it where it does not run. */
  set(addresses: readonly string[]): Promise<void>;
  /** Makes it so that it cannot be asked. */
  hide(): Promise<void>;
}

export interface SourceCase {
  readonly name: string;
  readonly needs?: readonly Found[];
  readonly rig: () => Promise<Rig>;
  /** The sentence when it cannot be asked. */
  readonly trouble: RegExp;
  /** The pauses between tries when it cannot be asked. */
  readonly pauses: readonly number[];
}

const [A, B, C] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];

export function testSource({ name, needs = [], rig, trouble, pauses }: SourceCase): void {
  const { ignore, why } = skipWithout(...needs);
  const test = (sentence: string, run: (it: Rig, clock: FastClock) => Promise<void>): void => {
    Deno.test({
      name: `${name}: ${sentence}${why}`,
      ignore,
      fn: async () => {
        await using it = await rig();
        await run(it, new FastClock());
      },
    });
  };

  test("members that are there are told, and so are those that come and go", async (it, clock) => {
    await it.set([A, B]);
    await using followed = new Followed(it.source(clock));
    await followed.sees(A, B);
    await it.set([A, B, C]);
    await followed.sees(A, B, C);
    await it.set([C]);
    await followed.sees(C);
  });

  test("that there are none is told as well", async (it, clock) => {
    await it.set([A]);
    await using followed = new Followed(it.source(clock));
    await followed.sees(A);
    await it.set([]);
    await followed.sees();
    await it.set([B]);
    await followed.sees(B);
  });

  test(
    "what cannot be asked says why, is tried again with growing pauses, and is found again",
    async (it, clock) => {
      await it.set([A]);
      await it.hide();
      await using followed = new Followed(it.source(clock));
      await until(() => clock.pauses.length >= pauses.length, "it was tried often enough");
      assert.deepEqual(clock.pauses.slice(0, pauses.length), pauses);
      assert.match(followed.troubles[0] ?? "", trouble);
      assert.equal(followed.found.length, 0);
      await it.set([A, B]);
      await followed.sees(A, B);
    },
  );

  test("what is lost on the way says why, and what has changed meanwhile is told", async (it, clock) => {
    await it.set([A, B]);
    await using followed = new Followed(it.source(clock));
    await followed.sees(A, B);
    await it.hide();
    await followed.trouble(trouble);
    assert.deepEqual(followed.addresses, [A, B], "nothing is told of members meanwhile");
    await it.set([B, C]);
    await followed.sees(B, C);
  });

  test("nothing is told after the stop", async (it, clock) => {
    await it.set([A]);
    const followed = new Followed(it.source(clock));
    await followed.sees(A);
    await followed.end();
    const told = followed.found.length;
    await it.set([B]);
    assert.deepEqual([followed.found.length, followed.troubles], [told, []]);
  });

  test("a stop ends it while it cannot be asked", async (it, clock) => {
    await it.set([]);
    await it.hide();
    const followed = new Followed(it.source(clock));
    await followed.trouble(trouble);
    await followed.end();
  });
}

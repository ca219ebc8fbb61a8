// deno-lint-ignore-file no-await-in-loop -- one step after the other

import { sleep } from "../core/sleep.ts";
import type { Agreement } from "./agreement.ts";
import type { Rollout } from "./rollout.ts";

const TICK_MS = 1_000;

/** Has a balancer follow its configuration until `stop`: a step a second, and one with each change that is seen. Never rejects. */
export async function follow(rollout: Rollout, agreement: Agreement, stop: AbortSignal): Promise<void> {
  let [hasNews, wake] = [false, (): void => {}];
  const following = agreement.follow(
    (values) => {
      rollout.see(values);
      hasNews = true;
      wake();
    },
    (why) => rollout.miss(why),
    stop,
  );
  stop.addEventListener("abort", () => wake(), { once: true });
  while (!stop.aborted) {
    hasNews = false;
    await rollout.tick(stop);
    const woken = new AbortController();
    wake = () => woken.abort();
    if (!hasNews && !stop.aborted) await sleep(TICK_MS, woken.signal);
  }
  await following;
}

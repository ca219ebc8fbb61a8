import assert from "node:assert/strict";
import { EpollEngine } from "../../lib/engine/epoll/engine.ts";
import { EpollHost } from "../../lib/engine/epoll/host.ts";

Deno.test({
  name: "an alarm is due once, not before its time, and only at the time that was set last",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const host = new EpollHost();
    const engine = new EpollEngine({ ...host.enter(), maxSleepMs: 0 });
    const due: number[] = [];
    let rang = Promise.withResolvers<void>();
    const alarm = engine.alarm(() => {
      due.push(performance.now());
      rang.resolve();
    });
    for (const ms of [0, 0.5, 7.25, 40]) {
      due.length = 0;
      rang = Promise.withResolvers();
      // Taken back by the second.
      alarm.set(ms / 2);
      const setMs = performance.now();
      alarm.set(ms);
      // deno-lint-ignore no-await-in-loop -- one time after the other
      await rang.promise;
      assert.equal(due.length, 1);
      assert.ok((due[0] ?? 0) - setMs >= ms, `${(due[0] ?? 0) - setMs} ms instead of ${ms}`);
    }
    alarm.close();
    await engine.close();
    await host.close();
  },
});

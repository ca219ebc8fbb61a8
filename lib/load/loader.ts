/// <reference lib="deno.worker" />

/** The entry of a thread that makes load. It may dial whom it loads, and nothing else. */

import { reasonOf } from "../core/errors.ts";
import { EpollDriver } from "./epoll_driver.ts";
import { Generator } from "./generator.ts";
import type { FromLoader, ToLoader } from "./messages.ts";
import { RuntimeDriver } from "./runtime_driver.ts";

let generator: Generator | undefined;

function tell(message: FromLoader): void {
  self.postMessage(message);
}

/** Without this the runtime would print a stack trace and end the whole process. */
function fail(error: unknown): void {
  tell({ type: "failed", reason: reasonOf(error) });
  self.close();
}

function prepare({ plan, share, epoll }: ToLoader & { type: "prepare" }): Generator {
  const made: Generator = new Generator({
    plan,
    share,
    makeDriver: (onAlarm) =>
      epoll === undefined ? new RuntimeDriver(plan, onAlarm) : new EpollDriver(epoll, plan, onAlarm),
    onSecond: (second) => tell({ type: "second", second, counted: made.take(), open: made.open }),
    onDone: () => {
      const endMs = performance.timeOrigin + performance.now();
      tell({ type: "done", counted: made.take(), unsent: made.unsent, endMs });
      made.driver.close().then(() => self.close(), fail);
    },
  });
  return made;
}

function handle(message: ToLoader): void {
  switch (message.type) {
    case "prepare":
      generator = prepare(message);
      return tell({ type: "ready" });
    case "start":
      return generator?.start(message.atMs - performance.timeOrigin);
    case "stop":
      return generator?.stop();
  }
}

self.addEventListener("error", (event) => {
  event.preventDefault();
  fail(event.error);
});
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail(event.reason);
});
self.addEventListener("message", (event: MessageEvent<ToLoader>) => {
  try {
    handle(event.data);
  } catch (error) {
    fail(error);
  }
});

/** A data-plane worker that tries what the kernel should refuse it, as soon as it may accept, and says what came of it. */

import "../../../lib/dataplane/worker.ts";
import type { ToWorker } from "../../../lib/dataplane/messages.ts";
import { prepareAttempts } from "./foreign_attempts.ts";

let attempts: (() => Record<string, string>) | undefined;

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "start") {
    const { engine, pools: [pool] } = data.options;
    const [backend] = pool?.backends ?? [];
    if (engine.kind !== "epoll" || backend === undefined || backend.address.transport === "unix") return;
    const { port } = backend.address;
    attempts = prepareAttempts({ permitted: port, other: port === 9 ? 10 : 9 });
  }
  if (data.type === "accept" && attempts !== undefined) {
    self.postMessage({ type: "warning", event: "attempted", fields: attempts() });
  }
});

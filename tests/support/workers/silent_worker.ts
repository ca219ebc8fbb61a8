/// <reference lib="deno.worker" />

/** A worker that says that it listens, and from then on nothing: to the control plane it is one that hangs. */

import type { FromWorker, ToWorker } from "../../../lib/dataplane/messages.ts";

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "start") {
    self.postMessage({ type: "listening", confinement: { by: [], missing: undefined } } satisfies FromWorker);
  }
};

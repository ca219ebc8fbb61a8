/// <reference lib="deno.worker" />

/** A worker that listens to nothing: it answers changes of members at once, and questions about sessions never. */

import type { FromWorker, ToWorker } from "../../../lib/dataplane/messages.ts";

function tell(message: FromWorker): void {
  self.postMessage(message);
}

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "start") tell({ type: "listening", confinement: { by: [], missing: undefined } });
  if (data.type === "adjust") tell({ type: "adjusted", request: data.request });
};

/** A data-plane worker whose thread also collects garbage, compiles and sets timers, all the time. */

import "../../../lib/dataplane/worker.ts";
import type { ToWorker } from "../../../lib/dataplane/messages.ts";

/** Between two bouts of work. */
const PAUSE_MS = 10;

let bouts = 0;
let kept: unknown[] = [];

/** New code, run until it is optimised. */
function compile(seed: number): number {
  const add = new Function(
    "n",
    `let sum = ${seed}; for (let i = 0; i < n; i++) sum += i ^ ${seed}; return sum;`,
  );
  let sum = 0;
  for (let i = 0; i < 200; i++) sum += add(500);
  return sum;
}

/** Many small objects, some of which live on, and buffers outside of the heap. */
function allocate(): void {
  for (let i = 0; i < 50; i++) kept.push(new Array(2_000).fill({ i }));
  kept.push(new Uint8Array(4 << 20));
  if (bouts % 20 === 0) kept = [];
}

function work(): void {
  bouts++;
  compile(bouts);
  allocate();
  self.postMessage({ type: "warning", event: "worked", fields: { bouts } });
  setTimeout(work, PAUSE_MS);
}

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "accept") work();
});
